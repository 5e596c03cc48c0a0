import { describe, expect, it } from "vitest";
import { bearing, compass, destination, distance, formatDistance, formatPoint, niceStep, turn } from "../src/geo/geo";
import { approach, seedOf, wander, type Walker } from "../src/geo/walker";

const manila = { latitude: 14.5995, longitude: 120.9842 };

describe("on the sphere", () => {
  it.each([0, 45, 90, 200, 359])("a way of 1 km towards %s° leads there and is 1 km long", (direction) => {
    const there = destination(manila, direction, 1000);
    expect(distance(manila, there)).toBeCloseTo(1000, 3);
    expect(turn(bearing(manila, there), direction)).toBeCloseTo(0, 3);
  });

  it("crosses the date line", () => {
    const there = destination({ latitude: 0, longitude: 179.999 }, 90, 1000);
    expect(there.longitude).toBeLessThan(-179.99);
    expect(distance({ latitude: 0, longitude: 179.999 }, there)).toBeCloseTo(1000, 3);
  });

  it("turns the short way", () => {
    expect([turn(350, 10), turn(10, 350), turn(0, 180)]).toEqual([20, -20, 180]);
  });

  it("names the points of the compass", () => {
    expect([0, 22, 23, 180, 315, 359].map(compass)).toEqual(["N", "N", "NE", "S", "NW", "N"]);
  });
});

describe("in words", () => {
  it.each([[0, "0 m"], [7.6, "8 m"], [432, "430 m"], [997, "1.0 km"], [1234, "1.2 km"], [27_400, "27 km"]])("%s metres are %s", (metres, words) => {
    expect(formatDistance(metres)).toBe(words);
  });

  it("coordinates carry their hemisphere", () => {
    expect(formatPoint({ latitude: -1.5, longitude: 0 })).toBe("1.50000° S, 0.00000° E");
  });

  it.each([[0.7, 1], [1, 1], [1.1, 2], [3, 5], [6, 10], [140, 200]])("a grid of at least %s has steps of %s", (least, step) => {
    expect(niceStep(least)).toBe(step);
  });
});

describe("a simulated walk", () => {
  const start: Walker = { at: manila, heading: 0, speed: 0, seed: seedOf("s1") };

  it("is the same for the same seed", () => {
    const walk = () => Array.from({ length: 50 }).reduce<Walker>((walker) => wander(walker, manila, 100, 1.4, 0.25), start);
    expect(walk()).toEqual(walk());
  });

  it("stays near home", () => {
    let walker = start;
    for (let i = 0; i < 4000; i += 1) {
      walker = wander(walker, manila, 100, 1.4, 0.25);
      expect(distance(walker.at, manila)).toBeLessThan(115);
    }
  });

  it.each([1.4, 6, 14, 30])("at %s m/s reaches its goal and stops there", (speed) => {
    const goal = destination(manila, 30, 700);
    let walker = start;
    for (let i = 0; i < (700 / speed) * 4 * 1.6 + 60; i += 1) walker = approach(walker, goal, 9, speed, 0.25);
    expect(distance(walker.at, goal)).toBeLessThanOrEqual(9);
    expect(walker.speed).toBe(0);
  });
});
