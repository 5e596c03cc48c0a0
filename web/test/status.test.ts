import { describe, expect, it } from "vitest";
import { ALL_STATUSES, FINAL, JOURNEY, legalStatuses, mayAcknowledge, mayClose, nextStep } from "../src/state/status";
import type { Status } from "../src/hub/words";
import { NOW, state } from "./fixtures";

const entry = (status: Status, userId = "r1") => ({ userId, status, assignedAt: NOW, acknowledgedAt: null, arrivedAt: null });

describe("what may be set", () => {
  it.each<[Status, Status[]]>([
    ["active", ["assigned"]],
    ["assigned", ["en_route", "responding", "active"]],
    ["en_route", ["arrived", "responding", "assigned"]],
    ["arrived", ["responding", "resolved"]],
    ["responding", ["resolved"]],
    ["resolved", ["completed"]],
    ["completed", []],
  ])("by a rescuer whose entry is %s: the table without the final ones", (own, expected) => {
    expect(legalStatuses("rescuer", "r1", state({ status: own, responders: [entry(own)] }))).toEqual(expected);
  });

  it("by a rescuer follows its own entry, not the incident", () => {
    const sos = state({ status: "arrived", responders: [entry("arrived", "r2")] });
    expect(legalStatuses("rescuer", "r1", sos)).toEqual(["assigned"]);
    expect(nextStep("rescuer", "r1", sos)).toBe("assigned");
  });

  it("by a citizen: cancelled, as long as the table has it and the incident is its own", () => {
    expect(legalStatuses("citizen", "u1", state())).toEqual(["cancelled"]);
    expect(legalStatuses("citizen", "u1", state({ status: "arrived" }))).toEqual([]);
    expect(legalStatuses("citizen", "u2", state())).toEqual([]);
  });

  it("by a dispatcher: anything else, until the end", () => {
    expect(legalStatuses("dispatcher", "d1", state({ status: "completed" }))).toEqual(ALL_STATUSES.filter((status) => status !== "completed"));
  });

  it.each(FINAL)("after %s: nothing, by nobody", (status) => {
    const sos = state({ status, responders: [entry("assigned")] });
    for (const role of ["citizen", "rescuer", "dispatcher"] as const) {
      expect(legalStatuses(role, "r1", sos)).toEqual([]);
      expect(mayClose(role, "u1", sos)).toBe(false);
      expect(mayAcknowledge(role, sos)).toBe(false);
    }
  });

  it("leads a rescuer through the whole journey", () => {
    const walked: Status[] = ["active"];
    for (let own: Status | null = "active"; own !== null; own = nextStep("rescuer", "r1", state({ status: own, responders: [entry(own)] }))) {
      if (own !== "active") walked.push(own);
    }
    expect(walked).toEqual(JOURNEY);
  });

  it("lets its citizen and a dispatcher end it, a rescuer not", () => {
    expect([mayClose("citizen", "u1", state()), mayClose("citizen", "u2", state()), mayClose("dispatcher", "d", state()), mayClose("rescuer", "r1", state())])
      .toEqual([true, false, true, false]);
  });
});
