/** Live interviews: the namespace `/interview`. */

import type { InterviewsHears, InterviewsSays } from "../generated/events.js";
import { HubSocket, type AskOptions, type ConnectOptions } from "../socket/hub-socket.js";
import type { Ack, Payload } from "../socket/words.js";

export type InterviewReady = InterviewsHears["interview-ready"];
export type ObservationStarted = InterviewsHears["observation-started"];

export interface InterviewOptions extends ConnectOptions {
  /** What the token says, if it is missing: a JWT is a recruiter's, any other a candidate's. */
  userType?: "candidate" | "recruiter" | undefined;
  /** Who uses an invite. */
  participantId?: string | undefined;
}

/** An answer is stored and scored, and the next question spoken, before it is acknowledged. */
export const ANSWER_MS = 75_000;
const HEARTBEAT_MS = 30_000;

/** Connects to the namespace of interviews. */
export function connectInterview(options: InterviewOptions): Interview {
  return new Interview(options);
}

export class Interview extends HubSocket<InterviewsHears, InterviewsSays> {
  constructor({ userType, participantId, ...options }: InterviewOptions) {
    super("/interview", { heartbeatMs: HEARTBEAT_MS, ...options }, participantId === undefined ? {} : { participantId }, userType === undefined ? {} : { userType });
  }

  /** A candidate joins, and again whenever the hub does not know this client any more: it then sends the open question again. */
  join(interviewId: string, signal?: AbortSignal): Promise<Ack<InterviewsSays, "join-interview">> {
    return this.keep(`join-interview ${interviewId}`, () => this.emitWithAck("join-interview", { interviewId }), signal);
  }

  /** Asks for the first question, or for the open one again. */
  start(sessionId: string, options?: AskOptions): Promise<Ack<InterviewsSays, "start-interview">> {
    return this.emitWithAck("start-interview", { sessionId }, { timeoutMs: ANSWER_MS, ...options });
  }

  /**
   * A recruiter observes, and again whenever the hub does not know this client any more. `onStarted` gets all from the start, in one piece: at
   * first, and again whenever something may have been missed.
   */
  observe(interviewId: string, onStarted?: (started: ObservationStarted) => void, signal?: AbortSignal): Promise<ObservationStarted> {
    return this.keep(`observe-interview ${interviewId}`, async () => {
      const started = await this.#observe(interviewId);
      onStarted?.(started);
      return started;
    }, signal);
  }

  /** Joins the call, and again whenever the hub does not know this client any more. */
  async joinCall(call: Payload<InterviewsSays, "joinRoom"> & { interviewId: string }, signal?: AbortSignal): Promise<void> {
    await this.keep(`joinRoom ${call.interviewId}`, () => this.emitWithAck("joinRoom", call), signal);
  }

  async leaveCall(interviewId: string, options?: AskOptions): Promise<void> {
    this.drop(`joinRoom ${interviewId}`);
    if (this.connected) await this.emitWithAck("leaveRoom", { interviewId }, options);
  }

  /** Page after page: a long interview does not fit into one answer. */
  async #observe(interviewId: string): Promise<ObservationStarted> {
    const { ok: _, ...first } = await this.emitWithAck("observe-interview", { interviewId });
    let { nextAfter } = first;
    const events = [...first.events];
    while (nextAfter != null) {
      const more: ObservationStarted = await this.emitWithAck("observe-interview", { interviewId, after: nextAfter });
      events.push(...more.events);
      nextAfter = more.nextAfter;
    }
    return { ...first, events, nextAfter: null };
  }
}
