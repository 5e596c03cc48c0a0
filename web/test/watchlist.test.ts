import { describe, expect, it } from "vitest";
import { inOrder, LINGER_MS, sweep, watchAnswer, watchEvent, type Watchlist } from "../src/state/watchlist";
import { event, fix, NOW, state } from "./fixtures";

const listed = (...ids: string[]): Watchlist => watchAnswer({}, ids.map((sosId, index) => state({ sosId, createdAt: NOW + index })));

describe("the dispatcher's list", () => {
  it("shows a new incident and follows its status", () => {
    const created = watchEvent({}, event("sos:created", state()), NOW);
    const moved = watchEvent(created, event("sos:status:broadcast", { sosId: "s1", status: "assigned", oldStatus: "active", updatedBy: "r1", timestamp: NOW }), NOW);
    expect(moved["s1"]?.sos.status).toBe("assigned");
  });

  it("knows nothing of incidents that it was not told of", () => {
    expect(watchEvent({}, event("sos:unacknowledged", { sosId: "s9", status: "active", timestamp: NOW }), NOW)).toEqual({});
  });

  it("does not take in what has ended already", () => {
    expect(watchEvent({}, event("sos:state", state({ status: "closed" })), NOW)).toEqual({});
  });

  it("keeps an ended incident in view for a moment, also over a new answer", () => {
    const closed = watchEvent(listed("s1"), event("sos:close", { sosId: "s1", status: "closed", closedBy: "d1", reason: null, timestamp: NOW }), NOW);
    const again = watchAnswer(closed, []);
    expect(again["s1"]?.endedAt).toBe(NOW);
    expect(sweep(again, NOW + LINGER_MS - 1)).toBe(again);
    expect(sweep(again, NOW + LINGER_MS)).toEqual({});
  });

  it("puts what nobody has seen on top, the overdue first", () => {
    let list = listed("a", "b", "c");
    list = watchEvent(list, event("sos:acknowledged", { sosId: "a", userId: "d1", role: "dispatcher", timestamp: NOW }), NOW);
    list = watchEvent(list, event("sos:unacknowledged", { sosId: "c", status: "active", timestamp: NOW }), NOW);
    expect(inOrder(list).map((entry) => entry.sos.sosId)).toEqual(["c", "b", "a"]);
  });

  it("keeps the last position of each participant", () => {
    let list = watchEvent(listed("s1"), event("location:broadcast", fix({ latitude: 1 })), NOW);
    list = watchEvent(list, event("location:broadcast", fix({ latitude: 2, fixTime: NOW + 1 })), NOW);
    expect(list["s1"]?.sos.locations.map((each) => each.latitude)).toEqual([2]);
  });
});
