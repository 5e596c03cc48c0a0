/** A connection as a panel shows it: where it stands, which way it goes, how long that takes, and what time it is at the hub. */

import type { Incidents, LinkState } from "@convoke/client";
import { Store } from "../state/store";

export interface Link {
  phase: LinkState;
  transport: string | null;
  rttMs: number | null;
  /** Server time minus this machine's time, from the fastest ping so far. */
  clockOffsetMs: number;
}

const PING_EVERY_MS = 4000;

export class Connection {
  readonly link: Store<Link>;
  #bestRtt = Infinity;

  constructor(readonly hub: Incidents) {
    this.link = new Store<Link>({ phase: hub.state, transport: null, rttMs: null, clockOffsetMs: 0 });
    let pings: ReturnType<typeof setInterval> | undefined;
    hub.onState((phase) => {
      clearInterval(pings);
      this.link.update((link) => ({ ...link, phase, ...(phase.name === "connected" ? {} : { transport: null, rttMs: null }) }));
      if (phase.name !== "connected") return;
      this.#watchTransport();
      this.#ping();
      pings = setInterval(() => this.#ping(), PING_EVERY_MS);
    });
    hub.on("pong", (data) => this.#pong(data));
  }

  get connected(): boolean {
    return this.hub.connected;
  }

  #watchTransport(): void {
    const { engine } = this.hub.socket.io;
    const show = (): void => this.link.update((link) => ({ ...link, transport: engine.transport.name }));
    show();
    engine.on("upgrade", show);
  }

  #ping(): void {
    // Volatile: a ping that cannot go out now says nothing later.
    this.hub.socket.volatile.emit("ping", { sentAt: Math.round(performance.now()) });
  }

  #pong({ sentAt, respondedAt }: { sentAt?: unknown; respondedAt: number }): void {
    if (typeof sentAt !== "number") return;
    const rttMs = Math.max(0, Math.round(performance.now() - sentAt));
    const best = rttMs <= this.#bestRtt;
    if (best) this.#bestRtt = rttMs;
    this.link.update((link) => ({ ...link, rttMs, clockOffsetMs: best ? respondedAt + rttMs / 2 - Date.now() : link.clockOffsetMs }));
  }
}
