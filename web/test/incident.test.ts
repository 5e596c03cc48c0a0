import { describe, expect, it } from "vitest";
import { ageOf, emptyIncident, membersInOrder, pairOf, reduce, staleSince } from "../src/state/incident";
import { after, event, fix, message, NOW, state } from "./fixtures";

const opened = event("sos:state", state());

describe("an incident", () => {
  it("takes the snapshot with its positions", () => {
    const incident = after(event("sos:state", state({ locations: [fix({ userId: "u1" }), fix({ userId: "r1", role: "rescuer" })] })));
    expect(incident.sos?.citizenId).toBe("u1");
    expect(Object.keys(incident.fixes)).toEqual(["u1", "r1"]);
  });

  it("survives a snapshot without lists", () => {
    const bare = { ...state(), responders: undefined, locations: undefined, members: undefined };
    const incident = after(event("sos:state", bare as never));
    expect(incident.sos?.members).toEqual([]);
    expect(incident.sos?.responders).toEqual([]);
  });

  it("ignores events of another incident", () => {
    const before = after(opened);
    expect(reduce(before, { type: "event", event: event("sos:close", { sosId: "s2", status: "closed", closedBy: "x", reason: null, timestamp: NOW }), at: NOW })).toBe(before);
  });

  it("moves with a rescuer and notes its entry", () => {
    const incident = after(opened,
      event("sos:status:broadcast", { sosId: "s1", status: "assigned", oldStatus: "active", updatedBy: "r1", responderId: "r1", responderStatus: "assigned", timestamp: NOW + 1 }),
      event("sos:status:broadcast", { sosId: "s1", status: "arrived", oldStatus: "assigned", updatedBy: "r1", responderId: "r1", responderStatus: "arrived", timestamp: NOW + 2 }));
    expect(incident.sos?.status).toBe("arrived");
    expect(incident.sos?.responders).toEqual([{ userId: "r1", status: "arrived", assignedAt: NOW + 1, acknowledgedAt: null, arrivedAt: NOW + 2 }]);
  });

  it("keeps its status when only a second rescuer's entry moves", () => {
    const incident = after(opened,
      event("sos:status:broadcast", { sosId: "s1", status: "arrived", oldStatus: "en_route", updatedBy: "r1", responderId: "r1", responderStatus: "arrived", timestamp: NOW }),
      event("sos:status:broadcast", { sosId: "s1", status: "arrived", oldStatus: "arrived", updatedBy: "r2", responderId: "r2", responderStatus: "assigned", timestamp: NOW }));
    expect(incident.sos?.status).toBe("arrived");
    expect(incident.sos?.responders.map((entry) => entry.status)).toEqual(["arrived", "assigned"]);
  });

  it("stays acknowledged by the first who saw it", () => {
    const seen = (userId: string, timestamp: number) => event("sos:acknowledged", { sosId: "s1", userId, role: "rescuer", timestamp });
    const incident = after(opened, event("sos:unacknowledged", { sosId: "s1", status: "active", timestamp: NOW }), seen("r1", NOW + 5), seen("r2", NOW + 9));
    expect(incident.sos).toMatchObject({ acknowledgedBy: "r1", acknowledgedAt: NOW + 5 });
    expect(incident.overdue).toBe(false);
  });

  it("is overdue when nobody acknowledged in time", () => {
    expect(after(opened, event("sos:unacknowledged", { sosId: "s1", status: "active", timestamp: NOW })).overdue).toBe(true);
  });

  it("ends once, with who and why", () => {
    const incident = after(opened,
      event("sos:status:broadcast", { sosId: "s1", status: "closed", oldStatus: "active", updatedBy: "d1", timestamp: NOW + 1 }),
      event("sos:close", { sosId: "s1", status: "closed", closedBy: "d1", reason: "done", timestamp: NOW + 1 }),
      event("sos:close", { sosId: "s1", status: "closed", closedBy: "d1", reason: "done", timestamp: NOW + 1 }));
    expect(incident.sos).toMatchObject({ status: "closed", closedBy: "d1", reason: "done", closedAt: NOW + 1 });
    expect(incident.audit.filter((entry) => entry.key === "close")).toHaveLength(1);
  });

  it("keeps the end's own status: cancelled stays cancelled", () => {
    const incident = after(opened, event("sos:close", { sosId: "s1", status: "cancelled", closedBy: "u1", reason: null, timestamp: NOW }));
    expect(incident.sos?.status).toBe("cancelled");
  });

  it("replaces members and lists those online first", () => {
    const incident = after(opened, event("presence:update", { sosId: "s1", count: 2, members: [
      { userId: "a", role: "rescuer", online: false, lastSeen: NOW, sockets: 0 },
      { userId: "z", role: "citizen", online: true, lastSeen: NOW, sockets: 1 },
    ] }));
    expect(membersInOrder(incident).map((member) => member.userId)).toEqual(["z", "a"]);
  });

  it("applies the changes of a large room: who joined or is another now, and who left", () => {
    const member = (userId: string, online = true) => ({ userId, role: "rescuer" as const, online, lastSeen: NOW, sockets: Number(online) });
    const incident = after(opened,
      event("presence:update", { sosId: "s1", count: 3, members: [member("a"), member("b"), member("c")] }),
      event("presence:update", { sosId: "s1", count: 3, joined: [member("d"), member("b", false)], left: ["a", "nobody"] }));
    expect(membersInOrder(incident).map((one) => [one.userId, one.online])).toEqual([["c", true], ["d", true], ["b", false]]);
  });
});

