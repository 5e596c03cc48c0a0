/** A recruiter at the hub: observes an interview from its start, and goes on after a lost connection. */

import { toFailure } from "../errors";
import type { HubFailure } from "../protocol";
import { Store } from "../state/store";
import { RECRUITER_EVENTS, type ObservationStarted, type RecruiterEvent } from "./protocol";
import { heard, observed, WATCHING, type RecruiterState } from "./recruiter-state";
import { LiveSocket } from "./socket";

export class Recruiter {
  readonly state = new Store<RecruiterState>(WATCHING);
  readonly failure = new Store<{ failure: HubFailure; id: number } | null>(null);
  readonly socket: LiveSocket;

  constructor(readonly interviewId: string, token: string, transports: string[], onReturn: () => void) {
    this.socket = new LiveSocket(token, "recruiter", transports, (failure) => this.fail(failure), (recovered) => {
      // After a recovery the hub has sent what was missed; else all is asked for again.
      if (!recovered) void this.#observe().then(onReturn);
    });
    this.socket.on<ObservationStarted>("observation-started", (started) => this.state.set(observed(started)));
    for (const event of RECRUITER_EVENTS) {
      this.socket.on<object>(event, (data) => this.state.update((state) => heard(state, { event, data } as RecruiterEvent)));
    }
  }

  fail(failure: HubFailure): void {
    this.failure.update((last) => ({ failure, id: (last?.id ?? 0) + 1 }));
  }

  async #observe(): Promise<void> {
    try {
      await this.socket.request("observe-interview", { interviewId: this.interviewId });
    } catch (thrown) {
      this.fail({ ...toFailure(thrown), event: "observe-interview" });
    }
  }
}
