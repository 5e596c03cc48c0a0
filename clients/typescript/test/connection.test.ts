import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectIncidents, connectInterview, type ConnectOptions, type HubError, type Incidents } from "../src/index.js";
import { FakeSocket, jwt } from "./fake-hub.js";

vi.mock("socket.io-client", () => import("./fake-hub.js"));

const open: { close(): void }[] = [];
function connect(options: ConnectOptions = { token: "t" }): { hub: Incidents; socket: FakeSocket; failures: string[] } {
  const hub = connectIncidents({ url: "http://hub.test/somewhere", ...options });
  const failures: string[] = [];
  hub.onFailure(({ code }) => failures.push(code));
  open.push(hub);
  return { hub, socket: FakeSocket.last, failures };
}
const tick = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a connection", () => {
  it("says its token, that it recovers, and what else is said", async () => {
    const { socket } = connect();
    await tick();
    expect(socket.url).toBe("http://hub.test/");
    expect(socket.connects).toEqual([{ token: "t", recovery: 1 }]);
    open.push(connectInterview({ url: "http://hub.test", token: "invite", userType: "candidate", participantId: "ana" }));
    await tick();
    expect(FakeSocket.last.url).toBe("http://hub.test/interview");
    expect(FakeSocket.last.connects).toEqual([{ participantId: "ana", token: "invite", recovery: 1 }]);
    expect(FakeSocket.last.options["query"]).toEqual({ userType: "candidate" });
  });

  it("keeps the hub's offset away from those who listen", async () => {
    const { hub, socket } = connect();
    const heard: unknown[][] = [];
    hub.on("sos:expired", (...args) => heard.push(args));
    hub.onAny((...args) => heard.push(args));
    await tick();
    socket.accept();
    socket.hear("sos:expired", { sosId: "s", timestamp: 1 }, "sos:s.e.1-0");
    expect(heard).toEqual([[{ name: "sos:expired", data: { sosId: "s", timestamp: 1 } }], [{ sosId: "s", timestamp: 1 }]]);
  });

  it("ends with its listeners when they say so", async () => {
    const { hub, socket } = connect();
    let heard = 0;
    const off = hub.on("sos:expired", () => { heard += 1; });
    await tick();
    socket.accept();
    socket.hear("sos:expired", {});
    off();
    socket.hear("sos:expired", {});
    expect(heard).toBe(1);
  });

  it("that is lost is made again, after waits that double, and tells whether it was recovered", async () => {
    const { hub, socket } = connect();
    const told: boolean[] = [];
    hub.onConnect(({ recovered }) => told.push(recovered));
    await tick();
    socket.accept();
    socket.lose();
    expect(hub.state).toMatchObject({ name: "waiting", retryAt: Date.now() + 1000 });
    for (const wait of [1000, 1000, 2000, 4000, 8000, 10_000, 10_000]) {
      await tick(wait - 1);
      const before = socket.connects.length;
      await tick(1);
      expect(socket.connects).toHaveLength(before + 1);
      socket.unreachable();
    }
    await tick(10_000);
    socket.accept(true);
    expect(hub.state).toEqual({ name: "connected", recovered: true });
    expect(told).toEqual([false, true]);
  });

  it("waits as long as a hub that is full says", async () => {
    const { hub, socket } = connect();
    await tick();
    socket.unreachable({ getResponseHeader: (name: string) => (name === "retry-after" ? "7" : null) });
    expect(hub.state).toMatchObject({ name: "waiting", retryAt: Date.now() + 7000 });
  });

  it("that nobody answers is given up and tried again", async () => {
    const { hub, socket } = connect({ token: "t", connectMs: 3000 });
    await tick(3000);
    expect(hub.state).toMatchObject({ name: "waiting", failure: { code: "NO_ANSWER" } });
    await tick(1000);
    expect(socket.connects).toHaveLength(2);
  });

  it("goes offline and comes back when it is told to", async () => {
    const { hub, socket } = connect();
    await tick();
    socket.accept();
    hub.suspend();
    expect(socket.connected).toBe(false);
    await tick(60_000);
    expect(socket.connects).toHaveLength(1);
    hub.connect();
    await tick();
    expect(socket.connects).toHaveLength(2);
  });

  it("that is lost takes with it what the official client kept for the next one: it would go out before the incident is joined again", async () => {
    const { socket } = connect();
    await tick();
    socket.accept();
    socket.sendBuffer.push("what was sent while nobody knew that the connection was gone");
    socket.lose("ping timeout");
    expect(socket.sendBuffer).toEqual([]);
  });

  it("that is closed stays so, and those who wait are told", async () => {
    const { hub, socket } = connect();
    const waits = hub.whenConnected().catch((error: HubError) => error.code);
    await tick();
    hub.close();
    expect(await waits).toBe("CLOSED");
    hub.connect();
    await tick(60_000);
    expect(socket.connects).toHaveLength(1);
  });

  it("that the hub ends is not made again", async () => {
    const { hub, socket } = connect();
    await tick();
    socket.accept();
    socket.hear("error", { code: "SUPERSEDED", message: "joined elsewhere" });
    socket.lose("io server disconnect");
    expect(hub.state).toMatchObject({ name: "refused", failure: { code: "SUPERSEDED" } });
    await tick(60_000);
    expect(socket.connects).toHaveLength(1);
  });
});

