/** Where a participant's own position comes from: the device, or a simulated walk for a demo without GPS. */

import type { HubFailure } from "../errors";
import type { Position } from "@convoke/client";
import { bearing, destination, type Point } from "./geo";
import { approach, random, seedOf, wander, type Walker } from "./walker";

export type Source = "simulator" | "device";

export interface SharingState {
  source: Source;
  running: boolean;
  /** Simulated speed in m/s. */
  speed: number;
}

export interface Surroundings {
  /** Names the place and path of a simulated walk. */
  seed: string;
  /** The own last known position, if any. */
  own: () => Point | null;
  /** Whom a simulated rescuer walks to. */
  goal: () => Point | null;
  rescuer: boolean;
}

const TICK_MS = 250;
/** A rescuer starts this far away, in metres, and stops this close. */
const START_AWAY = 720;
const NEAR = 9;
/** A simulated citizen stays within this many metres of where the call began. */
const LEASH = 120;
const CITY: Point = { latitude: 14.5995, longitude: 120.9842 };

/** Where the simulated story of an incident takes place. */
export function homeOf(seed: string): Point {
  const [direction, next] = random(seedOf(seed));
  const [reach] = random(next);
  return destination(CITY, direction * 360, 300 + reach * 2200);
}

export class Sharing {
  state: SharingState;
  readonly #around: Surroundings;
  readonly #emit: (fix: Position) => void;
  readonly #onChange: (state: SharingState) => void;
  readonly #onFailure: (failure: HubFailure) => void;
  #walker: Walker | null = null;
  #home: Point | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #watch: number | null = null;
  #last = 0;

  constructor(
    around: Surroundings,
    on: { fix: (fix: Position) => void; change: (state: SharingState) => void; failure: (failure: HubFailure) => void },
  ) {
    this.#around = around;
    this.#emit = on.fix;
    this.#onChange = on.change;
    this.#onFailure = on.failure;
    this.state = { source: "simulator", running: false, speed: around.rescuer ? 14 : 1.4 };
  }

  start(): void {
    if (this.state.running) return;
    this.#set({ running: true });
    if (this.state.source === "simulator") this.#walk();
    else this.#locate();
  }

  stop(): void {
    clearInterval(this.#timer);
    if (this.#watch !== null) navigator.geolocation.clearWatch(this.#watch);
    this.#watch = null;
    if (this.state.running) this.#set({ running: false });
  }

  /** Turns to another source; sharing goes on if it was on. */
  use(source: Source): void {
    if (source === this.state.source) return;
    const { running } = this.state;
    this.stop();
    this.#set({ source });
    if (running) this.start();
  }

  pace(speed: number): void {
    this.#set({ speed });
  }

  #set(change: Partial<SharingState>): void {
    this.state = { ...this.state, ...change };
    this.#onChange(this.state);
  }

  #walk(): void {
    const { seed, own, goal, rescuer } = this.#around;
    const start = own() ?? this.#walker?.at ?? (rescuer ? this.#startOfRescuer(goal() ?? homeOf(seed)) : homeOf(seed));
    this.#home ??= start;
    const [heading, next] = random(seedOf(`${seed}${rescuer ? " rescuer" : ""}`));
    const target = goal();
    this.#walker = { at: start, heading: rescuer && target ? bearing(start, target) : heading * 360, speed: 0, seed: next };
    this.#last = performance.now();
    this.#step();
    this.#timer = setInterval(() => this.#step(), TICK_MS);
  }

  #startOfRescuer(around: Point): Point {
    const [direction] = random(seedOf(`${this.#around.seed} away`));
    return destination(around, direction * 360, START_AWAY);
  }

  #step(): void {
    if (this.#walker === null) return;
    const now = performance.now();
    // A background tab ticks once a second or less: one long step then, but not a leap.
    const seconds = Math.min(2, (now - this.#last) / 1000);
    this.#last = now;
    const goal = this.#around.rescuer ? this.#around.goal() : null;
    this.#walker = goal !== null
      ? approach(this.#walker, goal, NEAR, this.state.speed, seconds)
      : wander(this.#walker, this.#home ?? this.#walker.at, LEASH, this.state.speed, seconds);
    const { at, heading, speed, seed } = this.#walker;
    const [dice] = random(seed);
    this.#emit({
      latitude: at.latitude, longitude: at.longitude,
      accuracy: Math.round(6 + 12 * Math.abs(Math.sin(now / 9000)) + dice * 3),
      heading: Math.round(heading), speed: Math.round(speed * 10) / 10, timestamp: Date.now(),
    });
  }

  #locate(): void {
    if (!("geolocation" in navigator)) return this.#deny("GEOLOCATION_UNAVAILABLE");
    this.#watch = navigator.geolocation.watchPosition(
      ({ coords, timestamp }) => {
        const given = { accuracy: coords.accuracy, altitude: coords.altitude, heading: coords.heading, speed: coords.speed };
        const known = Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === "number" && Number.isFinite(value)));
        this.#emit({ latitude: coords.latitude, longitude: coords.longitude, ...known, timestamp });
      },
      (error) => {
        if (error.code === error.PERMISSION_DENIED) this.#deny("GEOLOCATION_DENIED");
        else this.#onFailure({ code: "GEOLOCATION_UNAVAILABLE" });
      },
      { enableHighAccuracy: true, maximumAge: 1000, timeout: 20_000 },
    );
  }

  #deny(code: string): void {
    this.stop();
    this.#onFailure({ code });
  }
}
