/**
 * Writes that take effect once, in order, whatever the network does.
 *
 * Each write carries a `clientMessageId`. One that was not answered is sent again with the same id, and the hub gives its first answer again.
 * The hub knows an id for its recovery window only (two minutes), so a write whose outcome is not known is given up before that window
 * ends: then a person decides, and not a timer.
 */

import { asHubError, HubError } from "../errors.js";
import { randomId } from "../ids.js";
import { backoff, sleep, unlessAborted } from "../time.js";

export interface WriteOptions {
  /** The id of this write; one is made up if it is missing. Give it to repeat a write of before a reload. */
  clientMessageId?: string | undefined;
  /** From its first sending on, a write is repeated at most this long (100 s). More than the hub's recovery window is not safe. */
  deadlineMs?: number | undefined;
  /** Before its first sending a write waits at most this long for a connection (15 min). */
  waitMs?: number | undefined;
  /** One acknowledgement is waited for this long. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What the writer needs of a connection. */
export interface Door {
  whenConnected(withinMs: number, signal?: AbortSignal): Promise<void>;
  ask(event: string, payload: object, timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<object>;
}

export const REPEAT_MS = 100_000;
export const WAIT_MS = 15 * 60_000;
const FIRST_PAUSE_MS = 400;
const MAX_PAUSE_MS = 5000;

export class Writer {
  readonly #door: Door;
  readonly #most: number;
  /** The last write of each scope: writes of one incident or interview go one after another, those of two do not wait for each other. */
  readonly #tails = new Map<string, Promise<unknown>>();
  #waiting = 0;

  constructor(door: Door, most: number) {
    this.#door = door;
    this.#most = most;
  }

  /** Writes that have no answer yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Queues a write behind those before it. Rejects with a `HubError` when the hub refuses it or time is up. */
  write(event: string, payload: object, options: WriteOptions = {}): Promise<object> {
    if (this.#waiting >= this.#most) return Promise.reject(new HubError("QUEUE_FULL", undefined, { event }));
    this.#waiting += 1;
    const own = (payload as { clientMessageId?: string }).clientMessageId;
    const body = { ...payload, clientMessageId: options.clientMessageId ?? own ?? randomId() };
    const scope = scopeOf(payload);
    const before = this.#tails.get(scope) ?? Promise.resolve();
    const result = unlessAborted(before, options.signal).then(() => this.#deliver(event, body, options)).finally(() => {
      this.#waiting -= 1;
    });
    const tail = Promise.allSettled([before, result]).then(() => {
      if (this.#tails.get(scope) === tail) this.#tails.delete(scope);
    });
    this.#tails.set(scope, tail);
    return result;
  }

  async #deliver(event: string, body: object, { deadlineMs = REPEAT_MS, waitMs = WAIT_MS, timeoutMs, signal }: WriteOptions): Promise<object> {
    await this.#door.whenConnected(waitMs, signal);
    const end = Date.now() + deadlineMs;
    let uncertain = false;
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#door.whenConnected(end - Date.now(), signal);
        return await this.#door.ask(event, body, timeoutMs, signal);
      } catch (thrown) {
        if (signal?.aborted === true) throw thrown;
        const failure = asHubError(thrown);
        uncertain ||= failure.uncertain;
        const pause = backoff(attempt, FIRST_PAUSE_MS, MAX_PAUSE_MS);
        if (!failure.repeatable || Date.now() + pause >= end) {
          throw new HubError(failure.code, failure.message, { event, details: failure.details, uncertain, cause: failure });
        }
        await sleep(pause, signal);
      }
    }
  }
}

function scopeOf(payload: object): string {
  const { sosId, interviewId } = payload as { sosId?: unknown; interviewId?: unknown };
  return `${typeof sosId === "string" ? sosId : ""} ${typeof interviewId === "string" ? interviewId : ""}`;
}
