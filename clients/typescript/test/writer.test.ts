import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HubError } from "../src/index.js";
import { REPEAT_MS, Writer, type Door, type WriteOptions } from "../src/socket/writer.js";

interface Sent {
  event: string;
  payload: Record<string, unknown>;
}

/** A hub that gives these answers in turn (a text is a failure's code), then ok. */
function hub(...answers: (object | string)[]): { door: Door; sent: Sent[] } {
  const sent: Sent[] = [];
  const door: Door = {
    whenConnected: () => Promise.resolve(),
    ask: (event, payload) => {
      sent.push({ event, payload: payload as Record<string, unknown> });
      const answer = answers.shift() ?? {};
      if (typeof answer !== "string") return Promise.resolve({ ok: true, ...answer });
      return Promise.reject(new HubError(answer, undefined, { uncertain: ["NO_ANSWER", "NETWORK"].includes(answer) }));
    },
  };
  return { door, sent };
}
const write = (door: Door, event = "sos:ack", options?: WriteOptions, payload = {}): Promise<object> => new Writer(door, 10).write(event, payload, options);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a write", () => {
  it("is repeated with the same id until it is answered", async () => {
    const { door, sent } = hub("NO_ANSWER", "NETWORK", "UNAVAILABLE", "UNCONFIRMED", "RATE_LIMITED", { messageId: "1-0" });
    const answer = write(door, "message:send", {}, { text: "x", clientMessageId: "c1" });
    await vi.runAllTimersAsync();
    expect(await answer).toMatchObject({ messageId: "1-0" });
    expect(sent.map(({ payload }) => payload["clientMessageId"])).toEqual(Array.from({ length: 6 }, () => "c1"));
  });

  it("is not repeated when the hub refuses it", async () => {
    const { door, sent } = hub("INVALID_TRANSITION");
    await expect(write(door)).rejects.toMatchObject({ code: "INVALID_TRANSITION", uncertain: false });
    expect(sent).toHaveLength(1);
  });

  it("is given up before the hub forgets its id, and says whether it may have taken effect", async () => {
    for (const [code, uncertain] of [["NO_ANSWER", true], ["UNAVAILABLE", false]] as const) {
      const began = Date.now();
      const { door, sent } = hub(...Array.from({ length: 200 }, () => code));
      const failed = write(door).catch((error: HubError) => error);
      await vi.runAllTimersAsync();
      expect(await failed).toMatchObject({ code, uncertain, event: "sos:ack" });
      expect(Date.now() - began).toBeLessThanOrEqual(REPEAT_MS);
      expect(Date.now() - began).toBeGreaterThan(REPEAT_MS - 8000);
      expect(sent.length).toBeLessThan(40);
    }
  });

  it("that may have taken effect says so also when another failure was the last", async () => {
    const { door } = hub("NO_ANSWER", "FORBIDDEN");
    const failed = write(door).catch((error: HubError) => error);
    await vi.runAllTimersAsync();
    expect(await failed).toMatchObject({ code: "FORBIDDEN", uncertain: true });
  });

  it("waits for those before it about the same incident, and for no other's; a refusal does not hold up the next", async () => {
    const { door, sent } = hub("NO_ANSWER", {}, "FORBIDDEN");
    const writer = new Writer(door, 10);
    const first = writer.write("a", { sosId: "s" }).catch((error: HubError) => error.code);
    const second = writer.write("b", { sosId: "s" });
    const other = writer.write("c", { sosId: "t" });
    await vi.runAllTimersAsync();
    expect([await first, await second, await other]).toEqual(["FORBIDDEN", { ok: true }, { ok: true }]);
    expect(sent.map(({ event }) => event)).toEqual(["a", "c", "a", "b"]);
    expect(writer.waiting).toBe(0);
  });

  it("of which too many wait is refused here", async () => {
    const writer = new Writer({ whenConnected: () => new Promise(() => undefined), ask: () => Promise.resolve({}) }, 2);
    void writer.write("a", {});
    void writer.write("b", {});
    await expect(writer.write("c", {})).rejects.toMatchObject({ code: "QUEUE_FULL" });
  });

  it("ends with its signal, while it waits behind another too", async () => {
    const { door, sent } = hub("NO_ANSWER", "NO_ANSWER", "NO_ANSWER");
    const writer = new Writer(door, 10);
    const controllers = [new AbortController(), new AbortController()] as const;
    const outcomes = controllers.map(({ signal }) => writer.write("a", {}, { signal }).catch((error: Error) => error.message));
    controllers[1].abort(new Error("second"));
    expect(await outcomes[1]).toBe("second");
    controllers[0].abort(new Error("first"));
    expect(await outcomes[0]).toBe("first");
    await vi.runAllTimersAsync();
    expect(sent.length).toBeLessThan(2);
  });
});
