/**
 * One role at one hub: its connection, what it knows, what it can do. The panels show a session and press its
 * buttons; nothing here touches the page.
 */

import { HubError, toFailure } from "../errors";
import { randomId } from "../format";
import type { HubEvent, HubFailure, Message, PanelRole, SosState, Status } from "../protocol";
import { emptyIncident, reduce, type Action, type Incident } from "../state/incident";
import type { AuditKind } from "../state/audit";
import { isFinal } from "../state/status";
import { Store } from "../state/store";
import { sweep, watchAnswer, watchEvent, type Watchlist } from "../state/watchlist";
import { Connection } from "./connection";
import { fetchToken, type DevelopmentToken } from "./demo-api";
import { LocationSender, type OwnFix, type Tally } from "./locations";
import { Writer } from "./writer";

const HISTORY_PAGE = 30;
/** Watchers are not told of every acknowledgement and position, so the list is asked for again this often. */
const WATCH_AGAIN_MS = 15_000;

export class Session {
  readonly connection: Connection;
  readonly incident: Store<Incident | null> = new Store<Incident | null>(null);
  readonly watchlist = new Store<Watchlist>({});
  readonly tally = new Store<Tally>({ stored: 0, coalesced: 0, waiting: 0, refused: 0 });
  /** The last failure that nobody else shows, with a number that grows, so that the same one twice is two. */
  readonly failure = new Store<{ failure: HubFailure; id: number } | null>(null);
  readonly #writer: Writer;
  #sender: LocationSender | null = null;
  #token: DevelopmentToken | null = null;
  readonly #deviceId: string;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #rewatcher: ReturnType<typeof setInterval> | undefined;

  constructor(readonly role: PanelRole, readonly userId: string, transports: string[]) {
    this.#deviceId = `web-${randomId(8)}`;
    this.connection = new Connection({
      transports,
      token: (renew) => this.#validToken(renew),
      onEvent: (event) => this.#event(event),
      onFailure: (failure) => this.fail(failure),
      onConnected: (recovered) => void this.#connected(recovered),
    });
    let was = false;
    this.connection.link.subscribe(({ phase }) => {
      if (was && phase.name !== "connected") this.#note("link", phase.name === "held" ? "Went offline" : "Connection lost");
      was = phase.name === "connected";
    });
    this.#writer = new Writer(this.connection);
    this.#sweeper = setInterval(() => this.watchlist.update((list) => sweep(list, Date.now())), 2000);
    if (role === "dispatcher") this.#rewatcher = setInterval(() => void this.#rewatch(), WATCH_AGAIN_MS);
  }

  get sosId(): string | null {
    return this.incident.value?.sosId ?? null;
  }

  /** Now, by the hub's clock. */
  now(): number {
    return Date.now() + this.connection.link.value.clockOffsetMs;
  }

