/**
 * Positions on their way to the hub. Online each goes out as it comes (at most five a second); one that was not
 * answered, and all that are taken offline, wait here and follow as a batch. The hub knows a fix by user, device and
 * fix time, so sending one twice does no harm.
 */

import { isRetryable, toFailure } from "../errors";
import type { HubFailure } from "../protocol";
import type { Door } from "./writer";

export interface OwnFix {
  latitude: number;
  longitude: number;
  accuracy?: number;
  heading?: number;
  speed?: number;
  altitude?: number;
  /** The fix time, milliseconds since 1970. */
  timestamp: number;
}

export interface Tally {
  /** Answered with ok. */
  stored: number;
  /** Of these: stored, but folded into the next broadcast. */
  coalesced: number;
  /** Waiting for the hub. */
  waiting: number;
  refused: number;
}

export const MIN_GAP_MS = 200;
const BATCH = 500;
/** An hour at one fix a second; beyond that every second one of the older half goes. */
const KEPT = 3600;

export class LocationSender {
  readonly #door: Door & { readonly connected: boolean };
  readonly #sosId: string;
  readonly #deviceId: string;
  readonly #onTally: (tally: Tally) => void;
  readonly #onFailure: (failure: HubFailure) => void;
  #waiting: OwnFix[] = [];
  #flushing = false;
  #lastTaken = -Infinity;
  #tally: Tally = { stored: 0, coalesced: 0, waiting: 0, refused: 0 };

  constructor(
    door: Door & { readonly connected: boolean },
    names: { sosId: string; deviceId: string },
    on: { tally: (tally: Tally) => void; failure: (failure: HubFailure) => void },
  ) {
    this.#door = door;
    this.#sosId = names.sosId;
    this.#deviceId = names.deviceId;
    this.#onTally = on.tally;
    this.#onFailure = on.failure;
  }

  /** Takes a fix, unless the one before it was less than 200 ms ago. */
  take(fix: OwnFix): boolean {
    if (fix.timestamp - this.#lastTaken < MIN_GAP_MS - 5) return false;
    this.#lastTaken = fix.timestamp;
    if (this.#door.connected && !this.#flushing && this.#waiting.length === 0) void this.#send(fix);
    else this.#keep([fix]);
    return true;
  }

  /** Sends what waits, oldest first. To be called when the connection is back. */
  async flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      while (this.#waiting.length > 0 && this.#door.connected) {
        const batch = this.#waiting.slice(0, BATCH);
        const answer = await this.#door.request<{ accepted?: number; duplicates?: number; rejected?: { index: number; code: string }[] }>(
          "location:batch", { sosId: this.#sosId, points: batch.map((fix) => ({ ...fix, deviceId: this.#deviceId })) });
        this.#waiting = this.#waiting.filter((fix) => !batch.includes(fix));
        this.#count({ stored: (answer.accepted ?? 0) + (answer.duplicates ?? 0), refused: answer.rejected?.length ?? 0 });
      }
    } catch (thrown) {
      this.#failed(toFailure(thrown), this.#waiting.splice(0, BATCH));
    } finally {
      this.#flushing = false;
      this.#count({});
    }
  }

  async #send(fix: OwnFix): Promise<void> {
    try {
      const answer = await this.#door.request<{ coalesced?: boolean }>(
        "location:update", { sosId: this.#sosId, deviceId: this.#deviceId, ...fix });
      this.#count({ stored: 1, coalesced: answer.coalesced === true ? 1 : 0 });
    } catch (thrown) {
      this.#failed(toFailure(thrown), [fix]);
    }
  }

  #failed(failure: HubFailure, fixes: OwnFix[]): void {
    if (failure.code === "NETWORK" || failure.code === "NO_ANSWER" || isRetryable(failure.code)) {
      this.#keep(fixes);
      if (this.#door.connected) setTimeout(() => void this.flush(), 1000);
      return;
    }
    this.#count({ refused: fixes.length });
    this.#onFailure({ ...failure, event: "location:update" });
  }

  #keep(fixes: OwnFix[]): void {
    const last = this.#waiting[this.#waiting.length - 1];
    this.#waiting.push(...fixes);
    if (last !== undefined && fixes.some((fix) => fix.timestamp < last.timestamp)) this.#waiting.sort((a, b) => a.timestamp - b.timestamp);
    if (this.#waiting.length > KEPT) {
      const half = this.#waiting.length / 2;
      this.#waiting = this.#waiting.filter((_, index) => index >= half || index % 2 === 0);
    }
    this.#count({});
  }

  #count(add: Partial<Tally>): void {
    this.#tally = {
      stored: this.#tally.stored + (add.stored ?? 0),
      coalesced: this.#tally.coalesced + (add.coalesced ?? 0),
      refused: this.#tally.refused + (add.refused ?? 0),
      waiting: this.#waiting.length,
    };
    this.#onTally(this.#tally);
  }
}
