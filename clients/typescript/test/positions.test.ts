import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HubError } from "../src/index.js";
import { Positions, type PositionDoor, type PositionOptions, type Tally, type Waiting } from "../src/incidents/index.js";

const NOW = 1_800_000_000_000;
type Answer = object | string;
const UNCERTAIN = ["NO_ANSWER", "NETWORK", "UNCONFIRMED"];

/** A hub that judges each message, in turn or by what is in it. */
function hub(judge: (points: readonly Waiting[], event: string) => Answer = () => ({})) {
  const sent: { event: string; points: number[] }[] = [];
  let listener = (): void => undefined;
  const answer = async (event: string, points: readonly Waiting[]): Promise<object> => {
    sent.push({ event, points: points.map(({ timestamp }) => timestamp - NOW) });
    await Promise.resolve();
    const judged = judge(points, event);
    if (typeof judged === "string") throw new HubError(judged, undefined, { uncertain: UNCERTAIN.includes(judged) });
    return { ok: true, ...(event === "batch" ? { accepted: points.length, duplicates: 0, rejected: [] } : {}), ...judged };
  };
  const state = { connected: true };
  const door: PositionDoor = {
    connected: () => state.connected,
    update: (position) => answer("update", [position]) as ReturnType<PositionDoor["update"]>,
    batch: ({ points }) => answer("batch", points) as ReturnType<PositionDoor["batch"]>,
    onConnect: (told) => {
      listener = told;
      return () => { listener = (): void => undefined; };
    },
  };
  return { door, sent, offline: () => { state.connected = false; }, online: () => { state.connected = true; listener(); } };
}

function queue(door: PositionDoor, options: PositionOptions = {}) {
  const seen = { refused: [] as [number, string][], dropped: [] as number[], tallies: [] as Tally[] };
  const positions = new Positions("s", door, {
    deviceId: "d",
    onRefused: ({ timestamp }, code) => seen.refused.push([timestamp - NOW, code]),
    onDropped: ({ timestamp }) => seen.dropped.push(timestamp - NOW),
    onChange: (tally) => seen.tallies.push(tally),
    ...options,
  });
  return { positions, seen };
}
const at = (ms: number, more: object = {}) => ({ latitude: 1, longitude: 2, timestamp: NOW + ms, ...more });
const seconds = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => (from + index) * 1000);

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => void vi.useRealTimers());

