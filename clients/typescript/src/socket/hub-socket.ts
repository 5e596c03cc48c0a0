/**
 * A namespace of the hub with types: events in, events out, acknowledgements that are answers or errors, writes that are repeated until they are
 * answered, and a token that is renewed while the connection stands.
 */

import type { ManagerOptions, Socket, SocketOptions } from "socket.io-client";
import { asHubError, fromHub, HubError } from "../errors.js";
import { Listeners } from "../listeners.js";
import { backoff, sleep, unlessAborted } from "../time.js";
import { Tokens, type TokenOptions } from "../tokens.js";
import { Link, type LinkState } from "./link.js";
import { StandingRequests } from "./standing.js";
import { onWake } from "./wake.js";
import type { Ack, Bare, Heard, Payload, WriteName } from "./words.js";
import { Writer, type WriteOptions } from "./writer.js";

export interface ConnectOptions extends TokenOptions {
  /** Where the hub is: `https://hub.example.com`. In a browser its own origin, if it is left out. */
  url?: string | undefined;
  /** False: nothing happens before `connect`. */
  autoConnect?: boolean | undefined;
  /** The first wait before a new attempt (1 s); it doubles up to `reconnectMaxMs` (10 s). */
  reconnectMs?: number | undefined;
  reconnectMaxMs?: number | undefined;
  /** From the beginning of an attempt to the hub's answer (15 s). */
  connectMs?: number | undefined;
  /** An acknowledgement is waited for this long, unless the call says otherwise (8 s). */
  timeoutMs?: number | undefined;
  /** `heartbeat` is sent this often; 0: never. */
  heartbeatMs?: number | undefined;
  /** So many writes may wait for their answers (500). */
  maxWrites?: number | undefined;
  /** Anything else for `socket.io-client`: `transports`, `path`, `parser`, `extraHeaders`. */
  socketOptions?: Partial<ManagerOptions & SocketOptions> | undefined;
}

export interface AskOptions {
  /** The whole of it may take this long, the wait for a connection too. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** The events that every namespace of the hub has. */
interface CommonSays {
  "auth:refresh": { payload: { token: string }; ack: { ok: true; expiresAt?: number | null } };
  heartbeat: { payload: Record<string, never>; ack: object };
}

/** How often a new token is tried before the old one ends. */
const REFRESH_TRIES = 6;
const ALIVE_MS = 5000;

export class HubSocket<Hears extends object, Says extends object> {
  readonly #link: Link;
  readonly #tokens: Tokens;
  readonly #writer: Writer;
  readonly #standing: StandingRequests;
  readonly #timeoutMs: number;
  readonly #connects = new Listeners<{ recovered: boolean }>();
  readonly #failures = new Listeners<HubError>();
  readonly #ends: (() => void)[] = [];
  #refreshing: Promise<void> | undefined;

