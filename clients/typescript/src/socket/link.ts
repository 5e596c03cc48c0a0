/**
 * One connection to a namespace, and its life: connecting, connected, waiting for the next attempt, refused.
 *
 * The official client's own reconnection is off. It hides when it tries again, does not come back after CONNECT_ERROR, and connects with the
 * token that it has. Here each attempt begins with a token that is good. Recovery stays the official client's: it sends its `pid` and offset,
 * and `recovered` tells whether the hub gave the session back.
 */

import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { asHubError, fromHub, HubError } from "../errors.js";
import { Listeners } from "../listeners.js";
import { backoff, unlessAborted } from "../time.js";
import type { Tokens } from "../tokens.js";

/** Where a connection stands. */
export type LinkState =
  | { readonly name: "idle" }
  | { readonly name: "connecting"; readonly attempt: number }
  | { readonly name: "connected"; readonly recovered: boolean }
  /** Lost, or not reached; the next attempt is at `retryAt` (milliseconds since 1970). */
  | { readonly name: "waiting"; readonly attempt: number; readonly retryAt: number; readonly failure: HubError }
  /** `suspend` was called; `connect` goes on. */
  | { readonly name: "suspended" }
  /** The hub does not want this client; nothing is tried until `connect` is called. */
  | { readonly name: "refused"; readonly failure: HubError }
  /** `close` was called. */
  | { readonly name: "closed" };

export interface LinkOptions {
  url: string;
  namespace: string;
  tokens: Tokens;
  /** Further fields of `auth`. */
  auth: Readonly<Record<string, unknown>>;
  query: Readonly<Record<string, string>>;
  /** The first wait before a new attempt; it doubles up to `reconnectMaxMs`. */
  reconnectMs: number;
  reconnectMaxMs: number;
  /** From the beginning of an attempt to the hub's answer to CONNECT. */
  connectMs: number;
  socketOptions: Partial<ManagerOptions & SocketOptions>;
}

/** Refusals that a new token may cure. */
const TOKEN_CODES: ReadonlySet<string> = new Set(["MISSING_TOKEN", "INVALID_TOKEN", "TOKEN_EXPIRED"]);
/** So many new tokens are tried in a row. */
const TOKEN_TRIES = 1;
/** A connection that stood so long forgets the refusals before it. */
const STEADY_MS = 30_000;
/** A hub that asks for more patience than this is asked again all the same. */
const MAX_RETRY_AFTER_MS = 60_000;

