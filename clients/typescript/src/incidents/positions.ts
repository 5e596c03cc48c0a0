/**
 * Positions on their way to an incident. With a connection the newest one goes out at once, as `location:update`. All others wait here: those of
 * a time without a connection, and those that were overtaken. They follow as `location:batch`, oldest first. The hub knows a position by its
 * user, device and fix time, so sending one twice does no harm.
 */

import { asHubError, UNCONFIRMED, type Code, type HubError } from "../errors.js";
import { randomId } from "../ids.js";
import { backoff, sleep } from "../time.js";

export interface Position {
  latitude: number;
  longitude: number;
  accuracy?: number | null | undefined;
  heading?: number | null | undefined;
  speed?: number | null | undefined;
  altitude?: number | null | undefined;
  address?: string | Record<string, string> | null | undefined;
  /** The fix time, milliseconds since 1970; now, if it is missing. */
  timestamp?: number | undefined;
}

/** A position as it waits. */
export type Waiting = Readonly<Position & { timestamp: number; deviceId: string }>;

export interface Tally {
  /** Positions that the hub has. */
  stored: number;
  /** Of these: folded into a later broadcast. */
  coalesced: number;
  waiting: number;
  /** Refused by the hub, or no position at all. */
  refused: number;
  /** Given up because more waited than is kept. */
  dropped: number;
}

export interface PositionOptions {
  /** The name of this device; fix times are compared within one device only. One is made up if it is missing: keep it over reloads. */
  deviceId?: string | undefined;
  /** So many positions wait at most (3600); beyond that the oldest is dropped. */
  limit?: number | undefined;
  /** A position that comes sooner after the one before it is not taken (200 ms). */
  minGapMs?: number | undefined;
  /** Positions of before: what `waiting` was when the page was left. */
  restore?: readonly Waiting[] | undefined;
  /** The time, if this machine's clock is known to be wrong. */
  now?: (() => number) | undefined;
  onChange?: ((tally: Tally) => void) | undefined;
  /** A position that will not be sent again, and why. */
  onRefused?: ((position: Waiting, code: Code) => void) | undefined;
  /** More waited than is kept. */
  onDropped?: ((oldest: Waiting) => void) | undefined;
}

interface Points {
  sosId: string;
  points: Waiting[];
}

/** What is needed of a connection. */
export interface PositionDoor {
  connected(): boolean;
  update(position: Waiting & { sosId: string }): Promise<{ coalesced?: boolean | null }>;
  batch(points: Points): Promise<{ accepted: number; duplicates: number; rejected: { index: number; code: string }[] }>;
  /** Calls when there is a connection; the function that comes back ends that. */
  onConnect(listener: () => void): () => void;
}

/** The hub takes no more points at once. */
export const MAX_POINTS = 500;
/** Far below the hub's limit of a message (1 MB). */
const MAX_BATCH_LENGTH = 200_000;
const MAX_POINT_LENGTH = 4000;
/** A single position that was not answered so often is not the network's fault. */
const MAX_TRIES = 20;
/** Refusals of a batch that a single position of it may be the reason of. */
const MAY_BE_ONE: ReadonlySet<Code> = new Set<Code>(["INVALID_PAYLOAD", "INVALID_LOCATION", "INTERNAL"]);
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;

export class Positions {
  readonly deviceId: string;
  readonly #sosId: string;
  readonly #door: PositionDoor;
  readonly #options: PositionOptions;
  /** In the order of their fix times. */
  #waiting: Waiting[];
  /** The newest, until it was sent as such. */
  #newest: Waiting | undefined;
  #batchSize = MAX_POINTS;
  #tries = 0;
  #running: Promise<void> | undefined;
  #closed = false;
  #lastTaken = -Infinity;
  #tally: Tally = { stored: 0, coalesced: 0, waiting: 0, refused: 0, dropped: 0 };
  readonly #unlisten: () => void;

  constructor(sosId: string, door: PositionDoor, options: PositionOptions = {}) {
    this.#sosId = sosId;
    this.#door = door;
    this.#options = options;
    this.deviceId = options.deviceId ?? `device-${randomId(12)}`;
    this.#waiting = [...(options.restore ?? [])].sort((a, b) => a.timestamp - b.timestamp).slice(-this.#limit);
    this.#newest = this.#waiting.at(-1);
    this.#unlisten = door.onConnect(() => this.#go());
    this.#count({});
    this.#go();
  }