describe("positions", () => {
  it("go out one by one as they come, at most five a second", async () => {
    const { door, sent } = hub();
    const { positions } = queue(door);
    expect(positions.push(at(0))).toBe(true);
    await positions.settled();
    expect(positions.push(at(100))).toBe(false);
    expect(positions.push(at(200))).toBe(true);
    await positions.settled();
    expect(sent).toEqual([{ event: "update", points: [0] }, { event: "update", points: [200] }]);
    expect(positions.tally).toEqual({ stored: 2, coalesced: 0, waiting: 0, refused: 0, dropped: 0 });
  });

  it("of a time without a connection follow in order, the newest first of all, 500 at a time", async () => {
    const { door, sent, offline, online } = hub();
    const { positions } = queue(door);
    offline();
    for (const ms of seconds(0, 1201)) positions.push(at(ms));
    expect(positions.tally.waiting).toBe(1201);
    online();
    await positions.settled();
    expect(sent.map(({ event, points }) => [event, points.length, points[0]])).toEqual([["update", 1, 1_200_000], ["batch", 500, 0], ["batch", 500, 500_000], ["batch", 200, 1_000_000]]);
    expect(positions.tally).toMatchObject({ stored: 1201, waiting: 0 });
  });

  it("that are overtaken while an answer is on its way go as a batch, and only the newest as an update", async () => {
    const { door, sent } = hub();
    const { positions } = queue(door);
    for (const ms of [0, 1000, 2000, 3000]) positions.push(at(ms));
    await positions.settled();
    expect(sent).toEqual([{ event: "update", points: [0] }, { event: "update", points: [3000] }, { event: "batch", points: [1000, 2000] }]);
  });

  it("of which too many wait lose the oldest, and say so", () => {
    const { door, offline } = hub();
    offline();
    const { positions, seen } = queue(door, { limit: 3 });
    for (const ms of seconds(0, 5)) positions.push(at(ms));
    expect(positions.waiting.map(({ timestamp }) => timestamp - NOW)).toEqual([2000, 3000, 4000]);
    expect(seen.dropped).toEqual([0, 1000]);
    expect(positions.tally).toMatchObject({ waiting: 3, dropped: 2 });
  });

  it("are kept over connections that break, and follow with the next one", async () => {
    let broken = 2;
    const { door, sent, offline, online } = hub(() => {
      if ((broken -= 1) < 0) return {};
      offline();
      return "NETWORK";
    });
    const { positions } = queue(door);
    positions.push(at(0));
    await positions.settled();
    online();
    await positions.settled();
    expect(positions.tally.waiting).toBe(1);
    online();
    await positions.settled();
    expect(sent.map(({ event }) => event)).toEqual(["update", "update", "update"]);
    expect(positions.tally).toMatchObject({ stored: 1, waiting: 0 });
  });

  it("wait while the hub cannot take them, and then follow as a batch", async () => {
    let away = 3;
    const { door, sent } = hub(() => ((away -= 1) >= 0 ? "UNAVAILABLE" : {}));
    const { positions } = queue(door);
    positions.push(at(0));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent.map(({ event }) => event)).toEqual(["update", "batch", "batch", "batch"]);
    expect(positions.tally.stored).toBe(1);
  });

  it("that the hub rejects are dropped one by one", async () => {
    const { door, offline, online } = hub((_, event) => (event === "batch" ? { accepted: 2, duplicates: 0, rejected: [{ index: 1, code: "INVALID_LOCATION" }] } : {}));
    offline();
    const { positions, seen } = queue(door);
    for (const ms of seconds(0, 4)) positions.push(at(ms));
    online();
    await positions.settled();
    expect(seen.refused).toEqual([[1000, "INVALID_LOCATION"]]);
    expect(positions.tally).toEqual({ stored: 3, coalesced: 0, waiting: 0, refused: 1, dropped: 0 });
  });

  it("that the hub refuses altogether are told, and not sent again", async () => {
    const { door, sent, offline, online } = hub(() => "SOS_CLOSED");
    offline();
    const { positions, seen } = queue(door);
    for (const ms of seconds(0, 3)) positions.push(at(ms));
    online();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(seen.refused.map(([, code]) => code)).toEqual(["SOS_CLOSED", "SOS_CLOSED", "SOS_CLOSED"]);
    expect(sent).toHaveLength(2);
  });

  it("beside one that spoils its batch are told apart from it", async () => {
    const poison = NOW + 37_000;
    const { door, sent, offline, online } = hub((points) => (points.some(({ timestamp }) => timestamp === poison) ? "INVALID_PAYLOAD" : {}));
    offline();
    const { positions, seen } = queue(door);
    for (const ms of seconds(0, 100)) positions.push(at(ms));
    online();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(seen.refused).toEqual([[37_000, "INVALID_PAYLOAD"]]);
    expect(positions.tally).toMatchObject({ stored: 99, waiting: 0 });
    expect(sent.length).toBeLessThan(30);
  });

  it("behind one that is never answered are not held up for ever", async () => {
    const poison = NOW + 1000;
    const { door, sent, offline, online } = hub((points) => (points.some(({ timestamp }) => timestamp === poison) ? "NO_ANSWER" : {}));
    offline();
    const { positions, seen } = queue(door);
    for (const ms of seconds(0, 3)) positions.push(at(ms));
    online();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(seen.refused).toEqual([[1000, "NO_ANSWER"]]);
    expect(positions.tally).toMatchObject({ stored: 2, waiting: 0 });
    expect(sent.length).toBeLessThan(40);
  });

  it("that the hub cannot confirm for long are sent again, in one piece, until it can", async () => {
    let unconfirmed = 60;
    const { door, sent } = hub(() => ((unconfirmed -= 1) >= 0 ? "UNCONFIRMED" : {}));
    const { positions, seen } = queue(door);
    for (const ms of [0, 1000, 2000]) positions.push(at(ms));
    await vi.runAllTimersAsync();
    expect(positions.tally).toMatchObject({ stored: 3, waiting: 0, refused: 0 });
    expect(seen.refused).toEqual([]);
    expect(sent.at(-1)).toEqual({ event: "batch", points: [0, 1000, 2000] });
  });

  it("that are none are not sent", () => {
    const { door, sent } = hub();
    const { positions, seen } = queue(door);
    for (const [ms, wrong] of [{ latitude: NaN }, { latitude: 91 }, { longitude: Infinity }, { latitude: "1" as unknown as number }, { address: "x".repeat(5000) }].entries()) {
      expect(positions.push(at(ms * 1000, wrong))).toBe(false);
    }
    expect(seen.refused).toHaveLength(5);
    expect(sent).toEqual([]);
  });

  it("carry what the hub knows, and nothing else that a browser gives", async () => {
    const bodies: unknown[] = [];
    const { door } = hub((points) => {
      bodies.push(points[0]);
      return {};
    });
    const { positions } = queue(door);
    positions.push({ ...at(0), accuracy: 5, heading: null, speed: NaN, altitudeAccuracy: 3 } as never);
    await positions.settled();
    expect(bodies).toEqual([{ latitude: 1, longitude: 2, accuracy: 5, timestamp: NOW, deviceId: "d", sosId: "s" }]);
  });

  it("of one message stay far below what the hub takes at once", async () => {
    const { door, sent, offline, online } = hub();
    offline();
    const { positions } = queue(door);
    for (const ms of seconds(0, 200)) positions.push(at(ms, { address: "x".repeat(3000) }));
    online();
    await positions.settled();
    expect(Math.max(...sent.map(({ points }) => points.length))).toBeLessThan(70);
    expect(positions.tally.stored).toBe(200);
  });

  it("of before a reload are sent too", async () => {
    const { door, sent } = hub();
    const { positions } = queue(door, { restore: [{ ...at(1000), deviceId: "d" }, { ...at(0), deviceId: "d" }] });
    await positions.settled();
    expect(sent).toEqual([{ event: "update", points: [1000] }, { event: "batch", points: [0] }]);
  });

  it("are taken also after a clock was set back", async () => {
    const { door } = hub();
    const { positions } = queue(door);
    positions.push(at(3_600_000));
    expect(positions.push(at(0))).toBe(true);
    await positions.settled();
    expect(positions.tally.stored).toBe(2);
  });

  it("are neither taken nor sent once it is closed, and those that wait are told still", async () => {
    const { door, sent, offline, online } = hub();
    offline();
    const { positions } = queue(door);
    positions.push(at(0));
    positions.close();
    expect(positions.push(at(1000))).toBe(false);
    online();
    await vi.advanceTimersByTimeAsync(1000);
    expect(sent).toEqual([]);
    expect(positions.waiting).toHaveLength(1);
  });
});
