/** What the types allow and what they refuse. `tsc` judges; nothing here is run against a hub. */

import { describe, expectTypeOf, it } from "vitest";
import { connectIncidents, connectInterview, type HubError, type Incidents, type Interview, type SosState } from "../src/index.js";
import { connectRest, interviewApi, isRefusal, isStartRefusal, realtimeSessions, type Call, type InterviewApi, type RealtimeSessions } from "../src/rest/index.js";

/** Never called: what stands in it is only read by `tsc`. */
type Unrun = (hub: Incidents, interview: Interview, call: Call, api: InterviewApi, realtime: RealtimeSessions) => unknown;

describe("types", () => {
  it("of events are those of the hub's document", () => {
    const unrun: Unrun[] = [
      (hub) => hub.on("location:broadcast", (fix) => {
        expectTypeOf(fix.latitude).toEqualTypeOf<number>();
        expectTypeOf(fix.accuracy).toEqualTypeOf<number | null>();
        // @ts-expect-error there is no such field
        fix.lat;
      }),
      // @ts-expect-error there is no such event
      (hub) => hub.on("location:broadcasted", () => undefined),
      // @ts-expect-error it belongs to the other namespace
      (hub) => hub.on("interview-ready", () => undefined),
      (_, interview) => interview.on("question", ({ order, text }) => expectTypeOf([order, text] as const).toEqualTypeOf<readonly [number, string]>()),
      (hub) => hub.onAny((event) => {
        if (event.name === "message:broadcast") expectTypeOf(event.data.text).toEqualTypeOf<string>();
        // @ts-expect-error not every event has a text
        event.data.text;
      }),
      async (hub) => expectTypeOf(await hub.next("sos:state")).toEqualTypeOf<SosState>(),
    ];
    void unrun;
  });

  it("of what is sent fit its event, and so does the answer", () => {
    const unrun: Unrun[] = [
      async (hub) => {
        const { messageId, timestamp } = await hub.write("message:send", { sosId: "s", text: "x" });
        expectTypeOf([messageId, timestamp] as const).toEqualTypeOf<readonly [string, number]>();
      },
      async (hub) => expectTypeOf((await hub.emitWithAck("sos:watch")).active).toEqualTypeOf<SosState[]>(),
      (hub) => hub.emit("heartbeat"),
      // @ts-expect-error a message has a text
      (hub) => hub.write("message:send", { sosId: "s" }),
      // @ts-expect-error a message has a text
      (hub) => hub.emitWithAck("message:send"),
      // @ts-expect-error it is a number
      (hub) => hub.emitWithAck("location:update", { latitude: "14.6", longitude: 121 }),
      // @ts-expect-error watching is asked for, not written
      (hub) => hub.write("sos:watch", {}),
      // @ts-expect-error there is no such status
      (hub) => hub.write("sos:status:update", { sosId: "s", status: "nowhere" }),
      // Bytes may go as they are.
      (_, interview) => interview.write("audio-chunk", { audioData: new Uint8Array(2) }),
      // @ts-expect-error the hub sends it
      (hub) => hub.emit("sos:state", {}),
      async (hub) => expectTypeOf(await hub.follow("s")).toEqualTypeOf<SosState>(),
      async (_, interview) => expectTypeOf((await interview.join("i")).sessionId).toEqualTypeOf<string>(),
    ];
    void unrun;
  });

  it("of routes are those of the hub's document", () => {
    const unrun: Unrun[] = [
      async (_, __, call) => expectTypeOf((await call("get", "/api/interviews/{id}/status", { path: { id: "a" } })).status).toEqualTypeOf<"active" | "completed" | "ended_early" | "timeout">(),
      // @ts-expect-error there is no such route
      (_, __, call) => call("get", "/api/nothing"),
      // @ts-expect-error it is not deleted
      (_, __, call) => call("delete", "/api/interviews/start"),
      // @ts-expect-error the id is missing
      (_, __, call) => call("get", "/api/interviews/{id}/status"),
      // @ts-expect-error the body is missing
      (_, __, call) => call("post", "/api/livekit/token"),
      async (_, __, ___, api) => expectTypeOf((await api.startSession()).livekit.wsUrl).toEqualTypeOf<string>(),
      async (_, __, ___, api) => expectTypeOf((await api.checkEligibility()).canStart).toEqualTypeOf<boolean>(),
      async (_, __, ___, ____, realtime) => expectTypeOf((await realtime.create()).client_secret.expires_at).toEqualTypeOf<number>(),
      async (_, __, ___, ____, realtime) => {
        // @ts-expect-error it is told once, when the session is made
        (await realtime.get("sess_1")).client_secret;
      },
    ];
    void unrun;
  });

  it("of refusals are those of their routes", () => {
    const unrun = (error: unknown): unknown => {
      if (isStartRefusal(error)) {
        // @ts-expect-error a start is not refused so
        if (error.code === "INVITE_USED") return;
        if (error.code === "ACTIVE_SESSION_EXISTS" && "existingSessionId" in error.body) expectTypeOf(error.body.existingSessionId).toEqualTypeOf<string | undefined>();
      }
      if (isRefusal(error, "post", "/v1/realtime/sessions")) expectTypeOf<"rate_limited">().toExtend<typeof error.code>();
      return undefined;
    };
    void unrun;
  });

  it("of options refuse what is none", () => {
    const unrun = [
      () => connectIncidents({ url: "https://hub", getToken: () => Promise.resolve("t") }),
      // @ts-expect-error a token is a text
      () => connectIncidents({ url: "https://hub", token: 5 }),
      // @ts-expect-error there is no such side
      () => connectInterview({ url: "https://hub", token: "t", userType: "observer" }),
      () => [connectRest({ token: "t" }), interviewApi({ token: "t" }), realtimeSessions({ token: "t" })],
    ];
    void unrun;
    expectTypeOf<HubError["code"]>().toExtend<string>();
  });
});
