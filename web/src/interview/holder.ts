/**
 * One user at the hub: signs in, asks, starts, joins, ends, and finds its session again after a reload or when an answer got lost.
 * Nothing here touches the page.
 */

import { HubError } from "@convoke/client";
import { toFailure, type HubFailure } from "../errors";
import { Store } from "../state/store";
import type { SessionApi } from "./api";
import type { RoomPass } from "./protocol";
import { next, phaseOf, SIGNED_OUT, type Happened, type Phase, type Stay } from "./state";

/** What a user needs of the room; the real one brings LiveKit's client. */
export interface Joins {
  join(pass: RoomPass): Promise<void>;
  leave(): Promise<void>;
}

/** Others take and give back places: a user that waits asks again this often. The hub allows twenty a minute. */
const LOOK_AGAIN_MS = 10_000;
/** A session that ended elsewhere is noticed within this. */
const READ_AGAIN_MS = 15_000;
/** When its time is over the hub closes it as soon as somebody asks. */
const OVERDUE_AGAIN_MS = 3000;
/** After the end the hub closes the room, which puts everybody out; whoever is still in after this leaves. */
const LEAVE_AFTER_MS = 3000;

export class HolderSession {
  readonly stay = new Store<Stay>(SIGNED_OUT);
  readonly failure = new Store<{ failure: HubFailure; id: number } | null>(null);
  #askedAt = 0;
  #asking = false;

  constructor(private readonly api: SessionApi, private readonly room: Joins, private readonly clock: () => number = Date.now) {}

  /** Now, by the hub's clock. */
  now(): number {
    return this.clock() + this.api.clockOffsetMs;
  }

  get phase(): Phase {
    return phaseOf(this.stay.value, this.now());
  }

  async signIn(name: string, resume: boolean | null): Promise<boolean> {
    return this.#try("sign in", async () => {
      this.#happened({ type: "signed-in", holder: await this.api.signIn(name, resume) });
      await this.#look();
    });
  }

  async signOut(): Promise<void> {
    await this.room.leave();
    this.api.signOut();
    this.#happened({ type: "signed-out" });
  }

  /** Asks whether a session may be started; one that is active is taken up again. */
  async look(): Promise<boolean> {
    return this.#try("eligibility", () => this.#look());
  }

  async start(): Promise<boolean> {
    return this.#try("start", async () => {
      let started;
      try {
        started = await this.api.start();
      } catch (thrown) {
        // Refused, or unanswered and started all the same: the hub knows.
        await this.#look().catch(() => undefined);
        if (thrown instanceof HubError && ["NETWORK", "NO_ANSWER", "UNAVAILABLE"].includes(thrown.code) && this.stay.value.session !== null) return;
        throw thrown;
      }
      this.#askedAt = this.clock();
      this.#happened({ type: "started", started, at: this.now() });
      await this.room.join(started.livekit);
    });
  }

  /** Joins the room with a new token. */
  async rejoin(): Promise<boolean> {
    return this.#try("join", () => this.#rejoin());
  }

  async end(): Promise<boolean> {
    const { session } = this.stay.value;
    if (session === null) return true;
    return this.#try("end", async () => {
      await this.api.end(session.id);
      await this.#read(session.id);
    });
  }

  /** Leaves an ended session behind. */
  async again(): Promise<boolean> {
    const { holder } = this.stay.value;
    if (holder === null) return true;
    await this.room.leave();
    this.#happened({ type: "signed-in", holder });
    return this.look();
  }

  /** The room let go of us: only the hub knows whether the session is over. */
  async putOut(): Promise<void> {
    const { session } = this.stay.value;
    if (session?.status === "active") await this.#try("status", () => this.#read(session.id));
  }

  fail(failure: HubFailure): void {
    this.failure.update((last) => ({ failure, id: (last?.id ?? 0) + 1 }));
  }

  /** Once a second: asks again where it is time to. Failures are left to the next time, unless they are about who we are. */
  async tick(visible: boolean): Promise<void> {
    const { phase } = this;
    const patience = phase === "overdue" ? OVERDUE_AGAIN_MS : phase === "active" ? READ_AGAIN_MS : LOOK_AGAIN_MS;
    if (this.#asking || !visible || phase === "signed-out" || phase === "ended" || this.clock() - this.#askedAt < patience) return;
    this.#asking = true;
    try {
      const { session } = this.stay.value;
      await (session?.status === "active" ? this.#read(session.id) : this.#look());
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (failure.code === "UNAUTHORIZED") await this.#refused(failure, "status");
    } finally {
      this.#asking = false;
    }
  }

  async #look(): Promise<void> {
    this.#askedAt = this.clock();
    const eligibility = await this.api.eligibility();
    this.#happened({ type: "judged", eligibility });
    if (eligibility.existingSessionId == null) return;
    await this.#read(eligibility.existingSessionId);
    if (this.phase === "active") await this.#rejoin();
  }

  async #read(id: string): Promise<void> {
    this.#askedAt = this.clock();
    const before = this.stay.value.session?.status;
    this.#happened({ type: "row", row: await this.api.session(id) });
    if (before === "active" && this.stay.value.session?.status !== "active") setTimeout(() => this.#leaveIfEnded(id), LEAVE_AFTER_MS);
  }

  #leaveIfEnded(id: string): void {
    const { session } = this.stay.value;
    if (session?.id === id && session.status !== "active") void this.room.leave();
  }

  async #rejoin(): Promise<void> {
    const { session } = this.stay.value;
    if (session === null) return;
    const pass = await this.api.roomPass(session.livekit_room_name, session.id);
    this.#happened({ type: "refreshed", at: this.now() });
    await this.room.join(pass);
  }

  #happened(happened: Happened): void {
    this.stay.update((stay) => next(stay, happened));
  }

  async #try(event: string, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (thrown) {
      await this.#refused(toFailure(thrown), event);
      return false;
    }
  }

  async #refused(failure: HubFailure, event: string): Promise<void> {
    this.fail({ ...failure, event });
    if (failure.code === "UNAUTHORIZED") await this.signOut();
  }
}
