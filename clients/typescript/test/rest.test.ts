import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectRest, HubError, interviewApi, interviewRest, realtimeSessions, RestError, type RestOptions } from "../src/rest/index.js";

interface Asked {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | undefined;
}
type Given = Response | Error | "hang";

/** A `fetch` that gives these answers in turn. */
function hub(...answers: Given[]): { asked: Asked[]; options: RestOptions } {
  const asked: Asked[] = [];
  const fetcher = (url: string, init: { method: string; headers: Record<string, string>; body?: string; signal: AbortSignal }): Promise<Response> => {
    asked.push({ method: init.method, url, headers: init.headers, body: init.body });
    const answer = answers.shift() ?? json(200, {});
    if (answer instanceof Response) return Promise.resolve(answer);
    if (answer instanceof Error) return Promise.reject(answer);
    return new Promise((_, reject) => init.signal.addEventListener("abort", () => reject(init.signal.reason as Error)));
  };
  return { asked, options: { url: "https://hub.test/", token: "t", fetch: fetcher as typeof fetch } };
}
const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
const failure = (promise: Promise<unknown>): Promise<RestError> => promise.then(() => { throw new Error("it succeeded"); }, (thrown: RestError) => thrown);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a request", () => {
  it("has the token, the route with its parts encoded, and a body only where there is one", async () => {
    const { asked, options } = hub(json(200, { id: "a" }), json(200, { object: "list", data: [], has_more: false }), json(200, { token: "x" }));
    const api = interviewApi(options);
    expect(await api.getSessionStatus("a/b")).toEqual({ id: "a" });
    await realtimeSessions(options).list({ limit: 5 });
    await api.getLiveKitToken("room", "a");
    expect(asked.map(({ method, url, body }) => [method, url, body])).toEqual([
      ["GET", "https://hub.test/api/interviews/a%2Fb/status", undefined],
      ["GET", "https://hub.test/v1/realtime/sessions?limit=5", undefined],
      ["POST", "https://hub.test/api/livekit/token", `{"roomName":"room","sessionId":"a"}`],
    ]);
    expect(asked.map(({ headers }) => [headers["authorization"], headers["content-type"]])).toEqual([["Bearer t", undefined], ["Bearer t", undefined], ["Bearer t", "application/json"]]);
  });

  it("is refused with the code, message and fields of each surface", async () => {
    const { options } = hub(
      json(400, { error: "ACTIVE_SESSION_EXISTS", message: "one is running", existingSessionId: "ABC-123-XYZ" }),
      json(404, { error: { message: "No such session", type: "not_found_error", code: "not_found", request_id: "r1" } }),
      json(404, { message: "Session not found or already ended" }, { "x-request-id": "r2" }),
      new Response("<html>bad gateway</html>", { status: 502 }),
      json(403, { error: "INVITE_USED", message: "used" }),
    );
    const api = interviewApi(options);
    expect(await failure(api.startSession())).toMatchObject({ name: "HubError", status: 400, code: "ACTIVE_SESSION_EXISTS", message: "one is running", details: { existingSessionId: "ABC-123-XYZ" } });
    expect(await failure(realtimeSessions(options).get("sess_1"))).toMatchObject({ status: 404, code: "not_found", message: "No such session", requestId: "r1" });
    expect(await failure(api.endSession("a"))).toMatchObject({ status: 404, code: "HTTP_404", message: "Session not found or already ended", requestId: "r2" });
    expect(await failure(api.startSession())).toMatchObject({ status: 502, code: "UNAVAILABLE", body: "<html>bad gateway</html>" });
    expect(await failure(interviewRest(options).joinToken({ interviewId: "i", role: "candidate" }))).toMatchObject({ status: 403, code: "INVITE_USED" });
  });

  it("without an answer's body gives none", async () => {
    const { asked, options } = hub(json(204, null));
    await interviewRest(options).revokeInvite("i", "v");
    expect(asked[0]).toMatchObject({ method: "DELETE", url: "https://hub.test/api/interviews/i/invites/v" });
  });

  it("that is refused with a time to come back comes back then, whatever its method", async () => {
    const { asked, options } = hub(json(429, { error: "RATE_LIMIT" }, { "retry-after": "5" }), json(503, { error: "UNAVAILABLE" }, { "retry-after": "2" }), json(201, { success: true }));
    const started = interviewApi(options).startSession();
    await vi.advanceTimersByTimeAsync(4999);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3000);
    expect(await started).toEqual({ success: true });
    expect(asked).toHaveLength(3);
  });

  it("does not wait longer than its deadline allows: the time to come back is told", async () => {
    const { asked, options } = hub(json(429, { error: "RATE_LIMIT" }, { "retry-after": "60" }));
    expect(await failure(interviewApi(options).startSession())).toMatchObject({ status: 429, retryAfterMs: 60_000 });
    expect(asked).toHaveLength(1);
  });

  it("that is lost is sent again if that does no harm, and only so often", async () => {
    const lost = (): Error => new TypeError("fetch failed");
    const { asked, options } = hub(lost(), lost(), json(200, { canStart: true }), lost(), lost(), lost(), lost(), lost());
    const api = interviewApi(options);
    const good = api.checkEligibility();
    await vi.runAllTimersAsync();
    expect(await good).toEqual({ canStart: true });
    expect(await failure(api.startSession())).toMatchObject({ code: "NETWORK", uncertain: true });
    expect(asked).toHaveLength(4);
    const bad = failure(api.checkEligibility());
    await vi.runAllTimersAsync();
    expect(await bad).toMatchObject({ code: "NETWORK" });
    expect(asked).toHaveLength(8);
  });

  it("ends with its deadline and with its signal", async () => {
    const { options } = hub("hang", "hang");
    const api = interviewApi(options);
    const late = failure(api.startSession({ deadlineMs: 1000 }));
    await vi.advanceTimersByTimeAsync(1000);
    expect(await late).toMatchObject({ code: "NO_ANSWER", uncertain: true });
    const controller = new AbortController();
    const aborted = failure(api.startSession({ signal: controller.signal }));
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(new Error("enough"));
    expect((await aborted).message).toBe("enough");
  });

  it("whose token is not accepted gets a new one, once", async () => {
    const { asked, options } = hub(json(401, { message: "Unauthorized" }), json(200, { canStart: true }), json(401, { message: "Unauthorized" }), json(401, { message: "Unauthorized" }));
    let tokens = 0;
    const api = interviewApi({ ...options, token: "old", getToken: () => `new ${(tokens += 1)}` });
    expect(await api.checkEligibility()).toEqual({ canStart: true });
    expect(asked.map(({ headers }) => headers["authorization"])).toEqual(["Bearer old", "Bearer new 1"]);
    expect(await failure(api.checkEligibility())).toMatchObject({ status: 401, code: "UNAUTHORIZED" });
    expect(asked).toHaveLength(4);
  });

  it("of an application that has no token is not sent", async () => {
    const { asked, options } = hub();
    const thrown = await failure(interviewApi({ ...options, token: undefined, getToken: () => Promise.reject(new Error("Not authenticated")) }).startSession());
    expect(thrown).toBeInstanceOf(HubError);
    expect(thrown).toMatchObject({ code: "NO_TOKEN", message: "Not authenticated" });
    expect(asked).toEqual([]);
  });

  it("with a part of its path missing is a mistake", async () => {
    const { options } = hub();
    await expect(connectRest(options)("get", "/v1/realtime/sessions/{id}", { path: { id: "" } })).rejects.toThrow("id is missing");
  });
});

