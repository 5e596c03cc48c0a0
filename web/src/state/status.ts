/** The status table: what may follow what, for whom, and how we say it. */

import type { PanelRole, SosState, Status } from "../hub/words";

/** The way of an incident from call to end, in order. */
export const JOURNEY: readonly Status[] = [
  "active", "assigned", "en_route", "arrived", "responding", "resolved", "completed",
];

/** Statuses that end an incident. Nothing follows them. */
export const FINAL: readonly Status[] = ["cancelled", "rejected", "fake", "closed"];

export const ALL_STATUSES: readonly Status[] = [...JOURNEY, ...FINAL];

const NEXT: Record<Status, readonly Status[]> = {
  active: ["assigned", "cancelled", "closed"],
  assigned: ["en_route", "responding", "active", "cancelled", "closed"],
  en_route: ["arrived", "responding", "assigned", "cancelled", "closed"],
  arrived: ["responding", "resolved", "closed"],
  responding: ["resolved", "closed"],
  resolved: ["completed", "closed"],
  completed: ["closed"],
  cancelled: [],
  rejected: [],
  fake: [],
  closed: [],
};

const LABELS: Record<Status, string> = {
  active: "Waiting for help",
  assigned: "Assigned",
  en_route: "On the way",
  arrived: "Arrived",
  responding: "Helping",
  resolved: "Resolved",
  completed: "Completed",
  cancelled: "Cancelled",
  rejected: "Rejected",
  fake: "False report",
  closed: "Closed",
};

export function isStatus(value: unknown): value is Status {
  return typeof value === "string" && (ALL_STATUSES as readonly string[]).includes(value);
}

export function isFinal(status: Status): boolean {
  return FINAL.includes(status);
}

/** The status in words that a person in an emergency understands. */
export function statusLabel(status: Status): string {
  return LABELS[status] ?? String(status);
}

/** The status that a user's own update is checked against: a rescuer's is its entry, everybody else's the incident's. */
export function ownStatus(role: PanelRole, userId: string, sos: SosState): Status {
  if (role !== "rescuer" || isFinal(sos.status)) return sos.status;
  return sos.responders.find((entry) => entry.userId === userId)?.status ?? "active";
}

/** What this user may set now, as the hub will judge it. The hub has the last word. */
export function legalStatuses(role: PanelRole, userId: string, sos: SosState): Status[] {
  if (isFinal(sos.status)) return [];
  const own = ownStatus(role, userId, sos);
  switch (role) {
    case "dispatcher":
      return ALL_STATUSES.filter((status) => status !== sos.status);
    case "rescuer":
      return NEXT[own].filter((status) => !isFinal(status));
    case "citizen":
      return isOwn(userId, sos) ? NEXT[own].filter((status) => status === "cancelled") : [];
  }
}

/** The natural next step of a rescuer, shown as the one large button. */
export function nextStep(role: PanelRole, userId: string, sos: SosState): Status | null {
  if (role !== "rescuer") return null;
  const own = ownStatus(role, userId, sos);
  const following = JOURNEY[JOURNEY.indexOf(own) + 1];
  return following !== undefined && legalStatuses(role, userId, sos).includes(following) ? following : null;
}

export function mayClose(role: PanelRole, userId: string, sos: SosState): boolean {
  if (isFinal(sos.status)) return false;
  return role === "dispatcher" || (role === "citizen" && isOwn(userId, sos));
}

/** A provisional incident may not know its citizen yet; the hub decides then. */
function isOwn(userId: string, sos: SosState): boolean {
  return sos.citizenId === null || sos.citizenId === userId;
}

export function mayAcknowledge(role: PanelRole, sos: SosState): boolean {
  return role !== "citizen" && !isFinal(sos.status) && sos.acknowledgedBy === null;
}