describe("a token", () => {
  it("that ends soon is renewed before the connection", async () => {
    const getToken = vi.fn(() => jwt(3600, "new"));
    const { socket } = connect({ token: jwt(30), getToken });
    await tick();
    expect(getToken).toHaveBeenCalledWith("needed");
    expect(socket.connects[0]?.["token"]).toBe(jwt(3600, "new"));
  });

  it("that the hub refuses is renewed and tried once more, and then no more", async () => {
    const getToken = vi.fn((reason: string) => jwt(3600, reason));
    const { hub, socket } = connect({ getToken });
    await tick();
    socket.refuse("TOKEN_EXPIRED");
    await tick();
    expect(getToken.mock.calls.map(([reason]) => reason)).toEqual(["needed", "refused"]);
    expect(socket.connects).toHaveLength(2);
    socket.refuse("TOKEN_EXPIRED");
    await tick(60_000);
    expect(socket.connects).toHaveLength(2);
    expect(hub.state).toMatchObject({ name: "refused", failure: { code: "TOKEN_EXPIRED" } });
  });

  it("that nobody can renew is refused at once", async () => {
    const { hub, socket } = connect({ token: "t" });
    await tick();
    socket.refuse("INVALID_TOKEN");
    expect(hub.state).toMatchObject({ name: "refused" });
  });

  it("is not renewed for a refusal that it does not cure", async () => {
    const getToken = vi.fn(() => "t");
    const { hub, socket } = connect({ getToken });
    await tick();
    socket.refuse("NOT_CONFIGURED");
    await tick(60_000);
    expect(getToken).toHaveBeenCalledTimes(1);
    expect(hub.state).toMatchObject({ name: "refused", failure: { code: "NOT_CONFIGURED" } });
  });

  it("that cannot be renewed is used although it has ended: the hub may still know its citizen", async () => {
    const old = jwt(-10);
    const { socket } = connect({ token: old, getToken: () => Promise.reject(new Error("the issuer is away")) });
    await tick();
    expect(socket.connects[0]?.["token"]).toBe(old);
  });

  it("that is not to be had is asked for again, as a hub that is away", async () => {
    let down = true;
    const { hub, socket } = connect({ getToken: () => (down ? Promise.reject(new Error("away")) : "t") });
    await tick();
    expect(hub.state).toMatchObject({ name: "waiting", failure: { code: "NO_TOKEN", message: "away" } });
    down = false;
    await tick(1000);
    expect(socket.connects).toHaveLength(1);
  });

  it("for which nobody cares is waited for only so long", async () => {
    const { hub } = connect({ getToken: () => new Promise(() => undefined) });
    await tick(15_000);
    expect(hub.state).toMatchObject({ name: "waiting", failure: { code: "NO_TOKEN" } });
  });

  it("is renewed in place when the hub says that it ends", async () => {
    const getToken = vi.fn(() => jwt(3600, `n${getToken.mock.calls.length}`));
    const { socket, failures } = connect({ getToken });
    await tick();
    socket.accept();
    socket.hear("auth:expiring", { expiresAt: Date.now() + 60_000 });
    await tick();
    expect(socket.lastOf("auth:refresh").payload).toEqual({ token: jwt(3600, "n2") });
    socket.lastOf("auth:refresh").answer({ ok: true });
    await tick(60_000);
    expect(socket.events()).toEqual(["auth:refresh"]);
    expect(failures).toEqual([]);
    // The next connection has it too.
    socket.lose();
    await tick(1000);
    expect(getToken).toHaveBeenCalledTimes(2);
  });

  it("is renewed again and again until it ends, and then that is told", async () => {
    const { socket, failures } = connect({ getToken: vi.fn().mockReturnValueOnce(jwt(100)).mockRejectedValue(new Error("away")) });
    await tick();
    socket.accept();
    socket.hear("auth:expiring", { expiresAt: Date.now() + 60_000 });
    await tick(60_000);
    expect(failures).toEqual(["NO_TOKEN"]);
  });

  it("after a sleep is renewed before the connection is made again", async () => {
    const calls: string[] = [];
    const getToken = (): string => {
      calls.push("getToken");
      return jwt(600, `at ${Date.now()}`);
    };
    const { socket } = connect({ getToken });
    await tick();
    socket.accept();
    const first = socket.connects[0]?.["token"];
    // The lid is closed for an hour: no timer runs, and the connection is gone when it opens.
    vi.setSystemTime(Date.now() + 3_600_000);
    socket.lose("ping timeout");
    await tick(1000);
    expect(calls).toHaveLength(2);
    expect(socket.connects[1]?.["token"]).not.toBe(first);
  });

  it("after a sleep is renewed in place if the connection still looks open, and that is made anew if the hub says nothing", async () => {
    const { socket } = connect({ getToken: () => jwt(600, `at ${Date.now()}`) });
    await tick();
    socket.accept();
    vi.setSystemTime(Date.now() + 3_600_000);
    await tick(5000);
    const { payload } = socket.lastOf("auth:refresh");
    await tick(8000);
    expect(socket.connects).toHaveLength(2);
    expect(socket.connects[1]?.["token"]).toBe(payload["token"]);
  });

  it("that is still good after a sleep is left alone, and the hub is asked for a sign of life", async () => {
    const getToken = vi.fn(() => jwt(86_400));
    const { socket } = connect({ getToken });
    await tick();
    socket.accept();
    vi.setSystemTime(Date.now() + 3_600_000);
    await tick(5000);
    expect(socket.events()).toEqual(["heartbeat"]);
    socket.lastOf("heartbeat").answer({ ok: true });
    await tick(60_000);
    expect(socket.connects).toHaveLength(1);
    expect(getToken).toHaveBeenCalledTimes(1);
  });

  it("that the hub ended in the middle is renewed once", async () => {
    const { socket } = connect({ getToken: () => jwt(600, String(Math.floor(Date.now() / 1000))) });
    await tick();
    socket.accept();
    await tick(2000);
    socket.hear("error", { code: "TOKEN_EXPIRED", message: "ended" });
    socket.lose("io server disconnect");
    await tick();
    expect(socket.connects).toHaveLength(2);
    socket.accept();
    socket.hear("error", { code: "TOKEN_EXPIRED", message: "ended" });
    socket.lose("io server disconnect");
    await tick(60_000);
    expect(socket.connects).toHaveLength(2);
  });
});

