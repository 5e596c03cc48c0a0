/**
 * What one panel knows of one incident, as a pure reducer: events in, a new state out.
 * It knows nothing of sockets, clocks or the page; the time of arrival comes with each action.
 */

import { membersAfter } from "@convoke/client";
import type { Fix, HubEvent, Member, Message, Responder, SosState, Status } from "../hub/words";
import type { Point } from "../geo/geo";
import { distance } from "../geo/geo";
import { auditOf, type AuditEntry } from "./audit";
import { isFinal } from "./status";
import { addOptimistic, markMessage, mergeMessages, type ChatMessage, type Delivery } from "./messages";

export interface Incident {
  sosId: string;
  sos: SosState | null;
  /** The newest fix of each user. */
  fixes: Record<string, Fix>;
  /** Where each user has been, oldest first. */
  trails: Record<string, Point[]>;
  messages: ChatMessage[];
  /** The id to ask for older messages with; null: no more; undefined: not asked yet. */
  olderBefore: string | null | undefined;
  audit: AuditEntry[];
  /** How many positions were received, by user. Positions are too many for the audit trail. */
  fixCount: Record<string, number>;
  /** Nobody acknowledged in time. */
  overdue: boolean;
}

export type Action =
  | { type: "event"; event: HubEvent; at: number }
  | { type: "fix:local"; fix: Fix }
  | { type: "message:sending"; message: Message & { clientMessageId: string } }
  | { type: "message:delivery"; clientMessageId: string; delivery: Delivery; messageId?: string; timestamp?: number; code?: string }
  | { type: "message:history"; messages: Message[]; nextBefore: string | null; first: boolean }
  | { type: "note"; entry: AuditEntry };

/** Longest trail kept, in points, and longest audit trail, in entries. */
const TRAIL_POINTS = 800;
const AUDIT_ENTRIES = 500;

export function emptyIncident(sosId: string): Incident {
  return {
    sosId, sos: null, fixes: {}, trails: {}, messages: [], olderBefore: undefined, audit: [], fixCount: {}, overdue: false,
  };
}

export function reduce(incident: Incident, action: Action): Incident {
  switch (action.type) {
    case "event":
      return applyEvent(incident, action.event, action.at);
    case "fix:local":
      return withFix(incident, action.fix);
    case "message:sending":
      return { ...incident, messages: addOptimistic(incident.messages, action.message) };
    case "message:delivery":
      return { ...incident, messages: markMessage(incident.messages, action) };
    case "message:history":
      return {
        ...incident,
        messages: mergeMessages(incident.messages, action.messages),
        // A later look at the newest page must not forget how far back we have read.
        olderBefore: action.first && incident.olderBefore !== undefined ? incident.olderBefore : action.nextBefore,
      };
    case "note":
      return withAudit(incident, action.entry);
  }
}

function applyEvent(incident: Incident, event: HubEvent, at: number): Incident {
  if (event.data.sosId !== undefined && event.data.sosId !== incident.sosId) return incident;
  const next = withData(incident, event, at);
  const entry = auditOf(event, incident, at);
  return entry === null ? next : withAudit(next, entry);
}

function withData(incident: Incident, event: HubEvent, at: number): Incident {
  switch (event.name) {
    case "sos:state":
    case "sos:created": {
      const fresh: Incident = { ...incident, sos: normalise(event.data), overdue: incident.overdue && event.data.acknowledgedBy === null };
      return (event.data.locations ?? []).reduce<Incident>((sum, fix) => withFix(sum, fix), fresh);
    }
    case "sos:status:broadcast": {
      const { status, responderId, responderStatus, timestamp } = event.data;
      return withSos(incident, (sos) => ({
        ...sos,
        status,
        updatedAt: timestamp,
        responders: responderId ? withResponder(sos.responders, responderId, responderStatus ?? status, timestamp) : sos.responders,
        ...(isFinal(status) && sos.closedAt === null ? { closedAt: timestamp, closedBy: event.data.updatedBy, reason: event.data.note ?? sos.reason } : {}),
      }));
    }
    case "sos:close": {
      const { status, closedBy, reason, timestamp } = event.data;
      return withSos(incident, (sos) => ({ ...sos, status: status ?? "closed", closedBy, reason, closedAt: timestamp, updatedAt: timestamp }));
    }
    case "sos:acknowledged": {
      const { userId, timestamp } = event.data;
      const next = withSos(incident, (sos) => ({
        ...sos,
        acknowledgedBy: sos.acknowledgedBy ?? userId,
        acknowledgedAt: sos.acknowledgedAt ?? timestamp,
        responders: sos.responders.map((entry) =>
          entry.userId === userId ? { ...entry, acknowledgedAt: entry.acknowledgedAt ?? timestamp } : entry),
      }));
      return { ...next, overdue: false };
    }
    case "sos:unacknowledged":
      return { ...incident, overdue: incident.sos?.acknowledgedBy == null };
    case "sos:expired":
      return withSos(incident, (sos) => ({ ...sos, status: "closed", closedBy: "system", reason: "expired", closedAt: event.data.timestamp ?? at }));
    case "location:broadcast": {
      const { userId } = event.data;
      const next = withFix(incident, event.data);
      return { ...next, fixCount: { ...next.fixCount, [userId]: (next.fixCount[userId] ?? 0) + 1 } };
    }
    case "message:broadcast":
      return { ...incident, messages: mergeMessages(incident.messages, [event.data]) };
    case "presence:update":
      return withSos(incident, (sos) => ({ ...sos, members: membersAfter(sos.members, event.data) }));
    case "sos:init":
      return incident;
  }
}

