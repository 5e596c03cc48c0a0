/** Stands in for the backend that plans interviews: with DEMO=true the hub makes one, and tokens for both sides. */

import { HubError } from "@convoke/client";
import type { DemoInterview } from "./protocol";

export async function planInterview(candidate: string): Promise<DemoInterview> {
  return call("/demo/interview", { candidate });
}

async function call<T>(path: string, body: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(8000) });
  } catch {
    throw new HubError("NETWORK");
  }
  const answer = (await response.json().catch(() => null)) as (T & { error?: string; message?: string }) | null;
  if (response.ok && answer !== null) return answer;
  if (response.status === 404) throw new HubError("DEMO_OFF");
  throw new HubError(response.status === 501 ? "NOT_CONFIGURED" : answer?.error ?? "NETWORK", answer?.message);
}