describe("positions", () => {
  it("never go back to one that arrived earlier", () => {
    const incident = after(opened,
      event("location:broadcast", fix({ timestamp: NOW + 10, latitude: 14.61 })),
      event("location:broadcast", fix({ timestamp: NOW + 5, latitude: 14.6 })));
    expect(incident.fixes["u1"]?.latitude).toBe(14.61);
    expect(incident.trails["u1"]).toHaveLength(1);
  });

  it("of a phone whose clock was set back are shown", () => {
    const incident = after(opened,
      event("location:broadcast", fix({ fixTime: NOW, timestamp: NOW, latitude: 14.61 })),
      event("location:broadcast", fix({ fixTime: NOW - 120_000, timestamp: NOW + 1000, latitude: 14.6 })));
    expect(incident.fixes["u1"]?.latitude).toBe(14.6);
  });

  it("are stale when they were measured, or arrived, long ago", () => {
    expect(staleSince(fix({ fixTime: NOW, timestamp: NOW }), NOW + 20_000)).toBeNull();
    expect(staleSince(fix({ fixTime: NOW, timestamp: NOW }), NOW + 20_001)).toBe(NOW);
    expect(staleSince(fix({ fixTime: NOW - 300_000, timestamp: NOW }), NOW + 1), "a backfill that has just come").toBe(NOW - 300_000);
    expect(staleSince(fix({ fixTime: NOW + 50_000, timestamp: NOW }), NOW + 30_000), "a clock that is ahead").toBe(NOW);
    expect(ageOf(fix({ fixTime: NOW + 50_000, timestamp: NOW }), NOW - 5)).toBe(0);
  });

  it("leave a trail only where someone moved", () => {
    const incident = after(opened,
      event("location:broadcast", fix({ fixTime: NOW + 1 })),
      event("location:broadcast", fix({ fixTime: NOW + 2, latitude: 14.600001 })),
      event("location:broadcast", fix({ fixTime: NOW + 3, latitude: 14.601 })));
    expect(incident.trails["u1"]).toHaveLength(2);
    expect(incident.fixCount["u1"]).toBe(3);
  });

  it("at latitude 0 and longitude 0 are positions", () => {
    const incident = after(opened, event("location:broadcast", fix({ latitude: 0, longitude: 0 })));
    expect(incident.fixes["u1"]).toMatchObject({ latitude: 0, longitude: 0 });
  });

  it("pair a rescuer with the citizen: itself, else the nearest", () => {
    const incident = after(opened,
      event("location:broadcast", fix()),
      event("location:broadcast", fix({ userId: "far", role: "rescuer", latitude: 14.7 })),
      event("location:broadcast", fix({ userId: "near", role: "rescuer", latitude: 14.601 })));
    expect(pairOf(incident, "u1").rescuer?.userId).toBe("near");
    expect(pairOf(incident, "far").rescuer?.userId).toBe("far");
    expect(pairOf(incident, "far").citizen?.userId).toBe("u1");
  });
});

