/**
 * What the hub must be asked again after each connection that was not recovered: to be let into a room, to watch, to observe.
 * After a recovery the hub still knows of it, and has sent what was missed.
 */

import { asHubError, HubError } from "../errors.js";
import { backoff, sleep } from "../time.js";

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;

interface Standing {
  ask: () => Promise<unknown>;
  /** The hub has answered on this session. */
  stands: boolean;
  running: boolean;
  first: { resolve: (answer: unknown) => void; reject: (failure: unknown) => void } | undefined;
}

export interface StandingDoor {
  readonly connected: boolean;
  /** A standing request was refused, and is not repeated any more. */
  failed(key: string, failure: HubError): void;
}

export class StandingRequests {
  readonly #door: StandingDoor;
  readonly #all = new Map<string, Standing>();

  constructor(door: StandingDoor) {
    this.#door = door;
  }

  /** Asks as soon as there is a connection, and again on each new session. Resolves with the first answer. */
  keep<T>(key: string, ask: () => Promise<T>): Promise<T> {
    this.drop(key);
    return new Promise<T>((resolve, reject) => {
      this.#all.set(key, { ask, stands: false, running: false, first: { resolve: resolve as (answer: unknown) => void, reject } });
      if (this.#door.connected) void this.#run(key);
    });
  }

  /** It is not asked again. Who waits for its first answer is told. */
  drop(key: string): boolean {
    const one = this.#all.get(key);
    this.#all.delete(key);
    one?.first?.reject(new HubError("CLOSED", `${key} was taken back`));
    return one !== undefined;
  }

  dropAll(): void {
    for (const key of [...this.#all.keys()]) this.drop(key);
  }

  /** The hub does not want this client: those who wait for a first answer are told, and nothing is kept of it. What stood before stays. */
  refused(failure: HubError): void {
    for (const [key, one] of [...this.#all]) if (one.first !== undefined) this.#refused(key, one, failure);
  }

  /** There is a connection; `recovered`: the hub knows this session still. */
  connected(recovered: boolean): void {
    for (const [key, one] of this.#all) {
      if (!recovered) one.stands = false;
      if (!one.stands) void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    const one = this.#all.get(key);
    if (one === undefined || one.running) return;
    one.running = true;
    try {
      for (let attempt = 0; this.#all.get(key) === one && this.#door.connected && !one.stands; attempt += 1) {
        try {
          // A session may be lost while it is asked; `connected` says so by taking this back.
          one.stands = true;
          const answer = await one.ask();
          one.first?.resolve(answer);
          one.first = undefined;
        } catch (thrown) {
          one.stands = false;
          const failure = asHubError(thrown);
          if (!failure.repeatable) return this.#refused(key, one, failure);
          await sleep(backoff(attempt, FIRST_PAUSE_MS, MAX_PAUSE_MS));
        }
      }
    } finally {
      one.running = false;
    }
  }

  #refused(key: string, one: Standing, failure: HubError): void {
    if (this.#all.get(key) !== one) return;
    this.#all.delete(key);
    // Who waits for the first answer hears of it there.
    if (one.first !== undefined) one.first.reject(failure);
    else this.#door.failed(key, failure);
  }
}
