/**
 * The words of the hub's incident protocol as TypeScript types, and nothing else.
 * Times are milliseconds since 1970 UTC; what is not set is null.
 */

export type Role = "citizen" | "rescuer" | "dispatcher" | "admin" | "system";

/** The roles that this page can play. */
export type PanelRole = "citizen" | "rescuer" | "dispatcher";
export const PANEL_ROLES: readonly PanelRole[] = ["citizen", "rescuer", "dispatcher"];

export type Status =
  | "active" | "assigned" | "en_route" | "arrived" | "responding" | "resolved" | "completed"
  | "cancelled" | "rejected" | "fake" | "closed";

export interface Fix {
  userId: string;
  role: Role;
  latitude: number;
  longitude: number;
  accuracy: number | null;
  heading: number | null;
  speed: number | null;
  altitude: number | null;
  deviceId: string | null;
  fixTime: number;
  timestamp: number;
}

export interface Responder {
  userId: string;
  status: Status;
  assignedAt: number | null;
  acknowledgedAt: number | null;
  arrivedAt: number | null;
}

export interface Member {
  userId: string;
  role: Role;
  online: boolean;
  lastSeen: number | null;
  sockets: number;
}

export interface SosState {
  sosId: string;
  citizenId: string | null;
  status: Status;
  type: string | null;
  soNo: string | null;
  address: unknown;
  createdAt: number | null;
  updatedAt: number | null;
  lastLocationUpdate: number | null;
  acknowledgedBy: string | null;
  acknowledgedAt: number | null;
  closedAt: number | null;
  closedBy: string | null;
  reason: string | null;
  provisional?: boolean;
  responders: Responder[];
  locations: (Fix & { ageMs?: number })[];
  members: Member[];
}

export interface StatusBroadcast {
  sosId: string;
  status: Status;
  oldStatus: Status;
  updatedBy: string;
  responderId?: string | null;
  responderStatus?: Status | null;
  note?: string | null;
  timestamp: number;
}

export interface CloseEvent {
  sosId: string;
  status: Status;
  closedBy: string | null;
  reason: string | null;
  timestamp: number;
}

export interface Acknowledged {
  sosId: string;
  userId: string;
  role: Role;
  timestamp: number;
}

export interface Joined {
  sosId: string;
  userId: string;
  role: Role;
  action: string;
  timestamp: number;
}

export interface Message {
  sosId?: string;
  messageId: string;
  clientMessageId?: string | null;
  userId: string;
  role: Role;
  text: string;
  timestamp: number;
}

export interface HubFailure {
  code: string;
  message?: string;
  event?: string;
  sosId?: string;
}

/** Who is there: the whole list, or of a large room what has changed. */
export interface PresenceUpdate {
  sosId: string;
  count?: number;
  members?: Member[];
  joined?: Member[];
  left?: string[];
}

/** Every event that the hub may send to this page, by name. */
export interface HubEvents {
  "sos:state": SosState;
  "sos:init": Joined;
  "sos:status:broadcast": StatusBroadcast;
  "sos:close": CloseEvent;
  "sos:acknowledged": Acknowledged;
  "sos:unacknowledged": { sosId: string; timestamp?: number };
  "sos:created": SosState;
  "sos:expired": { sosId: string; timestamp?: number };
  "location:broadcast": Fix & { sosId: string };
  "message:broadcast": Message & { sosId: string };
  "presence:update": PresenceUpdate;
}

/** One arrived event with its name: what the reducers take. */
export type HubEvent = { [K in keyof HubEvents]: { name: K; data: HubEvents[K] } }[keyof HubEvents];

export const HUB_EVENT_NAMES: readonly (keyof HubEvents)[] = [
  "sos:state", "sos:init", "sos:status:broadcast", "sos:close", "sos:acknowledged", "sos:unacknowledged",
  "sos:created", "sos:expired", "location:broadcast", "message:broadcast", "presence:update",
];

/** Incident ids as the hub accepts them. */
export const SOS_ID = /^[A-Za-z0-9_.-]{1,128}$/;
