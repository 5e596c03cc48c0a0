/**
 * Walkers for a demo without GPS: pure functions from one moment to the next.
 * A walker turns gently, like a person or a car does, and its fixes jitter a little, like a receiver's do.
 */

import { bearing, destination, distance, turn, type Point } from "./geo";

export interface Walker {
  at: Point;
  /** Degrees, north is 0. */
  heading: number;
  /** The speed of the last step in m/s. */
  speed: number;
  /** State of the random numbers: the same seed walks the same path. */
  seed: number;
}

/** A number for a text, so that each incident has its own place and path. */
export function seedOf(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}

/** The next random number in 0 ≤ x < 1 and the next seed (mulberry32). */
export function random(seed: number): [number, number] {
  const next = (seed + 0x6d2b79f5) >>> 0;
  let t = Math.imul(next ^ (next >>> 15), next | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return [((t ^ (t >>> 14)) >>> 0) / 4294967296, next];
}

/** A step of someone who walks about, kept within `leash` metres of `home`. */
export function wander(walker: Walker, home: Point, leash: number, speed: number, seconds: number): Walker {
  const [dice, seed] = random(walker.seed);
  const astray = distance(walker.at, home) > leash;
  const wanted = astray ? bearing(walker.at, home) : walker.heading + (dice - 0.5) * 70;
  return step(walker, wanted, speed, seconds, astray ? 60 : 40, seed);
}

/** A step towards `goal`; within `near` metres the walker stands still and looks at it. */
export function approach(walker: Walker, goal: Point, near: number, speed: number, seconds: number): Walker {
  const [dice, seed] = random(walker.seed);
  const left = distance(walker.at, goal);
  const wanted = bearing(walker.at, goal);
  if (left <= near) return { ...walker, heading: wanted, speed: 0, seed };
  // Streets are not straight lines: far away the way meanders, close by it is direct.
  const meander = Math.sin(left / 60) * Math.min(35, left / 15) + (dice - 0.5) * 8;
  return step(walker, wanted + meander, Math.min(speed, (left - near / 2) / seconds), seconds, 110, seed);
}

function step(walker: Walker, wanted: number, speed: number, seconds: number, maxTurnPerSecond: number, seed: number): Walker {
  const limit = maxTurnPerSecond * seconds;
  const turned = Math.max(-limit, Math.min(limit, turn(walker.heading, wanted)));
  const heading = (walker.heading + turned + 360) % 360;
  return { at: destination(walker.at, heading, speed * seconds), heading, speed, seed };
}
