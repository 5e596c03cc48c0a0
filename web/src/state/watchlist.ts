/** The dispatcher's list of active incidents, as a pure reducer. */

import type { HubEvent, SosState } from "../hub/words";
import { emptyIncident, reduce, type Incident } from "./incident";
import { isFinal } from "./status";

export interface Watched {
  sos: SosState;
  overdue: boolean;
  /** When it ended, by this page's clock: it stays in view for a moment. */
  endedAt: number | null;
}

export type Watchlist = Record<string, Watched>;

/** How long an ended incident stays on the list. */
export const LINGER_MS = 20_000;

/** The answer of `sos:watch`: the list as it is now. What ended a moment ago may linger. */
export function watchAnswer(list: Watchlist, active: SosState[]): Watchlist {
  const lingering = Object.entries(list).filter(([, entry]) => entry.endedAt !== null);
  return Object.fromEntries([
    ...lingering,
    ...active.map((sos): [string, Watched] => [sos.sosId, { sos: fill(sos), overdue: list[sos.sosId]?.overdue ?? false, endedAt: null }]),
  ]);
}

export function watchEvent(list: Watchlist, event: HubEvent, at: number): Watchlist {
  const { sosId } = event.data;
  const known = list[sosId];
  if (event.name === "sos:created" || (event.name === "sos:state" && known === undefined)) {
    const sos = fill(event.data);
    if (isFinal(sos.status)) return list;
    return { ...list, [sosId]: { sos, overdue: false, endedAt: null } };
  }
  if (known === undefined) return list;
  const seen: Incident = reduce({ ...emptyIncident(sosId), sos: known.sos, overdue: known.overdue }, { type: "event", event, at });
  if (seen.sos === null) return list;
  const locations = event.name === "location:broadcast"
    ? [...known.sos.locations.filter((fix) => fix.userId !== event.data.userId), event.data]
    : seen.sos.locations;
  const endedAt = isFinal(seen.sos.status) ? known.endedAt ?? at : null;
  return { ...list, [sosId]: { sos: { ...seen.sos, locations }, overdue: seen.overdue, endedAt } };
}

/** Takes out what ended long enough ago. Returns the same object when nothing did. */
export function sweep(list: Watchlist, now: number): Watchlist {
  const kept = Object.entries(list).filter(([, entry]) => entry.endedAt === null || now - entry.endedAt < LINGER_MS);
  return kept.length === Object.keys(list).length ? list : Object.fromEntries(kept);
}

/** Unacknowledged first (the overdue ones on top), then the oldest; ended ones last. */
export function inOrder(list: Watchlist): Watched[] {
  const rank = (entry: Watched): number =>
    entry.endedAt !== null ? 3 : entry.overdue ? 0 : entry.sos.acknowledgedBy === null ? 1 : 2;
  return Object.values(list).sort((a, b) => rank(a) - rank(b) || (a.sos.createdAt ?? 0) - (b.sos.createdAt ?? 0));
}

function fill(sos: SosState): SosState {
  return { ...sos, responders: sos.responders ?? [], locations: sos.locations ?? [], members: sos.members ?? [] };
}
