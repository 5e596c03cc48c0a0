/** Stands in for `socket.io-client`: what a test says the hub does. Use with `vi.mock("socket.io-client", () => import("./fake-hub.js"))`. */

type Listener = (...args: unknown[]) => void;
export interface Sent {
  event: string;
  payload: Record<string, unknown>;
  answer: (answer: unknown) => void;
}

export class FakeSocket {
  static last: FakeSocket;
  connected = false;
  active = false;
  recovered = false;
  auth: Record<string, unknown> = {};
  sendBuffer: unknown[] = [];
  /** `auth` of each CONNECT. */
  readonly connects: Record<string, unknown>[] = [];
  readonly sent: Sent[] = [];
  /** What has an answer at once, by event. */
  readonly answers = new Map<string, (payload: Record<string, unknown>) => unknown>();
  readonly io = { disconnect: (): void => this.lose("forced close") };
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #any = new Set<Listener>();
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(readonly url: string, readonly options: Record<string, unknown>) {
    FakeSocket.last = this;
  }

  // What the client calls.

  on(event: string, listener: Listener): this {
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(listener));
    return this;
  }

  off(event: string, listener: Listener): this {
    this.#listeners.get(event)?.delete(listener);
    return this;
  }

  onAny(listener: Listener): this {
    this.#any.add(listener);
    return this;
  }

  offAny(listener: Listener): this {
    this.#any.delete(listener);
    return this;
  }

  connect(): this {
    this.active = true;
    this.connects.push(this.auth);
    return this;
  }

  disconnect(): this {
    this.active = false;
    if (this.connected) this.lose("io client disconnect");
    return this;
  }

  emit(event: string, payload: Record<string, unknown>): this {
    this.sent.push({ event, payload, answer: () => undefined });
    return this;
  }

  timeout(ms: number): { emitWithAck: (event: string, payload: Record<string, unknown>) => Promise<unknown> } {
    return {
      emitWithAck: (event, payload) => new Promise((resolve, reject) => {
        const done = (act: () => void): void => {
          clearTimeout(timer);
          this.#waiting.delete(reject);
          act();
        };
        const timer = setTimeout(() => done(() => reject(new Error("operation has timed out"))), ms);
        this.#waiting.add(reject);
        this.sent.push({ event, payload, answer: (answer) => done(() => resolve(answer)) });
        const answer = this.answers.get(event);
        if (answer !== undefined) done(() => resolve(answer(payload)));
      }),
    };
  }

  // What the hub does.

  /** CONNECT is accepted. */
  accept(recovered = false): void {
    this.connected = true;
    this.recovered = recovered;
    this.hear("connect");
  }

  /** CONNECT_ERROR. */
  refuse(code: string): void {
    this.active = false;
    this.hear("connect_error", Object.assign(new Error("Authentication failed"), { data: { code } }));
  }

  /** The hub is not reached. */
  unreachable(context?: unknown): void {
    this.hear("connect_error", Object.assign(new Error("xhr poll error"), { context }));
  }

  /** The transport is gone, or DISCONNECT came. */
  lose(reason = "transport close"): void {
    if (!this.connected) return;
    this.connected = false;
    if (reason === "io server disconnect") this.active = false;
    this.hear("disconnect", reason);
    for (const reject of [...this.#waiting]) reject(new Error("socket has been disconnected"));
    this.#waiting.clear();
  }

  hear(event: string, ...args: unknown[]): void {
    const own = ["connect", "connect_error", "disconnect"].includes(event);
    if (!own) for (const listener of [...this.#any]) listener(event, ...args);
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...args);
  }

  events(): string[] {
    return this.sent.map(({ event }) => event);
  }

  lastOf(event: string): Sent {
    const sent = this.sent.findLast((one) => one.event === event);
    if (sent === undefined) throw new Error(`no ${event} was sent, but ${this.events()}`);
    return sent;
  }
}

export const io = (url: string, options: Record<string, unknown>): FakeSocket => new FakeSocket(url, options);

/** A token that ends in so many seconds. */
export function jwt(seconds: number, name = "t"): string {
  const part = (value: object): string => btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `${part({ alg: "HS256" })}.${part({ name, exp: Math.floor(Date.now() / 1000) + seconds })}.x`;
}
