/** Interview sessions that users start by themselves: rooms of LiveKit with an agent that interviews. */

import { connectRest, isRefusal, type Answer, type Refusal, type RefusalCode } from "./call.js";
import type { CallOptions, RestError, RestOptions } from "./request.js";

export type StartedSession = Answer<"/api/interviews/start", "post">;
export type InterviewSession = Answer<"/api/interviews/{id}/status", "get">;
export type EndedSession = Answer<"/api/interviews/{id}/end", "post">;
export type Eligibility = Answer<"/api/interviews/eligibility", "get">;
export type LiveKitToken = Answer<"/api/livekit/token", "post">;

/** A refused start, with its codes and `existingSessionId`. */
export type StartRefusal = RestError<Refusal<"/api/interviews/start", "post">, RefusalCode<"/api/interviews/start", "post">>;

export function isStartRefusal(error: unknown): error is StartRefusal {
  return isRefusal(error, "post", "/api/interviews/start");
}

export interface InterviewApi {
  /** Starts a session: it, and what opens its room. */
  startSession(options?: CallOptions): Promise<StartedSession>;
  getSessionStatus(sessionId: string, options?: CallOptions): Promise<InterviewSession>;
  endSession(sessionId: string, options?: CallOptions): Promise<EndedSession>;
  /** Whether a start would be refused now, and why. */
  checkEligibility(options?: CallOptions): Promise<Eligibility>;
  /** A new token for the room of a session that is active, after a reload. */
  getLiveKitToken(roomName: string, sessionId: string, options?: CallOptions): Promise<LiveKitToken>;
}

/**
 * The functions that pages of interview sessions call. A refusal is a `RestError`: `code` is the hub's word (`error` in the answer), `body` the answer
 * as it came, with `existingSessionId` where there is one.
 */
export function interviewApi(options: RestOptions): InterviewApi {
  const call = connectRest(options);
  return {
    startSession: (more) => call("post", "/api/interviews/start", { ...more }),
    getSessionStatus: (id, more) => call("get", "/api/interviews/{id}/status", { path: { id }, ...more }),
    endSession: (id, more) => call("post", "/api/interviews/{id}/end", { path: { id }, ...more }),
    checkEligibility: (more) => call("get", "/api/interviews/eligibility", { ...more }),
    getLiveKitToken: (roomName, sessionId, more) => call("post", "/api/livekit/token", { body: { roomName, sessionId }, ...more }),
  };
}