  protected constructor(namespace: string, options: ConnectOptions, auth: Record<string, unknown> = {}, query: Record<string, string> = {}) {
    const url = options.url ?? globalThis.location?.origin;
    if (url === undefined) throw new TypeError("url is missing: where is the hub?");
    this.#timeoutMs = options.timeoutMs ?? 8000;
    this.#tokens = new Tokens(options);
    this.#link = new Link({
      url, namespace, auth, query, tokens: this.#tokens, socketOptions: options.socketOptions ?? {},
      reconnectMs: options.reconnectMs ?? 1000, reconnectMaxMs: options.reconnectMaxMs ?? 10_000, connectMs: options.connectMs ?? 15_000,
    });
    this.#writer = new Writer({
      whenConnected: (ms, signal) => this.#link.whenConnected(ms, signal),
      ask: (event, payload, timeoutMs, signal) => this.#ask(event, payload, { timeoutMs, signal }),
    }, options.maxWrites ?? 500);
    const link = this.#link;
    this.#standing = new StandingRequests({
      get connected() { return link.connected; },
      failed: (_, failure) => this.#failures.tell(failure),
    });
    this.#listen(options.heartbeatMs ?? 0);
    if (options.autoConnect !== false) this.connect();
  }

  /** The official client's socket, for what this class has no words for. */
  get socket(): Socket {
    return this.#link.socket;
  }

  get state(): LinkState {
    return this.#link.state;
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  /** Writes that have no answer yet. */
  get unanswered(): number {
    return this.#writer.waiting;
  }

  /** Begins to connect, goes on after `suspend` or a refusal, or cuts the wait for the next attempt short. */
  connect(): this {
    this.#link.connect();
    return this;
  }

  /** Goes offline as a lost network would, until `connect`. What is written meanwhile waits. */
  suspend(): void {
    this.#link.suspend();
  }

  /** Ends the connection for good. What waits is rejected with `CLOSED`. */
  close(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#link.close();
    this.#standing.dropAll();
  }

  /** Resolves when connected. */
  whenConnected({ timeoutMs = 60_000, signal }: AskOptions = {}): Promise<void> {
    return this.#link.whenConnected(timeoutMs, signal);
  }

  /** Calls the listener on each change of the connection. The function that comes back ends that. */
  onState(listener: (state: LinkState) => void): () => void {
    return this.#link.changed.add(listener);
  }

  /** Calls the listener on each connection. `recovered`: the hub has sent what was missed, and nothing needs to be asked again. */
  onConnect(listener: (connection: { recovered: boolean }) => void): () => void {
    return this.#connects.add(listener);
  }

  /** Calls the listener with what nobody else is told of: the hub's `error` events, a token that was not renewed, a room that is closed to us now. */
  onFailure(listener: (failure: HubError) => void): () => void {
    return this.#failures.add(listener);
  }

  /** Calls the listener with the payload of an event, and with nothing else. The function that comes back ends that. */
  on<Name extends keyof Hears & string>(event: Name, listener: (data: Hears[Name]) => void): () => void {
    // The hub's offset may follow the payload; it is the official client's business.
    const heard = (data: Hears[Name]): void => listener(data);
    this.#link.socket.on(event as string, heard);
    return () => void this.#link.socket.off(event as string, heard);
  }

  /** Like `on`, for every event of the hub. */
  onAny(listener: (event: Heard<Hears>) => void): () => void {
    const heard = (name: string, data: unknown): void => listener({ name, data } as Heard<Hears>);
    this.#link.socket.onAny(heard);
    return () => void this.#link.socket.offAny(heard);
  }

  /** Resolves with the next such event. */
  next<Name extends keyof Hears & string>(event: Name, { timeoutMs = 60_000, signal }: AskOptions = {}): Promise<Hears[Name]> {
    let stop = (): void => undefined;
    const next = new Promise<Hears[Name]>((resolve, reject) => {
      const off = this.on(event, resolve);
      const timer = setTimeout(() => reject(new HubError("NO_ANSWER", undefined, { event })), timeoutMs);
      stop = (): void => {
        off();
        clearTimeout(timer);
      };
    });
    return unlessAborted(next, signal).finally(stop);
  }

  /** Sends an event for which nobody waits. False: there is no connection, and it is not kept for later. A refusal comes to `onFailure`. */
  emit<Name extends Bare<Says>>(event: Name, payload?: Payload<Says, Name>): boolean;
  emit<Name extends keyof Says & string>(event: Name, payload: Payload<Says, Name>): boolean;
  emit(event: string, payload: unknown = {}): boolean {
    if (!this.connected) return false;
    this.#link.socket.emit(event, payload);
    return true;
  }

  /** Sends an event once, as soon as there is a connection, and resolves with the hub's answer. Rejects with a `HubError`. */
  emitWithAck<Name extends Bare<Says>>(event: Name, payload?: Payload<Says, Name>, options?: AskOptions): Promise<Ack<Says, Name>>;
  emitWithAck<Name extends keyof Says & string>(event: Name, payload: Payload<Says, Name>, options?: AskOptions): Promise<Ack<Says, Name>>;
  emitWithAck(event: string, payload: unknown = {}, options: AskOptions = {}): Promise<unknown> {
    return this.#ask(event, payload, options);
  }

  /**
   * Sends a write until it is answered, behind the writes of the same incident or interview before it. It takes effect once, however often it
   * is sent. Rejects with a `HubError` when the hub refuses it or time is up; `uncertain` tells whether it may have taken effect.
   */
  write<Name extends WriteName<Says>>(event: Name, payload: Payload<Says, Name>, options?: WriteOptions): Promise<Ack<Says, Name>> {
    return this.#writer.write(event, payload as object, options) as Promise<Ack<Says, Name>>;
  }

  /** Gets a new token, and gives it to the hub in place: new rights count at once. Without a connection the next one has it. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Asks now, and again on each connection that was not recovered. Resolves with the first answer; until it is there, the signal takes it back. */
  protected keep<T>(key: string, ask: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.state.name === "refused") return Promise.reject(this.state.failure);
    if (this.state.name === "closed") return Promise.reject(new HubError("CLOSED"));
    const first = this.#standing.keep(key, ask);
    return unlessAborted(first, signal).catch((thrown: unknown) => {
      if (signal?.aborted === true) this.drop(key);
      throw thrown;
    });
  }

  protected drop(key: string): boolean {
    return this.#standing.drop(key);
  }

  async #ask(event: string, payload: unknown, { timeoutMs = this.#timeoutMs, signal }: AskOptions): Promise<object> {
    signal?.throwIfAborted();
    const end = Date.now() + timeoutMs;
    await this.#link.whenConnected(timeoutMs, signal);
    const { socket } = this.#link;
    let answer: unknown;
    try {
      answer = await unlessAborted(socket.timeout(Math.max(1, end - Date.now())).emitWithAck(event, payload), signal);
    } catch (thrown) {
      signal?.throwIfAborted();
      throw new HubError(this.connected ? "NO_ANSWER" : "NETWORK", undefined, { event, uncertain: true, cause: thrown });
    }
    if (answer !== null && typeof answer === "object" && (answer as { ok?: unknown }).ok === true) return answer;
    throw fromHub(answer, event);
  }

  #listen(heartbeatMs: number): void {
    const { socket, changed } = this.#link;
    this.#ends.push(changed.add((state) => {
      if (state.name === "refused") this.#standing.refused(state.failure);
      if (state.name !== "connected") return;
      const { recovered } = state;
      // First what the hub must know, then those who wait to send.
      this.#standing.connected(recovered);
      this.#connects.tell({ recovered });
    }));
    socket.on("error", (failure: unknown) => this.#failures.tell(fromHub(failure)));
    socket.on("auth:expiring", (told: { expiresAt?: unknown } | null) => {
      if (this.#tokens.renewable) void this.#refreshUntil(typeof told?.expiresAt === "number" ? told.expiresAt : Date.now() + 60_000);
    });
    this.#ends.push(onWake(() => void this.#wake(), () => {
      if (this.state.name === "waiting") this.connect();
    }));
    if (heartbeatMs <= 0) return;
    const timer = setInterval(() => void (this.connected && socket.emit("heartbeat", {})), heartbeatMs);
    this.#ends.push(() => clearInterval(timer));
  }

  async #refresh(): Promise<void> {
    const token = await this.#tokens.renew();
    if (!this.connected) return;
    const event: keyof CommonSays = "auth:refresh";
    await this.#ask(event, { token }, {});
  }

  /** Tries to renew the token until it ends. */
  async #refreshUntil(end: number): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.refresh();
      } catch (thrown) {
        const failure = asHubError(thrown);
        const pause = backoff(attempt, 1000, 15_000);
        const worthIt = failure.repeatable || failure.code === "NO_TOKEN";
        // Without a connection the next one begins with a good token anyway.
        if (!this.connected) return;
        if (!worthIt || attempt + 1 >= REFRESH_TRIES || Date.now() + pause > end) {
          return this.#failures.tell(new HubError(failure.code, failure.message, { event: "auth:refresh", details: failure.details, cause: failure }));
        }
        await sleep(pause);
      }
    }
  }

  /** This machine has slept. First the token, then the connection: it may look open and be long gone. */
  async #wake(): Promise<void> {
    if (this.state.name === "waiting") return void this.connect();
    if (!this.connected) return;
    try {
      if (this.#tokens.endsSoon && this.#tokens.renewable) {
        await this.refresh();
      } else {
        const event: keyof CommonSays = "heartbeat";
        await this.#ask(event, {}, { timeoutMs: ALIVE_MS });
      }
    } catch (thrown) {
      // Any answer, a refusal too, is a sign of life.
      const { code } = asHubError(thrown);
      if (code === "NO_ANSWER" && this.connected) this.#link.renew();
    }
  }
}
