/** Incidents (SOS): the namespace `/`. */

import type { IncidentsHears, IncidentsSays } from "../generated/events.js";
import { HubSocket, type AskOptions, type ConnectOptions } from "../socket/hub-socket.js";
import { Positions, type PositionOptions } from "./positions.js";

/** The state of an incident. */
export type SosState = IncidentsHears["sos:state"];

export type IncidentOptions = ConnectOptions;

/** Connects to the namespace of incidents. */
export function connectIncidents(options: IncidentOptions): Incidents {
  return new Incidents(options);
}

export class Incidents extends HubSocket<IncidentsHears, IncidentsSays> {
  readonly #positions = new Set<Positions>();

  constructor(options: IncidentOptions) {
    super("/", options);
  }

  /**
   * Joins an incident, and joins it again whenever the hub does not know this client any more. Resolves with the state; each later one comes to
   * `on("sos:state")`. An incident that is over answers with its state. It waits for a connection as long as it takes; `signal` ends that.
   */
  async follow(sosId: string, signal?: AbortSignal): Promise<SosState> {
    const { data } = await this.keep(`sos:init ${sosId}`, () => this.emitWithAck("sos:init", { sosId }), signal);
    return data;
  }

  /** Leaves an incident. */
  async unfollow(sosId: string, options?: AskOptions): Promise<void> {
    this.drop(`sos:init ${sosId}`);
    // Without a connection there is no room to leave: the next session joins what is followed then.
    if (this.connected) await this.emitWithAck("sos:leave", { sosId }, options);
  }

  /**
   * Watches all incidents (dispatcher, admin), also after a connection that was not recovered. `onActive` gets those that are active: at first, and
   * again whenever something may have been missed.
   */
  async watch(onActive?: (active: SosState[]) => void, signal?: AbortSignal): Promise<SosState[]> {
    return this.keep("sos:watch", async () => {
      const { active } = await this.emitWithAck("sos:watch");
      onActive?.(active);
      return active;
    }, signal);
  }

  async unwatch(options?: AskOptions): Promise<void> {
    this.drop("sos:watch");
    if (this.connected) await this.emitWithAck("sos:unwatch", {}, options);
  }

  /** A queue of this device's positions for an incident. */
  positions(sosId: string, options: PositionOptions = {}): Positions {
    const positions = new Positions(sosId, {
      connected: () => this.connected,
      update: (position) => this.emitWithAck("location:update", position),
      batch: (points) => this.emitWithAck("location:batch", points),
      onConnect: (listener) => this.onConnect(listener),
    }, options);
    this.#positions.add(positions);
    return positions;
  }

  override close(): void {
    for (const positions of this.#positions) positions.close();
    this.#positions.clear();
    super.close();
  }
}