describe("an event with an acknowledgement", () => {
  it("is answered, or refused with the hub's code", async () => {
    const { hub, socket } = connect();
    await tick();
    socket.accept();
    const good = hub.emitWithAck("message:history", { sosId: "s" });
    await tick();
    socket.lastOf("message:history").answer({ ok: true, messages: [], nextBefore: null });
    expect(await good).toEqual({ ok: true, messages: [], nextBefore: null });
    const bad = hub.emitWithAck("sos:status:update", { sosId: "s", status: "fake" }).catch((error: HubError) => error);
    await tick();
    socket.lastOf("sos:status:update").answer({ ok: false, code: "INVALID_STATUS", message: "no such status", sosId: "s" });
    expect(await bad).toMatchObject({ name: "HubError", code: "INVALID_STATUS", message: "no such status", event: "sos:status:update", details: { sosId: "s" }, repeatable: false });
    const perhaps = hub.emitWithAck("sos:ack", { sosId: "s" }).catch((error: HubError) => error);
    await tick();
    socket.lastOf("sos:ack").answer({ ok: false, code: "UNCONFIRMED", message: "perhaps", sosId: "s" });
    expect(await perhaps).toMatchObject({ code: "UNCONFIRMED", repeatable: true, uncertain: true });
  });

  it("waits for the connection, and for the answer, no longer than its deadline", async () => {
    const { hub, socket } = connect();
    const asked = hub.emitWithAck("message:history", {}, { timeoutMs: 3000 }).catch((error: HubError) => error.code);
    await tick(2000);
    socket.accept();
    await tick(999);
    expect(socket.events()).toEqual(["message:history"]);
    await tick(1);
    expect(await asked).toBe("NO_ANSWER");
    socket.lose();
    const later = hub.emitWithAck("message:history", {}, { timeoutMs: 300 }).catch((error: HubError) => error.code);
    await tick(300);
    expect(await later).toBe("NETWORK");
  });

  it("that is lost on its way says that it may have arrived", async () => {
    const { hub, socket } = connect();
    await tick();
    socket.accept();
    const asked = hub.emitWithAck("sos:ack", { sosId: "s" }).catch((error: HubError) => error);
    await tick();
    socket.lose();
    expect(await asked).toMatchObject({ code: "NETWORK", uncertain: true });
  });

  it("is not sent when its signal has come, and not waited for when it comes", async () => {
    const { hub, socket } = connect();
    await tick();
    socket.accept();
    await expect(hub.emitWithAck("sos:ack", {}, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    const controller = new AbortController();
    const asked = hub.emitWithAck("sos:ack", {}, { signal: controller.signal }).catch((error: Error) => error.message);
    await tick();
    controller.abort(new Error("enough"));
    expect(await asked).toBe("enough");
    expect(socket.events()).toEqual(["sos:ack"]);
  });

  it("without one goes out or not, and is not kept", async () => {
    const { hub, socket } = connect();
    expect(hub.emit("ping", { n: 1 })).toBe(false);
    await tick();
    socket.accept();
    expect(hub.emit("ping", { n: 2 })).toBe(true);
    expect(socket.sent.map(({ payload }) => payload)).toEqual([{ n: 2 }]);
  });
});

describe("an incident that is followed", () => {
  const state = { sosId: "s", status: "active" };

  it("is joined, and joined again only when the hub does not know this client any more", async () => {
    const { hub, socket } = connect();
    socket.answers.set("sos:init", () => ({ ok: true, data: state }));
    const followed = hub.follow("s");
    await tick();
    expect(socket.events()).toEqual([]);
    socket.accept();
    expect(await followed).toEqual(state);
    for (const recovered of [true, false]) {
      socket.lose();
      await tick(1000);
      socket.accept(recovered);
      await tick();
    }
    expect(socket.events()).toEqual(["sos:init", "sos:init"]);
  });

  it("is joined before what waits to be written", async () => {
    const { hub, socket } = connect();
    socket.answers.set("sos:init", () => ({ ok: true, data: state }));
    socket.answers.set("message:send", () => ({ ok: true, messageId: "1-0", timestamp: 1 }));
    const written = hub.write("message:send", { sosId: "s", text: "x" });
    void hub.follow("s");
    await tick();
    socket.accept();
    await written;
    expect(socket.events()).toEqual(["sos:init", "message:send"]);
  });

  it("is asked for until the hub can answer", async () => {
    const { hub, socket } = connect();
    let away = 2;
    socket.answers.set("sos:init", () => ((away -= 1) >= 0 ? { ok: false, code: "UNAVAILABLE" } : { ok: true, data: state }));
    await tick();
    socket.accept();
    const followed = hub.follow("s");
    await tick(5000);
    expect(await followed).toEqual(state);
    expect(socket.events()).toHaveLength(3);
  });

  it("that the hub refuses is not asked for again; who asked is told, later everybody", async () => {
    const { hub, socket, failures } = connect();
    await tick();
    socket.accept();
    socket.answers.set("sos:init", () => ({ ok: false, code: "FORBIDDEN", message: "no" }));
    await expect(hub.follow("s")).rejects.toMatchObject({ code: "FORBIDDEN" });
    socket.answers.set("sos:init", () => ({ ok: true, data: state }));
    await hub.follow("t");
    socket.answers.set("sos:init", () => ({ ok: false, code: "FORBIDDEN", message: "removed" }));
    for (let n = 0; n < 2; n += 1) {
      socket.lose();
      await tick(1000);
      socket.accept();
      await tick();
    }
    expect(failures).toEqual(["FORBIDDEN"]);
    expect(socket.events()).toEqual(["sos:init", "sos:init", "sos:init"]);
  });

  it("of a client that the hub does not want is told at once", async () => {
    const { hub, socket } = connect();
    const followed = hub.follow("s").catch((error: HubError) => error.code);
    await tick();
    socket.refuse("INVALID_TOKEN");
    expect(await followed).toBe("INVALID_TOKEN");
    await expect(hub.follow("s")).rejects.toMatchObject({ code: "INVALID_TOKEN" });
    hub.close();
    await expect(hub.watch()).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("is not asked for any more once its signal has come", async () => {
    const { hub, socket } = connect();
    const controller = new AbortController();
    const followed = hub.follow("s", controller.signal).catch((error: Error) => error.message);
    await tick();
    controller.abort(new Error("enough"));
    expect(await followed).toBe("enough");
    socket.accept();
    await tick();
    expect(socket.events()).toEqual([]);
  });

  it("that was left is not joined again", async () => {
    const { hub, socket } = connect();
    socket.answers.set("sos:init", () => ({ ok: true, data: state }));
    socket.answers.set("sos:leave", () => ({ ok: true }));
    await tick();
    socket.accept();
    await hub.follow("s");
    await hub.unfollow("s");
    socket.lose();
    await tick(1000);
    socket.accept();
    await tick();
    expect(socket.events()).toEqual(["sos:init", "sos:leave"]);
  });

  it("watchers get the whole list again", async () => {
    const { hub, socket } = connect();
    const lists: string[][] = [];
    let active = ["a"];
    socket.answers.set("sos:watch", () => ({ ok: true, active: active.map((sosId) => ({ sosId })) }));
    await tick();
    socket.accept();
    await hub.watch((list) => lists.push(list.map(({ sosId }) => sosId)));
    active = ["a", "b"];
    socket.lose();
    await tick(1000);
    socket.accept();
    await tick();
    expect(lists).toEqual([["a"], ["a", "b"]]);
  });
});

describe("a write", () => {
  it("goes over a connection that is lost, with one id", async () => {
    const { hub, socket } = connect();
    await tick();
    socket.accept();
    const written = hub.write("message:send", { sosId: "s", text: "x" });
    await tick();
    socket.lose();
    await tick(1000);
    socket.accept();
    await tick(1000);
    socket.lastOf("message:send").answer({ ok: true, messageId: "1-0", timestamp: 1, duplicate: true });
    expect(await written).toMatchObject({ messageId: "1-0" });
    const ids = socket.sent.map(({ payload }) => payload["clientMessageId"]);
    expect(ids).toHaveLength(2);
    expect(ids[0]).toMatch(/^[0-9a-z]{20}$/);
    expect(ids[1]).toBe(ids[0]);
  });

  it("of a client that is closed is rejected", async () => {
    const { hub } = connect();
    const written = hub.write("sos:ack", { sosId: "s" }).catch((error: HubError) => error.code);
    await tick();
    hub.close();
    expect(await written).toBe("CLOSED");
  });
});

describe("interviews", () => {
  it("are observed in one piece, however many pages there are", async () => {
    const interview = connectInterview({ url: "http://hub.test", token: "t" });
    open.push(interview);
    const socket = FakeSocket.last;
    const page = (id: string, nextAfter: string | null) => ({ ok: true, interview: { id: "i" }, session: null, isLive: false, events: [{ id }], nextAfter });
    socket.answers.set("observe-interview", ({ after }) => (after === undefined ? page("1", "1") : page("2", null)));
    await tick();
    socket.accept();
    const started = await interview.observe("i");
    expect(started.events.map(({ id }) => id)).toEqual(["1", "2"]);
    expect(started).not.toHaveProperty("ok");
  });

  it("send a heartbeat while they are connected", async () => {
    const interview = connectInterview({ url: "http://hub.test", token: "t" });
    open.push(interview);
    await tick(30_000);
    FakeSocket.last.accept();
    await tick(30_000);
    expect(FakeSocket.last.events()).toEqual(["heartbeat"]);
  });
});
