import type { Fix, HubEvent, HubEvents, Message, SosState } from "../src/hub/words";
import { emptyIncident, reduce, type Incident } from "../src/state/incident";

export const NOW = 1_800_000_000_000;

export function state(change: Partial<SosState> = {}): SosState {
  return {
    sosId: "s1", citizenId: "u1", status: "active", type: null, soNo: null, address: null, createdAt: NOW, updatedAt: NOW,
    lastLocationUpdate: null, acknowledgedBy: null, acknowledgedAt: null, closedAt: null, closedBy: null, reason: null,
    responders: [], locations: [], members: [], ...change,
  };
}

export function fix(change: Partial<Fix> = {}): Fix & { sosId: string } {
  return {
    sosId: "s1", userId: "u1", role: "citizen", latitude: 14.6, longitude: 120.98, accuracy: 10, heading: null, speed: null,
    altitude: null, deviceId: "d", fixTime: NOW, timestamp: NOW, ...change,
  };
}

export function message(change: Partial<Message> = {}): Message & { sosId: string } {
  return { sosId: "s1", messageId: `${NOW}-0`, clientMessageId: null, userId: "u1", role: "citizen", text: "hello", timestamp: NOW, ...change };
}

export function event<K extends keyof HubEvents>(name: K, data: HubEvents[K]): HubEvent {
  return { name, data } as HubEvent;
}

/** The incident after these events, each a millisecond after the one before. */
export function after(...events: HubEvent[]): Incident {
  return events.reduce((incident, each, index) => reduce(incident, { type: "event", event: each, at: NOW + index }), emptyIncident("s1"));
}