  /** Turns to an incident, and connects if that has not happened yet. */
  async follow(sosId: string): Promise<void> {
    const before = this.sosId;
    if (before === sosId) return;
    this.incident.set(emptyIncident(sosId));
    this.#sender = new LocationSender(this.connection, { sosId, deviceId: this.#deviceId }, {
      tally: (tally) => this.tally.set(tally),
      failure: (failure) => this.fail(failure),
    });
    this.tally.set({ stored: 0, coalesced: 0, waiting: 0, refused: 0 });
    if (!this.connection.connected) {
      this.#token = this.role === "dispatcher" ? this.#token : null;
      return this.connection.open();
    }
    if (this.role !== "dispatcher") return this.#rename();
    if (before !== null) this.connection.request("sos:leave", { sosId: before }).catch(() => undefined);
    await this.#join();
  }

  /** Connects without an incident: a dispatcher at the start of a shift. */
  async open(): Promise<void> {
    await this.connection.open();
  }

  close(): void {
    clearInterval(this.#sweeper);
    clearInterval(this.#rewatcher);
    this.connection.close();
  }

  // What a person can do ------------------------------------------------------------------------------------------

  async setStatus(status: Status, note?: string): Promise<void> {
    await this.#write("sos:status:update", { status, ...(note ? { note } : {}) });
  }

  async acknowledge(): Promise<void> {
    await this.#write("sos:ack", {});
  }

  async end(reason: string): Promise<void> {
    await this.#write("sos:close", reason === "" ? {} : { reason });
  }

  async send(text: string): Promise<void> {
    const clientMessageId = randomId(16);
    this.#dispatch({
      type: "message:sending",
      message: { messageId: `local ${clientMessageId}`, clientMessageId, userId: this.userId, role: this.role, text, timestamp: this.now() },
    });
    await this.#deliver(clientMessageId, text);
  }

  /** Sends a failed message again: the same id, so that it cannot appear twice while the hub remembers it. */
  async resend(clientMessageId: string, text: string): Promise<void> {
    this.#dispatch({ type: "message:delivery", clientMessageId, delivery: "sending" });
    await this.#deliver(clientMessageId, text);
  }

  async loadOlder(): Promise<void> {
    const before = this.incident.value?.olderBefore;
    if (typeof before === "string") await this.#history(before);
  }

  /** Shares a fix of one's own. It is on one's own map at once. */
  share(fix: OwnFix): void {
    const incident = this.incident.value;
    if (incident === null || this.#sender === null || (incident.sos !== null && isFinal(incident.sos.status))) return;
    const stamped = { ...fix, timestamp: Math.round(this.now()) };
    if (!this.#sender.take(stamped)) return;
    this.#dispatch({
      type: "fix:local",
      fix: {
        userId: this.userId, role: this.role, latitude: fix.latitude, longitude: fix.longitude, accuracy: fix.accuracy ?? null,
        heading: fix.heading ?? null, speed: fix.speed ?? null, altitude: fix.altitude ?? null, deviceId: this.#deviceId,
        fixTime: stamped.timestamp, timestamp: stamped.timestamp,
      },
    });
  }

  fail(failure: HubFailure): void {
    this.failure.update((last) => ({ failure, id: (last?.id ?? 0) + 1 }));
  }

  // What the hub does ---------------------------------------------------------------------------------------------

  async #connected(recovered: boolean): Promise<void> {
    this.#note("link", recovered ? "Connection is back; what was missed has been delivered" : "Connected to the hub");
    try {
      if (this.role === "dispatcher" && !recovered) await this.#watch();
      // Also after a recovery: the ack is the state as it is now, and joining twice changes nothing.
      if (this.sosId !== null) await this.#join();
      await this.#sender?.flush();
    } catch (thrown) {
      this.fail(toFailure(thrown));
    }
  }

  async #watch(): Promise<void> {
    const answer = await this.connection.request<{ active?: SosState[] }>("sos:watch", {});
    this.watchlist.update((list) => watchAnswer(list, answer.active ?? []));
  }

  async #rewatch(): Promise<void> {
    if (!this.connection.connected || document.hidden) return;
    // Only a refresh: if it fails now, the next one will do.
    await this.#watch().catch(() => undefined);
  }

  async #join(): Promise<void> {
    const sosId = this.sosId;
    if (sosId === null) return;
    try {
      const answer = await this.connection.request<{ data?: SosState }>("sos:init", { sosId });
      if (answer.data) this.#event({ name: "sos:state", data: answer.data });
      await this.#history();
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (failure.code !== "NETWORK") this.fail({ ...failure, event: "sos:init" });
    }
  }

  async #history(before?: string): Promise<void> {
    const sosId = this.sosId;
    if (sosId === null) return;
    try {
      const answer = await this.connection.request<{ messages?: Message[]; nextBefore?: string | null }>(
        "message:history", { sosId, limit: HISTORY_PAGE, ...(before === undefined ? {} : { before }) });
      if (this.sosId !== sosId) return;
      this.#dispatch({
        type: "message:history", messages: answer.messages ?? [], nextBefore: answer.nextBefore ?? null, first: before === undefined,
      });
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (failure.code !== "NETWORK") this.fail({ ...failure, event: "message:history" });
    }
  }

  /** A citizen or rescuer turns to another incident: that takes another token. */
  async #rename(): Promise<void> {
    try {
      const { token } = await this.#freshToken();
      await this.connection.request("auth:refresh", { token });
      await this.#join();
    } catch (thrown) {
      this.fail(toFailure(thrown));
    }
  }

  #event(event: HubEvent): void {
    if (this.role === "dispatcher") this.watchlist.update((list) => watchEvent(list, event, Date.now()));
    if (event.name === "sos:created") {
      // The incident that was asked for before it existed: a watcher is told of it, but is not in its room yet.
      if (event.data.sosId === this.sosId) void this.#join();
      return;
    }
    this.#dispatch({ type: "event", event, at: this.now() });
  }

  #dispatch(action: Action): void {
    this.incident.update((incident) => (incident === null ? null : reduce(incident, action)));
  }

  #note(kind: AuditKind, text: string): void {
    const at = this.now();
    this.#dispatch({ type: "note", entry: { key: `note ${at}`, at, kind, actor: "", text } });
  }

  async #write(event: string, payload: object): Promise<void> {
    const sosId = this.sosId;
    if (sosId === null) return;
    try {
      await this.#writer.write(event, { sosId, ...payload });
    } catch (thrown) {
      this.fail({ ...toFailure(thrown), event });
    }
  }

  async #deliver(clientMessageId: string, text: string): Promise<void> {
    const sosId = this.sosId;
    try {
      const answer = await this.#writer.write<{ messageId: string; timestamp: number }>("message:send", { sosId, text }, clientMessageId);
      this.#dispatch({ type: "message:delivery", clientMessageId, delivery: "sent", messageId: answer.messageId, timestamp: answer.timestamp });
    } catch (thrown) {
      const { code } = toFailure(thrown);
      this.#dispatch({ type: "message:delivery", clientMessageId, delivery: "failed", code });
      this.fail({ ...toFailure(thrown), event: "message:send" });
    }
  }

  async #validToken(renew: boolean): Promise<string> {
    const known = this.#token;
    const good = known !== null && !renew && (known.expiresAt === null || known.expiresAt - Date.now() > 90_000);
    return good ? known.token : (await this.#freshToken()).token;
  }

  async #freshToken(): Promise<DevelopmentToken> {
    const sosId = this.role === "dispatcher" ? null : this.sosId;
    if (this.role !== "dispatcher" && sosId === null) throw new HubError("INVALID_SOS_ID");
    this.#token = await fetchToken(this.role, this.userId, sosId);
    return this.#token;
  }
}
