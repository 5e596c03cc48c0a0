/** A recruiter at the hub: observes an interview from its start, and goes on after a lost connection. */

import { connectInterview, type Interview } from "@convoke/client";
import { toFailure, type HubFailure } from "../errors";
import { Store } from "../state/store";
import { RECRUITER_EVENTS, type ObservationStarted, type RecruiterEvent } from "./protocol";
import { heard, observed, WATCHING, type RecruiterState } from "./recruiter-state";

export class Recruiter {
  readonly state = new Store<RecruiterState>(WATCHING);
  readonly failure = new Store<{ failure: HubFailure; id: number } | null>(null);
  readonly hub: Interview;

  constructor(readonly interviewId: string, token: string, transports: string[]) {
    const hub = connectInterview({ token, userType: "recruiter", reconnectMaxMs: 3000, socketOptions: { transports } });
    this.hub = hub;
    hub.onFailure((failure) => this.fail(failure));
    for (const event of RECRUITER_EVENTS) {
      hub.on(event, (data) => this.state.update((state) => heard(state, { event, data } as RecruiterEvent)));
    }
    // After a recovery the hub has sent what was missed; else the client asks for all of it again.
    hub.observe(interviewId, (started) => this.state.set(observed(started as ObservationStarted)))
      .catch((thrown: unknown) => this.fail({ ...toFailure(thrown), event: "observe-interview" }));
  }

  fail(failure: HubFailure): void {
    this.failure.update((last) => ({ failure, id: (last?.id ?? 0) + 1 }));
  }
}
