/** A socket in the namespace `/interview`: connects, comes back by itself, asks with acks. */

import { io, type Socket } from "socket.io-client";
import { HubError } from "../errors";
import type { HubFailure } from "../protocol";
import { Store } from "../state/store";

export type LinkState = { name: "connecting" } | { name: "connected"; recovered: boolean } | { name: "lost" } | { name: "refused"; failure: HubFailure };

/** Acks are waited for this long, unless the caller says otherwise. */
const ACK_MS = 6000;
const HEARTBEAT_MS = 30_000;

export class LiveSocket {
  readonly link = new Store<LinkState>({ name: "connecting" });
  readonly socket: Socket;
  readonly #heartbeat: ReturnType<typeof setInterval>;

  constructor(token: string, userType: "candidate" | "recruiter", transports: string[], onFailure: (failure: HubFailure) => void, onConnected: (recovered: boolean) => void) {
    this.socket = io("/interview", { auth: { token }, query: { userType }, transports, forceNew: true, reconnectionDelayMax: 3000 });
    let last: HubFailure | undefined;
    this.socket.on("connect", () => {
      last = undefined;
      this.link.set({ name: "connected", recovered: this.socket.recovered });
      onConnected(this.socket.recovered);
    });
    this.socket.on("connect_error", (error: Error & { data?: { code?: string } }) => {
      // Without a code it was the network, and the client tries again.
      if (error.data?.code !== undefined) this.link.set({ name: "refused", failure: { code: error.data.code, message: error.message } });
      else this.link.set({ name: "lost" });
    });
    this.socket.on("disconnect", (reason) => {
      this.link.set(reason === "io server disconnect" ? { name: "refused", failure: last ?? { code: "FORBIDDEN", message: "The hub ended this connection." } } : { name: "lost" });
    });
    this.socket.on("error", (failure: HubFailure) => {
      last = failure;
      onFailure(failure);
    });
    // Only a candidate that sends these is missed by them; a recruiter's keep the session of its token in use.
    this.#heartbeat = setInterval(() => { if (this.socket.connected) this.socket.emit("heartbeat"); }, HEARTBEAT_MS);
  }

  get connected(): boolean {
    return this.socket.connected;
  }

  /** Calls the listener with the payload of an event. What follows it (the hub's offset) is the client's business. */
  on<T>(event: string, listener: (data: T) => void): void {
    this.socket.on(event, (data: T) => listener(data));
  }

  emit(event: string, payload: object): void {
    this.socket.emit(event, payload);
  }

  /** Sends an event and waits for its ack. Throws a HubError: the hub's own code, `NO_ANSWER` or `NETWORK`. */
  async request<T extends object>(event: string, payload: object, patienceMs = ACK_MS): Promise<T> {
    if (!this.connected) throw new HubError("NETWORK");
    let answer: unknown;
    try {
      answer = await this.socket.timeout(patienceMs).emitWithAck(event, payload);
    } catch {
      throw new HubError(this.connected ? "NO_ANSWER" : "NETWORK");
    }
    const reply = (answer ?? {}) as { ok?: boolean; code?: string; message?: string };
    if (reply.ok !== true) throw new HubError(reply.code ?? "INTERNAL", reply.message);
    return reply as T;
  }

  close(): void {
    clearInterval(this.#heartbeat);
    this.socket.disconnect();
  }
}
