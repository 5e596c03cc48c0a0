import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { toFailure } from "../src/errors";
import { SessionApi } from "../src/interview/api";
import { HolderSession } from "../src/interview/holder";
import type { Eligibility, Holder, SessionRow } from "../src/interview/protocol";
import { outWords } from "../src/interview/room-view";
import { countdown, endWords, next, phaseOf, remainingMs, SIGNED_OUT } from "../src/interview/state";

const NOW = Date.parse("2026-01-02T03:00:00.000Z");
const HOLDER: Holder = { userId: "8c3b", email: "ana@demo.invalid", token: "t" };

function row(change: Partial<SessionRow> = {}): SessionRow {
  return {
    id: "ABC-123-XYZ", user_id: "8c3b", status: "active", start_time: "2026-01-02T02:55:00.000Z", server_end_time: "2026-01-02T03:05:00.000Z",
    end_time: null, end_reason: null, livekit_room_name: "INTERVIEW-ABC-123-XYZ", score_overall: null, summary: null,
    created_at: "2026-01-02T02:55:00.000Z", updated_at: "2026-01-02T02:55:00.000Z", ...change,
  };
}

/** A hub made of answers: what is asked is noted, and each route answers with what stands there at that moment. */
class Hub {
  readonly asked: string[] = [];
  eligibility: Eligibility = { canStart: true, reason: "ELIGIBLE" };
  row = row();
  start: () => [number, unknown] = () => [201, { success: true, session: { id: this.row.id, room_name: this.row.livekit_room_name, status: "active", start_time: this.row.start_time, server_end_time: this.row.server_end_time }, livekit: { token: "first", roomName: this.row.livekit_room_name, wsUrl: "ws://l" } }];
  refuse: [number, unknown] | null = null;
  /** How far its clock is ahead of the page's. */
  ahead = 0;

  constructor(private readonly time: { now: number }) {}

  fetch = async (path: string, init: RequestInit): Promise<Response> => {
    this.asked.push(`${init.method} ${path}`);
    const [status, body] = this.refuse ?? this.#answer(path);
    if (status === 0) throw new TypeError("no network");
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers: { date: new Date(this.time.now + this.ahead).toUTCString() } });
  };

  #answer(path: string): [number, unknown] {
    if (path === "/demo/holder") return [200, HOLDER];
    if (path.endsWith("/eligibility")) return [200, this.eligibility];
    if (path.endsWith("/start")) return this.start();
    if (path.endsWith("/status")) return [200, this.row];
    if (path.endsWith("/end")) {
      this.row = row({ status: "ended_early", end_reason: "user_ended" });
      return [200, { success: true, message: "Session ended successfully" }];
    }
    if (path === "/api/livekit/token") return [200, { token: "second", roomName: this.row.livekit_room_name, wsUrl: "ws://l" }];
    return [404, { message: "?" }];
  }
}

class Room {
  joined: string[] = [];
  left = 0;
  async join(pass: { token: string }): Promise<void> { this.joined.push(pass.token); }
  async leave(): Promise<void> { this.left += 1; }
}

function world() {
  const time = { now: NOW };
  const hub = new Hub(time);
  const room = new Room();
  const api = new SessionApi(hub.fetch as typeof fetch, () => time.now);
  const holder = new HolderSession(api, room, () => time.now);
  return { hub, room, time, api, holder, code: () => holder.failure.value?.failure.code };
}

describe("the time that is left", () => {
  it.each([[0, "0:00"], [1, "0:01"], [59_000, "0:59"], [59_001, "1:00"], [247_000, "4:07"], [3_600_000, "1:00:00"], [-5, "0:00"]])("%s ms are %s", (ms, words) => {
    expect(countdown(ms)).toBe(words);
  });

  it("counts to the server's end and no further", () => {
    expect(remainingMs(row(), NOW)).toBe(300_000);
    expect(remainingMs(row(), NOW + 400_000)).toBe(0);
  });
});

describe("where a user stands", () => {
  const signedIn = next(SIGNED_OUT, { type: "signed-in", holder: HOLDER });
  const active = next(signedIn, { type: "row", row: row() });

  it("follows what the hub said and what time it is", () => {
    expect(phaseOf(SIGNED_OUT, NOW)).toBe("signed-out");
    expect(phaseOf(signedIn, NOW)).toBe("looking");
    expect(phaseOf(next(signedIn, { type: "judged", eligibility: { canStart: true, reason: "ELIGIBLE" } }), NOW)).toBe("may-start");
    expect(phaseOf(next(signedIn, { type: "judged", eligibility: { canStart: false, reason: "CAPACITY_FULL", message: "full" } }), NOW)).toBe("may-not-start");
    expect(phaseOf(active, NOW)).toBe("active");
    expect(phaseOf(active, NOW + 300_000)).toBe("overdue");
    expect(phaseOf(next(active, { type: "row", row: row({ status: "completed", end_reason: "natural" }) }), NOW)).toBe("ended");
  });

  it("is not brought back by an answer that was overtaken", () => {
    const ended = next(active, { type: "row", row: row({ status: "ended_early" }) });
    expect(next(ended, { type: "row", row: row() })).toBe(ended);
    expect(ended.pass).toBeNull();
  });

  it("is told in words when it is over", () => {
    expect(endWords({ status: "ended_early", end_reason: "user_ended" })).toMatch(/You ended/);
    expect(endWords({ status: "completed", end_reason: "natural" })).toMatch(/time was over/);
    expect([null, "ROOM_DELETED", "SOMETHING_NEW"].map(outWords)).toEqual(["", "The room was closed.", "The connection to the room was lost."]);
  });
});