describe("messages", () => {
  const sending = { ...message({ messageId: "local c1", clientMessageId: "c1" }), clientMessageId: "c1" };

  it("appear once, whether the broadcast or the ack comes first", () => {
    const written = reduce(after(opened), { type: "message:sending", message: sending });
    expect(written.messages.map((each) => each.delivery)).toEqual(["sending"]);
    const broadcast = event("message:broadcast", message({ messageId: "5-0", clientMessageId: "c1" }));
    const acked = { type: "message:delivery", clientMessageId: "c1", delivery: "sent", messageId: "5-0", timestamp: NOW + 3 } as const;
    const one = reduce(reduce(written, { type: "event", event: broadcast, at: NOW }), acked);
    const other = reduce(reduce(written, acked), { type: "event", event: broadcast, at: NOW });
    for (const incident of [one, other]) {
      expect(incident.messages.map((each) => [each.messageId, each.delivery])).toEqual([["5-0", "sent"]]);
    }
  });

  it("stay sent when a late failure is reported", () => {
    const sent = after(opened, event("message:broadcast", message({ clientMessageId: "c1" })));
    const late = reduce(sent, { type: "message:delivery", clientMessageId: "c1", delivery: "failed", code: "NO_ANSWER" });
    expect(late.messages[0]?.delivery).toBe("sent");
  });

  it("of two people with the same client id are two", () => {
    const incident = after(opened,
      event("message:broadcast", message({ messageId: "1-0", clientMessageId: "c", userId: "u1" })),
      event("message:broadcast", message({ messageId: "2-0", clientMessageId: "c", userId: "r1" })));
    expect(incident.messages).toHaveLength(2);
  });

  it("stand in the order of the log, history before, what is on its way last", () => {
    const live = after(opened, event("message:broadcast", message({ messageId: "100-1" })));
    const written = reduce(live, { type: "message:sending", message: sending });
    const full = reduce(written, { type: "message:history", messages: [message({ messageId: "9-0" }), message({ messageId: "100-0" })], nextBefore: "9-0", first: true });
    expect(full.messages.map((each) => each.messageId)).toEqual(["9-0", "100-0", "100-1", "local c1"]);
    expect(full.olderBefore).toBe("9-0");
  });

  it("remember how far back was read when the newest page comes again", () => {
    const read = (nextBefore: string | null, first: boolean) => ({ type: "message:history" as const, messages: [], nextBefore, first });
    const twice = reduce(reduce(reduce(emptyIncident("s1"), read("50-0", true)), read(null, false)), read("50-0", true));
    expect(twice.olderBefore).toBeNull();
  });
});

describe("the audit trail", () => {
  it("tells the story in order and each thing once", () => {
    const joined = event("sos:init", { sosId: "s1", userId: "r1", role: "rescuer", action: "user_joined", timestamp: NOW + 1 });
    const incident = after(opened, joined, joined,
      event("sos:acknowledged", { sosId: "s1", userId: "r1", role: "rescuer", timestamp: NOW + 2 }),
      event("sos:status:broadcast", { sosId: "s1", status: "assigned", oldStatus: "active", updatedBy: "d1", note: "nearest", timestamp: NOW + 3 }),
      event("sos:state", state({ status: "assigned" })));
    expect(incident.audit.map((entry) => `${entry.actor} ${entry.text}`)).toEqual([
      "u1 called for help", "r1 joined as rescuer", "r1 has seen the call (rescuer)", "d1 Waiting for help → Assigned",
    ]);
    expect(incident.audit[3]?.note).toBe("nearest");
  });

  it("says who went offline", () => {
    const members = (online: boolean) => event("presence:update", { sosId: "s1", count: 2, members: [{ userId: "r1", role: "rescuer", online, lastSeen: NOW, sockets: 0 }] });
    const incident = after(opened, members(true), members(false));
    expect(incident.audit.at(-1)).toMatchObject({ actor: "r1", text: "went offline" });
    const back = { userId: "r1", role: "rescuer" as const, online: true, lastSeen: NOW, sockets: 1 };
    const again = after(opened, members(true), members(false), event("presence:update", { sosId: "s1", count: 1, joined: [back], left: [] }));
    expect(again.audit.at(-1)).toMatchObject({ actor: "r1", text: "is back online" });
  });
});
