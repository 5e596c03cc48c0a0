/** A candidate at the hub: joins, starts, answers, sends sound and signs. Nothing here touches the page. */

import { ANSWER_MS, connectInterview, HubError, type Interview } from "@convoke/client";
import { toFailure, type HubFailure } from "../errors";
import { Store } from "../state/store";
import { JOINING, next, type CandidateHappened, type CandidateState } from "./candidate-state";
import { ChunkSender } from "./chunks";
import type { Sign } from "./proctor";

export class Candidate {
  readonly state = new Store<CandidateState>(JOINING);
  readonly failure = new Store<{ failure: HubFailure; id: number } | null>(null);
  readonly hub: Interview;
  readonly chunks: ChunkSender;

  constructor(readonly interviewId: string, token: string, transports: string[]) {
    const hub = connectInterview({ token, userType: "candidate", reconnectMaxMs: 3000, socketOptions: { transports } });
    this.hub = hub;
    this.chunks = new ChunkSender(hub);
    hub.onFailure((failure) => this.fail(failure));
    hub.on("interview-ready", (ready) => this.#happened({ type: "ready", ready }));
    hub.on("question", (question) => this.#happened({ type: "question", question, at: Date.now() }));
    hub.on("transcription", (transcription) => this.#happened({ type: "transcription", transcription }));
    hub.on("interview-complete", () => this.#happened({ type: "complete" }));
    hub.on("stt-unavailable", ({ reason }) => this.#happened({ type: "speech", off: reason }));
    hub.on("stt-available", () => this.#happened({ type: "speech", off: null }));
    void this.#try("join-interview", () => hub.join(interviewId));
  }

  start(): Promise<boolean> {
    return this.#try("start-interview", () => this.hub.start(this.state.value.ready?.sessionId ?? ""));
  }

  /** The answer is complete. `typed` counts in place of what was heard, if it is not empty. */
  answer(typed: string): Promise<boolean> {
    const question = this.state.value.question;
    if (question === null) return Promise.resolve(false);
    this.#happened({ type: "answered" });
    return this.#try("response-complete", async () => {
      await this.chunks.drained();
      try {
        await this.hub.write("response-complete", { questionId: question.questionId, transcription: typed, audioUrl: "" }, { timeoutMs: ANSWER_MS });
      } catch (thrown) {
        // It may have arrived all the same: then the next question is here.
        if (thrown instanceof HubError && thrown.repeatable && this.state.value.question?.questionId !== question.questionId) return;
        this.#happened({ type: "not-answered" });
        throw thrown;
      }
    });
  }

  sign(sign: Sign): void {
    if (this.state.value.stage === "question" || this.state.value.stage === "sending") this.hub.emit("proctor-event", sign);
  }

  fail(failure: HubFailure): void {
    if (failure.code === "INTERVIEW_UNAVAILABLE") this.#happened({ type: "ended" });
    this.failure.update((last) => ({ failure, id: (last?.id ?? 0) + 1 }));
  }

  #happened(happened: CandidateHappened): void {
    this.state.update((state) => next(state, happened));
  }

  async #try(event: string, act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (thrown) {
      this.fail({ ...toFailure(thrown), event });
      return false;
    }
  }
}
