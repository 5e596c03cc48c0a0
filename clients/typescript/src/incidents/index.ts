/** `@convoke/client/incidents` */
export { connectIncidents, Incidents, type IncidentOptions, type SosState } from "./incidents.js";
export { MAX_POINTS, Positions, type Position, type PositionDoor, type PositionOptions, type Tally, type Waiting } from "./positions.js";
export { membersAfter, type Member } from "./presence.js";
export type { IncidentsCode, IncidentsHears, IncidentsSays } from "../generated/events.js";
export * from "../common.js";