/** Timers end here. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface ConnectError extends Error {
  data?: unknown;
  context?: unknown;
}

export class Link {
  readonly socket: Socket;
  readonly changed = new Listeners<LinkState>();
  readonly #options: LinkOptions;
  #state: LinkState = { name: "idle" };
  #attempt = 0;
  /** Grows with each attempt, so that what an old one was waiting for is told apart. */
  #run = 0;
  #refusals = 0;
  #connectedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The hub's last `error`: why it ends a connection is said there. */
  #lastError: HubError | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    const { url, namespace, query, socketOptions } = options;
    this.socket = io(new URL(url).origin + namespace, {
      timeout: 10_000,
      ...socketOptions,
      query: { ...socketOptions.query, ...query },
      autoConnect: false,
      reconnection: false,
      forceNew: true,
    });
    this.#listen();
  }

  get state(): LinkState {
    return this.#state;
  }

  get connected(): boolean {
    return this.#state.name === "connected";
  }

  /** Resolves when connected, at once if it is. Rejects when the hub refuses, when time is up, or with the signal's reason. */
  whenConnected(withinMs: number, signal?: AbortSignal): Promise<void> {
    if (this.connected) return Promise.resolve();
    let done = (): void => undefined;
    const connected = new Promise<void>((resolve, reject) => {
      const look = (state: LinkState): void => {
        if (state.name === "connected") resolve();
        else if (state.name === "refused") reject(state.failure);
        else if (state.name === "closed") reject(new HubError("CLOSED"));
      };
      const stop = this.changed.add(look);
      const timer = setTimeout(() => reject(this.#state.name === "waiting" ? this.#state.failure : new HubError("NETWORK")), Math.min(withinMs, MAX_TIMER_MS));
      done = (): void => {
        stop();
        clearTimeout(timer);
      };
      look(this.#state);
    });
    return unlessAborted(connected, signal).finally(done);
  }

  /** Begins to connect, or cuts a wait short. */
  connect(): void {
    const { name } = this.#state;
    if (name === "connecting" || name === "connected" || name === "closed") return;
    if (name === "refused") this.#refusals = 0;
    void this.#open();
  }

  /** Cuts the transport as a lost network would, and stays away until `connect`. The hub keeps the session for its recovery window. */
  suspend(): void {
    if (this.#state.name === "closed") return;
    this.#run += 1;
    clearTimeout(this.#timer);
    this.#set({ name: "suspended" });
    this.#cut();
  }

  /** Ends the connection for good. */
  close(): void {
    if (this.#state.name === "closed") return;
    this.#run += 1;
    clearTimeout(this.#timer);
    this.#set({ name: "closed" });
    this.socket.disconnect();
    this.#cut();
  }

  /** The connection does not answer any more: a new one is made at once. */
  renew(): void {
    if (this.#state.name !== "connected") return this.connect();
    this.#set({ name: "waiting", attempt: 0, retryAt: Date.now(), failure: new HubError("NETWORK") });
    this.#cut();
    void this.#open();
  }

  async #open(): Promise<void> {
    clearTimeout(this.#timer);
    const run = (this.#run += 1);
    this.#attempt += 1;
    this.#set({ name: "connecting", attempt: this.#attempt });
    let token: string;
    try {
      token = await this.#options.tokens.good();
    } catch (thrown) {
      if (run !== this.#run) return;
      const failure = asHubError(thrown, "NO_TOKEN");
      if (this.#options.tokens.renewable) this.#retryLater(failure);
      else this.#set({ name: "refused", failure });
      return;
    }
    if (run !== this.#run) return;
    // Said here, because Node names no User-Agent over WebSocket alone, and the hub would not know that this client recovers.
    this.socket.auth = { ...this.#options.auth, token, recovery: 1 };
    this.socket.connect();
    this.#timer = setTimeout(() => {
      if (run !== this.#run) return;
      this.#retryLater(new HubError("NO_ANSWER"));
      this.#cut();
    }, this.#options.connectMs);
  }

  #listen(): void {
    const { socket } = this;
    socket.on("connect", () => {
      // It was given up meanwhile.
      if (this.#state.name !== "connecting") return this.#cut();
      clearTimeout(this.#timer);
      this.#attempt = 0;
      this.#connectedAt = Date.now();
      this.#lastError = undefined;
      this.#set({ name: "connected", recovered: socket.recovered === true });
    });
    socket.on("connect_error", (error: ConnectError) => this.#notConnected(error));
    socket.on("disconnect", (reason) => this.#disconnected(reason));
    socket.on("error", (failure: unknown) => {
      this.#lastError = fromHub(failure);
    });
  }

  #notConnected(error: ConnectError): void {
    if (this.#state.name !== "connecting") return;
    clearTimeout(this.#timer);
    // Only the hub's own refusals (CONNECT_ERROR) end the socket; without an answer it stays ready for another attempt.
    if (this.socket.active) return this.#retryLater(new HubError("NETWORK", error.message, { cause: error }), retryAfterMs(error.context));
    const { data } = error;
    const hasCode = data !== null && typeof data === "object" && "code" in data;
    this.#refused(hasCode ? fromHub({ message: error.message, ...data }) : new HubError("FORBIDDEN", error.message));
  }

  #disconnected(reason: Socket.DisconnectReason): void {
    // What waits in the official client would go out before those who listen know of the new connection.
    this.socket.sendBuffer.length = 0;
    const { name } = this.#state;
    if (name !== "connected" && name !== "connecting") return;
    clearTimeout(this.#timer);
    if (name === "connected" && Date.now() - this.#connectedAt > STEADY_MS) this.#refusals = 0;
    if (reason === "io server disconnect") this.#refused(this.#lastError ?? new HubError("FORBIDDEN", "The hub ended this connection."));
    else this.#retryLater(new HubError("NETWORK", reason));
  }

  /** The hub said no. If a new token may change that, it is asked once more with one. */
  #refused(failure: HubError): void {
    const { tokens } = this.#options;
    if (TOKEN_CODES.has(failure.code)) tokens.refuse();
    if (!TOKEN_CODES.has(failure.code) || !tokens.renewable || this.#refusals >= TOKEN_TRIES) {
      this.#run += 1;
      return this.#set({ name: "refused", failure });
    }
    this.#refusals += 1;
    void this.#open();
  }

  #retryLater(failure: HubError, atLeastMs = 0): void {
    clearTimeout(this.#timer);
    const run = (this.#run += 1);
    const { reconnectMs, reconnectMaxMs } = this.#options;
    const delay = Math.max(backoff(Math.max(0, this.#attempt - 1), reconnectMs, reconnectMaxMs), atLeastMs);
    this.#set({ name: "waiting", attempt: this.#attempt, retryAt: Date.now() + delay, failure });
    // A listener may have gone on by itself.
    if (run === this.#run) this.#timer = setTimeout(() => void this.#open(), delay);
  }

  /** Ends the transport without a DISCONNECT packet: to the hub this is a phone in a tunnel, and the session can be recovered. */
  #cut(): void {
    // At once, whatever waits to be sent. Its types call it private, but it has this name in every bundle of the client, unlike `_close`.
    (this.socket.io as unknown as { disconnect(): void }).disconnect();
  }

  #set(state: LinkState): void {
    this.#state = state;
    this.changed.tell(state);
  }
}

/** What a refused handshake (503) says of the time to wait. `context` is an XMLHttpRequest, if anything. */
function retryAfterMs(context: unknown): number {
  const request = context as { getResponseHeader?: (name: string) => string | null } | undefined;
  if (typeof request?.getResponseHeader !== "function") return 0;
  const seconds = Number(request.getResponseHeader("retry-after") ?? 0);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0) * 1000, MAX_RETRY_AFTER_MS) : 0;
}
