import { describe, expect, it } from "vitest";
import { HubError } from "../src/errors";
import { LocationSender, type Tally } from "../src/hub/locations";
import { REPEAT_MS, Writer, type Door } from "../src/hub/writer";
import { NOW } from "./fixtures";

type Answer = object | string;

/** A hub that gives these answers in turn (a text is a failure's code), then ok. */
function hub(...answers: Answer[]) {
  const sent: { event: string; payload: Record<string, unknown> }[] = [];
  const door: Door & { connected: boolean } = {
    connected: true,
    whenConnected: () => Promise.resolve(),
    request: async <T extends object>(event: string, payload: object) => {
      sent.push({ event, payload: payload as Record<string, unknown> });
      const answer = answers.shift() ?? {};
      if (typeof answer === "string") throw new HubError(answer);
      return { ok: true, ...answer } as T & { ok: true };
    },
  };
  return { door, sent };
}

function clock() {
  let time = NOW;
  return { now: () => time, sleep: (ms: number) => { time += ms; return Promise.resolve(); } };
}

describe("a write", () => {
  it("is repeated with the same id until it is answered", async () => {
    const { door, sent } = hub("NO_ANSWER", "NETWORK", "UNAVAILABLE", "UNCONFIRMED", { messageId: "1-0" });
    const answer = await new Writer(door, clock()).write<{ messageId: string }>("message:send", { text: "x" }, "c1");
    expect(answer.messageId).toBe("1-0");
    expect(sent.map(({ payload }) => payload["clientMessageId"])).toEqual(["c1", "c1", "c1", "c1", "c1"]);
  });

  it("is not repeated when the hub refuses it", async () => {
    const { door, sent } = hub("INVALID_TRANSITION");
    await expect(new Writer(door, clock()).write("sos:status:update", {})).rejects.toMatchObject({ code: "INVALID_TRANSITION" });
    expect(sent).toHaveLength(1);
  });

  it("is given up before the hub forgets its id", async () => {
    const time = clock();
    const { door } = hub(...Array.from({ length: 200 }, () => "NO_ANSWER"));
    await expect(new Writer(door, time).write("sos:ack", {})).rejects.toMatchObject({ code: "NO_ANSWER" });
    expect(time.now() - NOW).toBeLessThan(120_000);
    expect(time.now() - NOW).toBeGreaterThan(REPEAT_MS);
  });

  it("waits for the one before it, and a refusal does not hold up the next", async () => {
    const { door, sent } = hub("NO_ANSWER", "FORBIDDEN", {});
    const writer = new Writer(door, clock());
    const first = writer.write("a", {}).catch((error: HubError) => error.code);
    const second = writer.write("b", {});
    expect(await first).toBe("FORBIDDEN");
    await second;
    expect(sent.map(({ event }) => event)).toEqual(["a", "a", "b"]);
  });
});

describe("positions on their way", () => {
  function sender(door: Door & { connected: boolean }) {
    const seen: { tally: Tally | null; failures: string[] } = { tally: null, failures: [] };
    const locations = new LocationSender(door, { sosId: "s1", deviceId: "d" }, {
      tally: (tally) => { seen.tally = tally; }, failure: ({ code }) => seen.failures.push(code),
    });
    return { locations, seen };
  }
  const at = (ms: number) => ({ latitude: 1, longitude: 2, timestamp: NOW + ms });
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it("go out one by one, at most five a second", async () => {
    const { door, sent } = hub({}, { coalesced: true });
    const { locations, seen } = sender(door);
    expect([0, 100, 200, 399].map((ms) => locations.take(at(ms)))).toEqual([true, false, true, true]);
    await settled();
    expect(sent.map(({ event }) => event)).toEqual(["location:update", "location:update", "location:update"]);
    expect(seen.tally).toMatchObject({ stored: 3, coalesced: 1, waiting: 0 });
  });

  it("wait while offline and follow in order, 500 at a time", async () => {
    const { door, sent } = hub({ accepted: 500 }, { accepted: 99, duplicates: 1, rejected: [{ index: 3, code: "INVALID_LOCATION" }] });
    const { locations, seen } = sender(door);
    door.connected = false;
    for (let i = 0; i < 600; i += 1) locations.take(at(i * 1000));
    expect(seen.tally?.waiting).toBe(600);
    door.connected = true;
    await locations.flush();
    expect(sent.map(({ event, payload }) => [event, (payload["points"] as unknown[]).length])).toEqual([["location:batch", 500], ["location:batch", 100]]);
    expect(seen.tally).toMatchObject({ stored: 600, refused: 1, waiting: 0 });
  });

  it("that were not answered are kept for the batch", async () => {
    const { door, sent } = hub("NETWORK");
    const { locations, seen } = sender(door);
    locations.take(at(0));
    await settled();
    expect(seen.tally?.waiting).toBe(1);
    await locations.flush();
    expect(sent.map(({ event }) => event)).toEqual(["location:update", "location:batch"]);
    expect(seen.tally?.waiting).toBe(0);
  });

  it("survive a batch that fails on the way", async () => {
    const { door } = hub("NETWORK");
    const { locations, seen } = sender(door);
    door.connected = false;
    locations.take(at(0));
    locations.take(at(1000));
    door.connected = true;
    await locations.flush();
    expect(seen.tally?.waiting).toBe(2);
    await locations.flush();
    expect(seen.tally?.waiting).toBe(0);
  });

  it("that the hub refuses are told, not repeated", async () => {
    const { door, sent } = hub("SOS_CLOSED");
    const { locations, seen } = sender(door);
    locations.take(at(0));
    await settled();
    expect(seen.failures).toEqual(["SOS_CLOSED"]);
    expect(seen.tally).toMatchObject({ refused: 1, waiting: 0 });
    expect(sent).toHaveLength(1);
  });

  it("thin out after an hour offline instead of growing without end", () => {
    const { door } = hub();
    const { locations, seen } = sender(door);
    door.connected = false;
    for (let i = 0; i < 10_000; i += 1) locations.take(at(i * 1000));
    expect(seen.tally?.waiting).toBeLessThanOrEqual(3600);
  });
});