/** A snapshot from the network with its lists present, whatever was left out. */
function normalise(sos: SosState): SosState {
  return { ...sos, responders: sos.responders ?? [], locations: sos.locations ?? [], members: sos.members ?? [] };
}

function withSos(incident: Incident, change: (sos: SosState) => SosState): Incident {
  return incident.sos === null ? incident : { ...incident, sos: change(incident.sos) };
}

function withResponder(responders: Responder[], userId: string, status: Status, timestamp: number): Responder[] {
  const present = responders.find((entry) => entry.userId === userId);
  const entry: Responder = present ?? { userId, status, assignedAt: timestamp, acknowledgedAt: null, arrivedAt: null };
  const changed = { ...entry, status, arrivedAt: status === "arrived" ? timestamp : entry.arrivedAt };
  return present ? responders.map((other) => (other === present ? changed : other)) : [...responders, changed];
}

/**
 * Takes a fix unless one that arrived later is known; the trail grows only by real movement. Fix times say nothing here: they
 * are the clocks of phones, which may be slow or be set back.
 */
function withFix(incident: Incident, fix: Fix): Incident {
  const known = incident.fixes[fix.userId];
  if (known && known.timestamp > fix.timestamp) return incident;
  const trail = incident.trails[fix.userId] ?? [];
  const last = trail[trail.length - 1];
  const moved = last === undefined || distance(last, fix) >= 1.5;
  const point = { latitude: fix.latitude, longitude: fix.longitude };
  return {
    ...incident,
    fixes: { ...incident.fixes, [fix.userId]: fix },
    trails: moved ? { ...incident.trails, [fix.userId]: [...trail, point].slice(-TRAIL_POINTS) } : incident.trails,
  };
}

function withAudit(incident: Incident, entry: AuditEntry): Incident {
  if (incident.audit.some((known) => known.key === entry.key)) return incident;
  return { ...incident, audit: [...incident.audit, entry].slice(-AUDIT_ENTRIES) };
}

/** After this long without a fix a position is shown as old. */
const STALE_MS = 20_000;

/** How old a position is: since it was measured, or since it arrived if the phone's clock is ahead. */
export function ageOf(fix: Fix, now: number): number {
  return Math.max(0, now - Math.min(fix.fixTime, fix.timestamp));
}

/** Since when a stale position has stood; null: it is fresh. */
export function staleSince(fix: Fix, now: number): number | null {
  return ageOf(fix, now) > STALE_MS ? Math.min(fix.fixTime, fix.timestamp) : null;
}

/** The members of an incident, those who are online first, then by name. */
export function membersInOrder(incident: Incident): Member[] {
  return [...(incident.sos?.members ?? [])].sort(
    (a, b) => Number(b.online) - Number(a.online) || a.userId.localeCompare(b.userId));
}

/** The citizen's newest fix, and that of the rescuer who matters to this viewer (its own, else the nearest). */
export function pairOf(incident: Incident, viewerId: string): { citizen: Fix | null; rescuer: Fix | null } {
  const fixes = Object.values(incident.fixes);
  const citizen = fixes.find((fix) => fix.userId === incident.sos?.citizenId) ?? fixes.find((fix) => fix.role === "citizen") ?? null;
  const rescuers = fixes.filter((fix) => fix.role === "rescuer");
  const own = rescuers.find((fix) => fix.userId === viewerId);
  const nearest = citizen === null ? rescuers[0] : rescuers.sort((a, b) => distance(a, citizen) - distance(b, citizen))[0];
  return { citizen, rescuer: own ?? nearest ?? null };
}
