/** The two HTTP routes that a hub with DEMO=true gives this page. */

import { HubError } from "@convoke/client";
import type { PanelRole } from "./words";

/** A development token for a role; its `sosId` makes the socket a member from the start. */
export async function fetchToken(role: PanelRole, userId: string, sosId: string | null): Promise<string> {
  const query = new URLSearchParams({ role, user: userId });
  if (sosId !== null) query.set("sos", sosId);
  const body = await call<{ token: string }>(`/demo/token?${query}`);
  if (typeof body.token !== "string") throw new HubError("DEMO_OFF");
  return body.token;
}

/** Opens an incident as the SOS service would. Repeating it is safe. */
export async function openIncident(sosId: string, citizenId: string): Promise<void> {
  await call("/demo/sos", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sosId, citizenId }),
  });
}

async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.timeout(8000) });
  } catch {
    throw new HubError("NETWORK");
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body !== null) return body as T;
  if (response.status === 404 || body === null) throw new HubError(response.status === 404 ? "DEMO_OFF" : "NETWORK");
  const failure = body as { code?: string; error?: string; message?: string };
  throw new HubError(failure.code ?? failure.error ?? "INTERNAL", failure.message);
}
