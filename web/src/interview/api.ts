/** The HTTP routes of interview sessions, for one user of the demo, and the hub's clock as its answers tell it. */

import { HubError, interviewApi, type Eligibility, type InterviewApi, type InterviewSession, type LiveKitToken, type StartedSession } from "@convoke/client";
import type { Holder } from "./protocol";

/** Longer than a hub may take for a start. */
const PATIENCE_MS = 25_000;
/** The `Date` header has whole seconds, and a request takes its time: less than this is no difference. */
const NO_DIFFERENCE_MS = 2000;

export class SessionApi {
  #clockOffsetMs = 0;
  #api: InterviewApi;

  constructor(private readonly fetcher: typeof fetch = (input, init) => fetch(input, init), private readonly now: () => number = Date.now) {
    this.#api = this.#as(undefined);
  }

  /** The hub's time minus this machine's. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  /** Signs a demo user in; the same name is the same user. Without a résumé it may not start; null leaves that as it is. */
  async signIn(name: string, resume: boolean | null): Promise<Holder> {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ name, ...(resume === null ? {} : { resume }) });
    let response: Response;
    try {
      response = await this.#fetch("/demo/holder", { method: "POST", headers, body, signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch {
      throw new HubError("NETWORK");
    }
    if (!response.ok) throw new HubError(response.status === 404 ? "DEMO_OFF" : "UNAVAILABLE");
    const holder = (await response.json()) as Holder;
    this.#api = this.#as(holder.token);
    return holder;
  }

  signOut(): void {
    this.#api = this.#as(undefined);
  }

  eligibility(): Promise<Eligibility> {
    return this.#api.checkEligibility();
  }

  start(): Promise<StartedSession> {
    return this.#api.startSession();
  }

  session(id: string): Promise<InterviewSession> {
    return this.#api.getSessionStatus(id);
  }

  async end(id: string): Promise<void> {
    await this.#api.endSession(id);
  }

  /** A new token for the room of a session that is still active. */
  roomPass(roomName: string, sessionId: string): Promise<LiveKitToken> {
    return this.#api.getLiveKitToken(roomName, sessionId);
  }

  #as(token: string | undefined): InterviewApi {
    // What was lost is asked again by those who know whether it is still wanted.
    return interviewApi({ url: "", token, fetch: this.#fetch, deadlineMs: PATIENCE_MS, retries: 0 });
  }

  readonly #fetch: typeof fetch = async (input, init) => {
    const asked = this.now();
    const response = await this.fetcher(input, init);
    const said = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(said)) {
      const offset = said + 500 - (asked + this.now()) / 2;
      this.#clockOffsetMs = Math.abs(offset) < NO_DIFFERENCE_MS ? 0 : Math.round(offset);
    }
    return response;
  };
}