it("all realtime sessions are read page by page", async () => {
  const { asked, options } = hub(
    json(200, { object: "list", data: [{ id: "c" }, { id: "b" }], first_id: "c", last_id: "b", has_more: true }),
    json(200, { object: "list", data: [{ id: "a" }], first_id: "a", last_id: "a", has_more: false }),
  );
  const ids: string[] = [];
  for await (const { id } of realtimeSessions(options).all(2)) ids.push(id);
  expect(ids).toEqual(["c", "b", "a"]);
  expect(asked.map(({ url }) => new URL(url).search)).toEqual(["?limit=2", "?limit=2&after=b"]);
});

it("all realtime sessions are read although the one behind which a page begins has ended", async () => {
  const { asked, options } = hub(
    json(200, { object: "list", data: [{ id: "c" }, { id: "b" }], first_id: "c", last_id: "b", has_more: true }),
    json(400, { error: { message: "after must be the id of one of your sessions", type: "validation_error", code: "validation", request_id: "r" } }),
    json(200, { object: "list", data: [{ id: "d" }, { id: "c" }], first_id: "d", last_id: "c", has_more: true }),
    json(200, { object: "list", data: [{ id: "a" }], first_id: "a", last_id: "a", has_more: false }),
  );
  const ids: string[] = [];
  for await (const { id } of realtimeSessions(options).all(2)) ids.push(id);
  expect(ids).toEqual(["c", "b", "d", "a"]);
  expect(asked.map(({ url }) => new URL(url).search)).toEqual(["?limit=2", "?limit=2&after=b", "?limit=2", "?limit=2&after=c"]);
});

it("a page size that the hub refuses is not tried again", async () => {
  const { options } = hub(json(400, { error: { message: "limit must be an integer from 1 to 100", type: "validation_error", code: "validation", request_id: "r" } }));
  expect(await failure(realtimeSessions(options).all(0).next())).toMatchObject({ status: 400, code: "validation" });
});

it("what passes is repeatable in every surface's words, and what may have been done is uncertain", async () => {
  const { options } = hub(
    json(429, { error: { message: "too many", type: "rate_limited_error", code: "rate_limited", request_id: "r" } }),
    json(503, { error: { message: "away", type: "external_error", code: "external", request_id: "r" } }),
    json(429, { error: "RATE_LIMIT", message: "too many" }),
    json(502, { error: "LIVEKIT_ROOM_FAILED", message: "no room" }),
    new Response("<html>gateway timeout</html>", { status: 504 }),
    json(503, { success: false, error: "UNCONFIRMED", code: "UNCONFIRMED", message: "perhaps" }),
    json(400, { message: "roomName is required" }),
    json(409, { error: "CAPACITY_FULL", message: "full" }),
  );
  const api = interviewApi({ ...options, retries: 0 });
  const seen: [string, boolean, boolean][] = [];
  for (let at = 0; at < 8; at += 1) {
    const { code, repeatable, uncertain } = await failure(api.startSession());
    seen.push([code, repeatable, uncertain]);
  }
  expect(seen).toEqual([
    ["rate_limited", true, false],
    ["external", true, false],
    ["RATE_LIMIT", true, false],
    ["LIVEKIT_ROOM_FAILED", true, false],
    ["UNAVAILABLE", true, true],
    ["UNCONFIRMED", true, true],
    ["HTTP_400", false, false],
    ["CAPACITY_FULL", false, false],
  ]);
});
