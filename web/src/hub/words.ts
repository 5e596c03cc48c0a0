/** The words of incidents that this page shows: types of the client, by the names that they have here. */

import type { Heard, IncidentsHears } from "@convoke/client";

type Hears<Name extends keyof IncidentsHears> = IncidentsHears[Name];

export type Fix = Hears<"location:broadcast">;
/** Positions in a state say how old they are too, which the page counts by itself. */
export interface SosState extends Omit<Hears<"sos:state">, "locations"> {
  locations: Fix[];
}
export type Status = Hears<"sos:state">["status"];
export type Responder = Hears<"sos:state">["responders"][number];
export type Member = Hears<"sos:state">["members"][number];
export type Message = Hears<"message:broadcast">;

/** The events that change what a panel shows. */
export const SHOWN = [
  "sos:state", "sos:init", "sos:status:broadcast", "sos:close", "sos:acknowledged", "sos:unacknowledged", "sos:created", "sos:expired",
  "location:broadcast", "message:broadcast", "presence:update",
] as const satisfies readonly (keyof IncidentsHears)[];
export type HubEvents = { [Name in (typeof SHOWN)[number]]: Name extends "sos:state" | "sos:created" ? SosState : Hears<Name> };
/** One arrived event with its name: what the reducers take. */
export type HubEvent = Heard<HubEvents>;

/** The roles that this page can play. */
export type PanelRole = "citizen" | "rescuer" | "dispatcher";
export const PANEL_ROLES: readonly PanelRole[] = ["citizen", "rescuer", "dispatcher"];

/** Incident ids as the hub accepts them. */
export const SOS_ID = /^[A-Za-z0-9_.-]{1,128}$/;
