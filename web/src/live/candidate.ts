/** A candidate at the hub: joins, starts, answers, sends sound and signs. Nothing here touches the page. */

import { HubError, toFailure } from "../errors";
import { randomId } from "../format";
import type { HubFailure } from "../protocol";
import { Store } from "../state/store";
import { JOINING, next, type CandidateHappened, type CandidateState } from "./candidate-state";
import { ChunkSender } from "./chunks";
import type { InterviewReady, Question, Transcription } from "./protocol";
import type { Sign } from "./proctor";
import { LiveSocket } from "./socket";

/** Scoring, speech and the next question may take so long. */
const ANSWER_MS = 75_000;

export class Candidate {
  readonly state = new Store<CandidateState>(JOINING);
  readonly failure = new Store<{ failure: HubFailure; id: number } | null>(null);
  readonly socket: LiveSocket;
  readonly chunks: ChunkSender;

  constructor(readonly interviewId: string, token: string, transports: string[], onReturn: () => void) {
    this.socket = new LiveSocket(token, "candidate", transports, (failure) => this.fail(failure), (recovered) => {
      if (!recovered) void this.#try("join-interview", () => this.#join().then(onReturn));
    });
    this.chunks = new ChunkSender(this.socket);
    const { socket } = this;
    socket.on<InterviewReady>("interview-ready", (ready) => this.#happened({ type: "ready", ready }));
    socket.on<Question>("question", (question) => this.#happened({ type: "question", question, at: Date.now() }));
    socket.on<Transcription>("transcription", (transcription) => this.#happened({ type: "transcription", transcription }));
    socket.on("interview-complete", () => this.#happened({ type: "complete" }));
    socket.on<{ reason: string }>("stt-unavailable", ({ reason }) => this.#happened({ type: "speech", off: reason }));
    socket.on("stt-available", () => this.#happened({ type: "speech", off: null }));
  }

  start(): Promise<boolean> {
    return this.#try("start-interview", async () => {
      const sessionId = this.state.value.ready?.sessionId;
      await this.socket.request("start-interview", { sessionId }, ANSWER_MS);
    });
  }

  /** The answer is complete. `typed` counts in place of what was heard, if it is not empty. */
  answer(typed: string): Promise<boolean> {
    const question = this.state.value.question;
    if (question === null) return Promise.resolve(false);
    this.#happened({ type: "answered" });
    return this.#try("response-complete", async () => {
      await this.chunks.drained();
      const clientMessageId = randomId();
      for (;;) {
        try {
          await this.socket.request("response-complete", { questionId: question.questionId, transcription: typed, audioUrl: "", clientMessageId }, ANSWER_MS);
          return;
        } catch (thrown) {
          const code = thrown instanceof HubError ? thrown.code : "";
          // It may have arrived, or arrives when the connection is back; a repeat does no harm.
          if (!["NETWORK", "NO_ANSWER", "UNAVAILABLE", "UNCONFIRMED"].includes(code)) {
            this.#happened({ type: "not-answered" });
            throw thrown;
          }
          if (this.state.value.question?.questionId !== question.questionId || this.state.value.stage === "complete") return;
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      }
    });
  }

  sign(sign: Sign): void {
    if (this.state.value.stage === "question" || this.state.value.stage === "sending") this.socket.emit("proctor-event", sign);
  }

  fail(failure: HubFailure): void {
    if (failure.code === "INTERVIEW_UNAVAILABLE") this.#happened({ type: "ended" });
    this.failure.update((last) => ({ failure, id: (last?.id ?? 0) + 1 }));
  }

  async #join(): Promise<void> {
    await this.socket.request("join-interview", { interviewId: this.interviewId });
  }

  #happened(happened: CandidateHappened): void {
    this.state.update((state) => next(state, happened));
  }

  async #try(event: string, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (thrown) {
      this.fail({ ...toFailure(thrown), event });
      return false;
    }
  }
}