  /** What has not reached the hub, oldest first. */
  get waiting(): readonly Waiting[] {
    return [...this.#waiting];
  }

  get tally(): Tally {
    return this.#tally;
  }

  /** Takes a position. False: it came too soon after the one before it, it is none, or this is closed. */
  push(position: Position): boolean {
    if (this.#closed) return false;
    const { now = Date.now, minGapMs = 200 } = this.#options;
    const taken = normal(position, this.deviceId, Math.round(position.timestamp ?? now()));
    if (!isPosition(taken)) {
      this.#refuse([taken], "INVALID_LOCATION");
      return false;
    }
    const gap = taken.timestamp - this.#lastTaken;
    // A clock that was set back is no reason to wait until it is there again.
    if (gap >= 0 && gap < minGapMs) return false;
    this.#lastTaken = taken.timestamp;
    const last = this.#waiting.at(-1);
    this.#waiting.push(taken);
    if (last === undefined || last.timestamp <= taken.timestamp) this.#newest = taken;
    else this.#waiting.sort((a, b) => a.timestamp - b.timestamp);
    let dropped = 0;
    for (; this.#waiting.length > this.#limit; dropped += 1) {
      const oldest = this.#waiting.shift();
      if (oldest !== undefined) this.#options.onDropped?.(oldest);
    }
    this.#count({ dropped });
    this.#go();
    return true;
  }

  /** Resolves when nothing is under way: all has arrived, or there is no connection. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Takes and sends nothing more. `waiting` still tells what did not reach the hub. */
  close(): void {
    this.#closed = true;
    this.#unlisten();
  }

  get #limit(): number {
    return Math.max(1, this.#options.limit ?? 3600);
  }

  #go(): void {
    if (this.#closed || this.#running !== undefined || this.#waiting.length === 0 || !this.#door.connected()) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // One that came while the last answer was on its way.
      this.#go();
    });
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#closed && this.#door.connected(); ) {
      if (this.#waiting.length === 0) return;
      const newest = this.#newest;
      this.#newest = undefined;
      try {
        // The marker on everybody's map comes first, then the way to it.
        if (newest !== undefined && this.#waiting.includes(newest)) await this.#sendNewest(newest);
        else await this.#sendBatch();
        failures = 0;
      } catch (thrown) {
        // The next connection goes on.
        if (asHubError(thrown).code === "NETWORK") return;
        await sleep(backoff(failures, FIRST_PAUSE_MS, MAX_PAUSE_MS));
        failures += 1;
      }
    }
  }

  async #sendNewest(newest: Waiting): Promise<void> {
    try {
      const { coalesced } = await this.#door.update({ ...newest, sosId: this.#sosId });
      this.#tries = 0;
      this.#forget([newest], { stored: 1, coalesced: coalesced === true ? 1 : 0 });
    } catch (thrown) {
      const failure = asHubError(thrown);
      if (isUnanswered(failure)) this.#tries += 1;
      if (!failure.repeatable || this.#tries > MAX_TRIES) return this.#refuse([newest], failure.code);
      // With the next connection it comes first again; with this one it waits with the others.
      if (failure.code === "NETWORK") this.#newest ??= newest;
      throw thrown;
    }
  }

  async #sendBatch(): Promise<void> {
    const points = this.#chunk();
    try {
      const { accepted, duplicates, rejected } = await this.#door.batch({ sosId: this.#sosId, points });
      this.#tries = 0;
      this.#batchSize = Math.min(MAX_POINTS, this.#batchSize * 2);
      for (const { index, code } of rejected) {
        const point = points[index];
        if (point !== undefined) this.#refuse([point], code);
      }
      this.#forget(points, { stored: accepted + duplicates });
    } catch (thrown) {
      const failure = asHubError(thrown);
      if (points.length > 1 && (isUnanswered(failure) || MAY_BE_ONE.has(failure.code))) {
        // One of them may be the reason: find out which.
        this.#batchSize = Math.ceil(points.length / 2);
        if (failure.repeatable) throw thrown;
        return;
      }
      if (isUnanswered(failure)) this.#tries += 1;
      if (failure.repeatable && this.#tries <= MAX_TRIES) throw thrown;
      this.#refuse(points, failure.code);
    }
  }

  /** The oldest ones, as many as fit into one message. */
  #chunk(): Waiting[] {
    const points: Waiting[] = [];
    let length = 0;
    for (const point of this.#waiting) {
      length += JSON.stringify(point).length;
      if (points.length >= this.#batchSize || (points.length > 0 && length > MAX_BATCH_LENGTH)) break;
      points.push(point);
    }
    return points;
  }

  #refuse(points: readonly Waiting[], code: Code): void {
    this.#tries = 0;
    this.#forget(points, { refused: points.length });
    for (const point of points) this.#options.onRefused?.(point, code);
  }

  #forget(points: readonly Waiting[], add: Partial<Tally>): void {
    const gone = new Set(points);
    this.#waiting = this.#waiting.filter((point) => !gone.has(point));
    this.#count(add);
  }

  #count(add: Partial<Tally>): void {
    const { stored, coalesced, refused, dropped } = this.#tally;
    this.#tally = {
      stored: stored + (add.stored ?? 0),
      coalesced: coalesced + (add.coalesced ?? 0),
      refused: refused + (add.refused ?? 0),
      dropped: dropped + (add.dropped ?? 0),
      waiting: this.#waiting.length,
    };
    this.#options.onChange?.(this.#tally);
  }
}

/** No answer came. `UNCONFIRMED` is an answer: the positions are well, and come again. */
function isUnanswered(failure: HubError): boolean {
  return failure.uncertain && failure.code !== UNCONFIRMED;
}

/** Only what the hub knows, so that no field of an object that a browser gave comes along. */
function normal(position: Position, deviceId: string, timestamp: number): Waiting {
  const { latitude, longitude, accuracy, heading, speed, altitude, address } = position;
  const optional = Object.entries({ accuracy, heading, speed, altitude }).filter(([, value]) => typeof value === "number" && Number.isFinite(value));
  return { latitude, longitude, ...Object.fromEntries(optional), ...(address == null ? {} : { address }), timestamp, deviceId };
}

function isPosition(position: Waiting): boolean {
  const { latitude, longitude, timestamp } = position;
  return [latitude, longitude, timestamp].every((value) => typeof value === "number" && Number.isFinite(value))
    && Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 && JSON.stringify(position).length <= MAX_POINT_LENGTH;
}
