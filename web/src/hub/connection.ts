/**
 * One socket to the hub with a life that can be shown: connecting, connected, waiting with a countdown, refused.
 *
 * The official client's own reconnection hides its delay, so it is off and the same backoff is kept here, where the
 * page can count it down and a person can cut it short. Recovery is untouched: the client sends its `pid` and
 * offset again and `socket.recovered` tells whether the hub delivered what was missed.
 */

import { io, type Socket } from "socket.io-client";
import { HubError, toFailure } from "../errors";
import { HUB_EVENT_NAMES, type HubEvent, type HubFailure } from "../protocol";
import { Store } from "../state/store";

export type Phase =
  | { name: "idle" }
  | { name: "connecting"; attempt: number }
  | { name: "connected"; recovered: boolean }
  | { name: "waiting"; attempt: number; retryAt: number; failure: HubFailure }
  | { name: "held" }
  | { name: "refused"; failure: HubFailure };

export interface Link {
  phase: Phase;
  transport: string | null;
  rttMs: number | null;
  /** Server time minus this machine's time, from the fastest ping so far. */
  clockOffsetMs: number;
}

export interface ConnectionOptions {
  transports: string[];
  /** A token that is valid now. `renew` asks for one that was not used before. */
  token: (renew: boolean) => Promise<string>;
  onEvent: (event: HubEvent) => void;
  onFailure: (failure: HubFailure) => void;
  onConnected: (recovered: boolean) => void;
}

/** Acks are waited for this long. */
export const ACK_MS = 6000;
/** From opening to the hub's CONNECT. */
const CONNECT_MS = 12_000;
const PING_EVERY_MS = 4000;
const BACKOFF_FIRST_MS = 1000;
const BACKOFF_MAX_MS = 8000;
/** Codes of CONNECT_ERROR that a new token may cure. */
const TOKEN_CODES = new Set(["MISSING_TOKEN", "INVALID_TOKEN", "TOKEN_EXPIRED"]);