describe("the hub's answers", () => {
  it.each<[number, unknown, string, RegExp]>([
    [409, { error: "CAPACITY_FULL", message: "All interview slots are in use (5 max)." }, "CAPACITY_FULL", /5 max/],
    [401, { message: "Unauthorized" }, "UNAUTHORIZED", /signed in/],
    [403, { message: "Interview session has ended", status: "completed" }, "HTTP_403", /has ended/],
    [429, { error: "RATE_LIMIT", message: "wait" }, "RATE_LIMIT", /wait/],
    [503, "<html>no server is available</html>", "UNAVAILABLE", /right now/],
    [0, "", "NETWORK", /reached/],
  ])("%s become %s a failure with a code", async (status, body, code, words) => {
    const { hub, api } = world();
    hub.refuse = [status, body];
    const failure = toFailure(await api.start().catch((thrown: unknown) => thrown));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(words);
  });

  it("carry the hub's clock, and a difference within the header's grain is none", async () => {
    const { hub, api, holder } = world();
    await api.eligibility();
    expect(api.clockOffsetMs).toBe(0);
    hub.ahead = 60_000;
    await api.eligibility();
    expect(holder.now()).toBe(NOW + 60_500);
  });

  it("on a hub without the demo say so", async () => {
    const { hub, holder, code } = world();
    hub.refuse = [404, { error: "Not Found" }];
    expect(await holder.signIn("ana", true)).toBe(false);
    expect([code(), holder.phase]).toEqual(["DEMO_OFF", "signed-out"]);
  });
});

describe("a user", () => {
  beforeEach(() => { vi.useFakeTimers(); });
  afterEach(() => { vi.useRealTimers(); });

  it("starts, joins with the token of the start, ends, and leaves a room that does not put it out", async () => {
    const { hub, room, holder } = world();
    await holder.signIn("ana", true);
    expect(holder.phase).toBe("may-start");
    await holder.start();
    expect([holder.phase, room.joined, holder.stay.value.pass?.source]).toEqual(["active", ["first"], "start"]);
    await holder.end();
    expect([holder.phase, room.left]).toEqual(["ended", 0]);
    await vi.advanceTimersByTimeAsync(3000);
    expect(room.left).toBe(1);
    expect(hub.asked.at(-1)).toBe("GET /api/interviews/ABC-123-XYZ/status");
  });

  it("that comes back finds its session and joins with a new token", async () => {
    const { hub, room, holder } = world();
    hub.eligibility = { canStart: false, reason: "ACTIVE_SESSION_EXISTS", message: "…", existingSessionId: "ABC-123-XYZ" };
    await holder.signIn("ana", null);
    expect([holder.phase, room.joined, holder.stay.value.pass?.source]).toEqual(["active", ["second"], "refresh"]);
  });

  it("whose start was never answered finds it started all the same", async () => {
    const { hub, room, holder, code } = world();
    await holder.signIn("ana", true);
    hub.start = () => {
      hub.eligibility = { canStart: false, reason: "ACTIVE_SESSION_EXISTS", existingSessionId: "ABC-123-XYZ" };
      return [0, ""];
    };
    expect(await holder.start()).toBe(true);
    expect([holder.phase, room.joined, code()]).toEqual(["active", ["second"], undefined]);
  });

  it("that is refused sees the code, and why by eligibility", async () => {
    const { hub, room, holder, code } = world();
    await holder.signIn("ben", true);
    hub.start = () => {
      hub.eligibility = { canStart: false, reason: "CAPACITY_FULL", message: "All interview slots are in use (1 max)." };
      return [409, { error: "CAPACITY_FULL", message: "All interview slots are in use (1 max)." }];
    };
    expect(await holder.start()).toBe(false);
    expect([code(), holder.phase, room.joined]).toEqual(["CAPACITY_FULL", "may-not-start", []]);
  });

  it("asks again by itself: soon when the time is over, seldom while it runs, not in a hidden page", async () => {
    const { hub, holder, time } = world();
    await holder.signIn("ana", true);
    await holder.start();
    const asked = hub.asked.length;
    await holder.tick(true);
    time.now += 20_000;
    await holder.tick(false);
    expect(hub.asked.length).toBe(asked);
    await holder.tick(true);
    expect(hub.asked.length).toBe(asked + 1);
    time.now = NOW + 301_000;
    hub.row = row({ status: "completed", end_reason: "natural" });
    expect(holder.phase).toBe("overdue");
    await holder.tick(true);
    expect(holder.phase).toBe("ended");
  });

  it("whose token is refused is signed out", async () => {
    const { hub, holder, code, time } = world();
    await holder.signIn("ana", true);
    hub.refuse = [401, { message: "Unauthorized" }];
    time.now += 11_000;
    await holder.tick(true);
    expect([code(), holder.phase]).toEqual(["UNAUTHORIZED", "signed-out"]);
  });

  it("that was put out learns whether its session is over", async () => {
    const { hub, holder } = world();
    await holder.signIn("ana", true);
    await holder.start();
    hub.row = row({ status: "completed", end_reason: "natural" });
    await holder.putOut();
    expect(holder.phase).toBe("ended");
  });
});
