/** The HTTP routes of interview sessions, for one user. Every failure is a `HubError` with the hub's own code. */

import { HubError } from "../errors";
import type { Eligibility, Holder, RoomPass, SessionRow, Started } from "./protocol";

/** Longer than a hub may take for a start. */
const PATIENCE_MS = 25_000;
/** The `Date` header has whole seconds, and a request takes its time: less than this is no difference. */
const NO_DIFFERENCE_MS = 2000;

export class SessionApi {
  #token = "";
  #clockOffsetMs = 0;

  constructor(private readonly fetcher: typeof fetch = (input, init) => fetch(input, init), private readonly now: () => number = Date.now) {}

  /** The hub's time minus this machine's. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  /** Signs a demo user in; the same name is the same user. Without a résumé it may not start; null leaves that as it is. */
  async signIn(name: string, resume: boolean | null): Promise<Holder> {
    const holder = await this.#call<Holder>("POST", "/demo/holder", { name, ...(resume === null ? {} : { resume }) });
    this.#token = holder.token;
    return holder;
  }

  signOut(): void {
    this.#token = "";
  }

  eligibility(): Promise<Eligibility> {
    return this.#call("GET", "/api/interviews/eligibility");
  }

  start(): Promise<Started> {
    return this.#call("POST", "/api/interviews/start");
  }

  session(id: string): Promise<SessionRow> {
    return this.#call("GET", `/api/interviews/${encodeURIComponent(id)}/status`);
  }

  async end(id: string): Promise<void> {
    await this.#call("POST", `/api/interviews/${encodeURIComponent(id)}/end`);
  }

  /** A new token for the room of a session that is still active. */
  roomPass(roomName: string, sessionId: string): Promise<RoomPass> {
    return this.#call("POST", "/api/livekit/token", { roomName, sessionId });
  }

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers: Record<string, string> = {};
    if (this.#token !== "") headers["authorization"] = `Bearer ${this.#token}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const asked = this.now();
    let response: Response;
    try {
      response = await this.fetcher(path, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE_MS) } as RequestInit);
    } catch {
      throw new HubError("NETWORK");
    }
    this.#readClock(response.headers.get("date"), asked);
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer as T;
    throw refusal(path, response, answer);
  }

  #readClock(date: string | null, asked: number): void {
    const said = date === null ? NaN : Date.parse(date);
    if (Number.isNaN(said)) return;
    const offset = said + 500 - (asked + this.now()) / 2;
    this.#clockOffsetMs = Math.abs(offset) < NO_DIFFERENCE_MS ? 0 : Math.round(offset);
  }
}

/** Why the hub said no. Routes without codes of their own are told by their status. */
function refusal(path: string, response: Response, answer: unknown): HubError {
  if (path.startsWith("/demo/") && response.status === 404) return new HubError("DEMO_OFF");
  const { error, message } = (answer ?? {}) as { error?: string; message?: string };
  // A balancer that finds no node answers without JSON.
  if (answer === null && response.status >= 502) return new HubError("NETWORK");
  return new HubError(error ?? (response.status === 401 ? "UNAUTHORIZED" : `HTTP_${response.status}`), message);
}
