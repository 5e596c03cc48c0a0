/** Who is in an incident: the list of `sos:state`, brought up to date by `presence:update`. */

import type { IncidentsHears } from "../generated/events.js";

export type Member = IncidentsHears["sos:state"]["members"][number];

/** The list after an update, which brings all of it or, in a large room, its changes. */
export function membersAfter(members: readonly Member[], { members: all, joined, left }: IncidentsHears["presence:update"]): Member[] {
  if (all != null) return all;
  const changed = joined ?? [];
  const gone = new Set([...(left ?? []), ...changed.map(({ userId }) => userId)]);
  return [...members.filter(({ userId }) => !gone.has(userId)), ...changed];
}
