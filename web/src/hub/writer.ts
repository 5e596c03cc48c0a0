/**
 * Writes that arrive once, in order, whatever the network does.
 *
 * Each write carries a `clientMessageId`; one that was not answered is sent again with the same id, and the hub gives
 * its first answer again. The hub remembers an id for its recovery window only, so a write whose outcome is unknown
 * is given up before that window ends: a person decides then, not a timer.
 */

import { HubError, isRetryable, toFailure } from "../errors";
import { randomId } from "../format";

/** What the writer needs of a connection. */
export interface Door {
  request<T extends object>(event: string, payload: object): Promise<T & { ok: true }>;
  whenConnected(): Promise<void>;
}

export interface WriterClock {
  now(): number;
  sleep(ms: number): Promise<void>;
}

const REAL_CLOCK: WriterClock = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** After its first sending a write is repeated at most this long; the hub's window is 120 s. */
export const REPEAT_MS = 100_000;
const BACKOFF_MS = [400, 800, 1600, 3200, 5000];

export class Writer {
  readonly #door: Door;
  readonly #clock: WriterClock;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(door: Door, clock: WriterClock = REAL_CLOCK) {
    this.#door = door;
    this.#clock = clock;
  }

  /** Queues a write behind the ones before it. Rejects with a HubError when the hub refuses it or time is up. */
  write<T extends object>(event: string, payload: object, clientMessageId = randomId(16)): Promise<T & { ok: true }> {
    const result = this.#tail.then(() => this.#deliver<T>(event, { ...payload, clientMessageId }));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #deliver<T extends object>(event: string, payload: object): Promise<T & { ok: true }> {
    let firstSent: number | null = null;
    for (let attempt = 0; ; attempt += 1) {
      // Before its first sending a write may wait as long as it takes: nothing is unknown about it yet.
      await this.#door.whenConnected();
      if (firstSent !== null && this.#clock.now() - firstSent > REPEAT_MS) throw new HubError("NO_ANSWER");
      firstSent ??= this.#clock.now();
      try {
        return await this.#door.request<T>(event, payload);
      } catch (thrown) {
        const { code } = toFailure(thrown);
        if (code !== "NO_ANSWER" && code !== "NETWORK" && !isRetryable(code)) throw thrown;
        await this.#clock.sleep(BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] ?? 5000);
      }
    }
  }
}
