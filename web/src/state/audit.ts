/** The audit trail: each event that a panel sees as one plain sentence. */

import type { HubEvent, Status } from "../hub/words";
import { isFinal, statusLabel } from "./status";

export type AuditKind = "status" | "ack" | "people" | "message" | "end" | "alert" | "link";

export interface AuditEntry {
  /** The same happening has the same key, so that a repeat is not listed twice. */
  key: string;
  at: number;
  kind: AuditKind;
  /** Who did it; empty where nobody did. */
  actor: string;
  text: string;
  note?: string;
}

/** What is known before the event arrives. */
export interface Before {
  sos: { status: Status; members: { userId: string; online: boolean }[] } | null;
}

/** The entry for an event, or null where the trail has nothing to say. */
export function auditOf(event: HubEvent, before: Before, at: number): AuditEntry | null {
  switch (event.name) {
    case "sos:state":
    case "sos:created": {
      if (before.sos !== null) return null;
      const { createdAt, citizenId, status } = event.data;
      const now = status === "active" ? "" : `, now “${statusLabel(status)}”`;
      return {
        key: "created", at: createdAt ?? at, kind: "alert", actor: citizenId ?? "",
        text: citizenId === null ? `Incident opened${now}` : `called for help${now}`,
      };
    }
    case "sos:init":
      return {
        key: `init ${event.data.userId} ${event.data.timestamp}`, at: event.data.timestamp, kind: "people",
        actor: event.data.userId ?? "", text: `joined as ${event.data.role}`,
      };
    case "sos:status:broadcast": {
      const { status, oldStatus, updatedBy, responderId, responderStatus, note, timestamp } = event.data;
      const moved = responderId && responderStatus && (status === oldStatus || responderStatus !== status);
      const whose = responderId && responderId !== updatedBy ? ` for ${responderId}` : "";
      const text = moved && responderStatus != null
        ? `is “${statusLabel(responderStatus)}”${whose}`
        : `${statusLabel(oldStatus)} → ${statusLabel(status)}`;
      return {
        key: `status ${updatedBy} ${status} ${responderStatus ?? ""} ${timestamp}`, at: timestamp,
        kind: isFinal(status) ? "end" : "status", actor: updatedBy ?? "", text, ...(note ? { note } : {}),
      };
    }
    case "sos:close": {
      const { closedBy, status, reason, timestamp } = event.data;
      return {
        key: "close", at: timestamp, kind: "end", actor: closedBy ?? "", text: `ended the incident: ${statusLabel(status).toLowerCase()}`,
        ...(reason ? { note: reason } : {}),
      };
    }
    case "sos:acknowledged":
      return {
        key: `ack ${event.data.userId}`, at: event.data.timestamp, kind: "ack", actor: event.data.userId ?? "",
        text: `has seen the call (${event.data.role})`,
      };
    case "sos:unacknowledged":
      return { key: "unacknowledged", at: event.data.timestamp ?? at, kind: "alert", actor: "", text: "Nobody has acknowledged the call in time" };
    case "sos:expired":
      return { key: "close", at: event.data.timestamp ?? at, kind: "end", actor: "system", text: "ended the incident: expired" };
    case "message:broadcast":
      return {
        key: `message ${event.data.messageId}`, at: event.data.timestamp, kind: "message", actor: event.data.userId ?? "",
        text: "wrote a message",
      };
    case "presence:update": {
      const was = new Map((before.sos?.members ?? []).map((member) => [member.userId, member.online]));
      const changed = (event.data.members ?? event.data.joined ?? []).filter((member) => was.get(member.userId) !== undefined && was.get(member.userId) !== member.online);
      const first = changed[0];
      if (first === undefined) return null;
      return {
        key: `presence ${first.userId} ${first.online} ${at}`, at, kind: "people", actor: first.userId,
        text: first.online ? "is back online" : "went offline",
      };
    }
    case "location:broadcast":
      return null;
  }
}