export class Connection {
  readonly link = new Store<Link>({ phase: { name: "idle" }, transport: null, rttMs: null, clockOffsetMs: 0 });
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  #attempt = 0;
  #tokenRefusals = 0;
  #lastFailure: HubFailure | undefined;
  #renewToken = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #pingTimer: ReturnType<typeof setInterval> | undefined;
  #bestRtt = Infinity;
  #waiters = new Set<() => void>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = io("/", { autoConnect: false, reconnection: false, forceNew: true, timeout: 8000, transports: options.transports });
    this.#listen();
    window.addEventListener("online", this.#comeBack);
    document.addEventListener("visibilitychange", this.#comeBack);
  }

  get connected(): boolean {
    return this.link.value.phase.name === "connected";
  }

  /** Opens the connection, or cuts a wait short. */
  async open(): Promise<void> {
    const { phase } = this.link.value;
    if (phase.name === "connecting" || phase.name === "connected") return;
    clearTimeout(this.#retryTimer);
    this.#attempt += 1;
    this.#phase({ name: "connecting", attempt: this.#attempt });
    try {
      const token = await this.#options.token(this.#renewToken);
      this.#renewToken = false;
      if (this.link.value.phase.name !== "connecting") return;
      this.#socket.auth = { token };
      this.#socket.connect();
      this.#giveUpIn(CONNECT_MS);
    } catch (thrown) {
      if (this.link.value.phase.name === "connecting") this.#retryLater(toFailure(thrown));
    }
  }

  /** Cuts the transport as a lost network would, and stays offline until `open`. */
  hold(): void {
    clearTimeout(this.#retryTimer);
    this.#phase({ name: "held" });
    // Without a DISCONNECT packet: to the hub this is a phone in a tunnel, and the session can be recovered.
    this.#socket.io.engine?.close();
    // A CONNECT that was still under way must not surface later.
    if (!this.#socket.connected) this.#socket.io._close();
  }

  /** Ends the connection for good. */
  close(): void {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#pingTimer);
    window.removeEventListener("online", this.#comeBack);
    document.removeEventListener("visibilitychange", this.#comeBack);
    this.#phase({ name: "idle" });
    this.#socket.disconnect();
  }

  /** Sends an event and waits for its ack. Throws a HubError: the hub's own code, `NO_ANSWER` or `NETWORK`. */
  async request<T extends object>(event: string, payload: object): Promise<T & { ok: true }> {
    if (!this.connected) throw new HubError("NETWORK");
    let answer: unknown;
    try {
      answer = await this.#socket.timeout(ACK_MS).emitWithAck(event, payload);
    } catch {
      throw new HubError(this.connected ? "NO_ANSWER" : "NETWORK");
    }
    const reply = (answer ?? {}) as { ok?: boolean; code?: string; message?: string };
    if (reply.ok !== true) throw new HubError(reply.code ?? "INTERNAL", reply.message);
    return reply as T & { ok: true };
  }

  /** Resolves when connected, at once if it is. */
  whenConnected(): Promise<void> {
    if (this.connected) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.add(resolve));
  }

  /** Ends an attempt that the hub neither accepts nor refuses. */
  #giveUpIn(ms: number): void {
    const { phase } = this.link.value;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => {
      if (this.link.value.phase !== phase) return;
      this.#retryLater({ code: "NO_ANSWER" });
      this.#socket.io.engine?.close();
    }, ms);
  }

  #listen(): void {
    const socket = this.#socket;
    for (const name of HUB_EVENT_NAMES) {
      // The hub's offset follows as a last argument; it is the client's business, not ours.
      socket.on(name, (data: unknown) => {
        if (data !== null && typeof data === "object") this.#options.onEvent({ name, data } as HubEvent);
      });
    }
    socket.on("connect", () => {
      clearTimeout(this.#retryTimer);
      this.#attempt = 0;
      this.#tokenRefusals = 0;
      this.#lastFailure = undefined;
      const recovered = socket.recovered;
      this.#phase({ name: "connected", recovered });
      this.#watchTransport();
      this.#startPings();
      for (const resolve of this.#waiters) resolve();
      this.#waiters.clear();
      this.#options.onConnected(recovered);
    });
    socket.on("connect_error", (error: Error & { data?: { code?: string } }) => {
      if (this.link.value.phase.name !== "connecting") return;
      const code = error.data?.code;
      if (code === undefined) return this.#retryLater({ code: "NETWORK" });
      if (TOKEN_CODES.has(code) && this.#tokenRefusals < 2) {
        this.#tokenRefusals += 1;
        this.#renewToken = true;
        return this.#retryLater({ code });
      }
      this.#phase({ name: "refused", failure: { code, message: error.message } });
    });
    socket.on("disconnect", (reason) => {
      clearInterval(this.#pingTimer);
      const { phase } = this.link.value;
      if (phase.name === "held" || phase.name === "idle" || phase.name === "waiting") return;
      if (reason === "io server disconnect") {
        if (this.#lastFailure?.code === "TOKEN_EXPIRED") {
          this.#renewToken = true;
          return this.#retryLater(this.#lastFailure);
        }
        this.#phase({ name: "refused", failure: this.#lastFailure ?? { code: "FORBIDDEN", message: "The hub ended this connection." } });
        return;
      }
      this.#retryLater({ code: "NETWORK" });
    });
    socket.on("error", (failure: HubFailure) => {
      this.#lastFailure = failure;
      this.#options.onFailure(failure);
    });
    socket.on("auth:expiring", () => void this.#refreshToken());
    socket.on("pong", (data: { sentAt?: number; respondedAt?: number } | null) => this.#pong(data ?? {}));
  }

  async #refreshToken(): Promise<void> {
    try {
      const token = await this.#options.token(true);
      await this.request("auth:refresh", { token });
      this.#socket.auth = { token };
    } catch (thrown) {
      this.#options.onFailure({ ...toFailure(thrown), event: "auth:refresh" });
    }
  }

  #retryLater(failure: HubFailure): void {
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.max(0, this.#attempt - 1));
    const delay = ceiling * (0.75 + Math.random() * 0.5);
    this.#phase({ name: "waiting", attempt: this.#attempt, retryAt: Date.now() + delay, failure });
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.open(), delay);
  }

  readonly #comeBack = (): void => {
    if (document.visibilityState === "visible" && navigator.onLine && this.link.value.phase.name === "waiting") void this.open();
  };

  #watchTransport(): void {
    const { engine } = this.#socket.io;
    const show = (): void => this.link.update((link) => ({ ...link, transport: engine.transport.name }));
    show();
    engine.on("upgrade", show);
  }

  #startPings(): void {
    const ping = (): void => {
      // Volatile: a ping that cannot go out now says nothing later.
      this.#socket.volatile.emit("ping", { sentAt: Math.round(performance.now()) });
    };
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(ping, PING_EVERY_MS);
    ping();
  }

  #pong(data: { sentAt?: number; respondedAt?: number }): void {
    if (typeof data.sentAt !== "number") return;
    const rttMs = Math.max(0, Math.round(performance.now() - data.sentAt));
    const best = rttMs <= this.#bestRtt && typeof data.respondedAt === "number";
    if (best) this.#bestRtt = rttMs;
    this.link.update((link) => ({
      ...link,
      rttMs,
      clockOffsetMs: best ? (data.respondedAt ?? 0) + rttMs / 2 - Date.now() : link.clockOffsetMs,
    }));
  }

  #phase(phase: Phase): void {
    this.link.update((link) => ({
      ...link,
      phase,
      ...(phase.name === "connected" ? {} : { transport: null, rttMs: null }),
    }));
  }
}
