/**
 * One role at one hub: its connection, what it knows, what it can do. The panels show a session and press its
 * buttons; nothing here touches the page.
 */

import { connectIncidents, HubError, type Incidents, type Position, type Positions, type Tally } from "@convoke/client";
import { toFailure, type HubFailure } from "../errors";
import { randomId } from "../format";
import { emptyIncident, reduce, type Action, type Incident } from "../state/incident";
import type { AuditKind } from "../state/audit";
import { isFinal } from "../state/status";
import { Store } from "../state/store";
import { sweep, watchAnswer, watchEvent, type Watchlist } from "../state/watchlist";
import { Connection } from "./connection";
import { fetchToken } from "./demo-api";
import { SHOWN, type HubEvent, type PanelRole, type Status } from "./words";

const HISTORY_PAGE = 30;
/** Watchers are not told of every acknowledgement and position, so the list is asked for again this often. */
const WATCH_AGAIN_MS = 15_000;

export class Session {
  readonly connection: Connection;
  readonly incident: Store<Incident | null> = new Store<Incident | null>(null);
  readonly watchlist = new Store<Watchlist>({});
  readonly tally = new Store<Tally>({ stored: 0, coalesced: 0, waiting: 0, refused: 0, dropped: 0 });
  /** The last failure that nobody else shows, with a number that grows, so that the same one twice is two. */
  readonly failure = new Store<{ failure: HubFailure; id: number } | null>(null);
  readonly #hub: Incidents;
  #positions: Positions | null = null;
  readonly #deviceId: string;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #rewatcher: ReturnType<typeof setInterval> | undefined;

  constructor(readonly role: PanelRole, readonly userId: string, transports: string[]) {
    this.#deviceId = `web-${randomId(8)}`;
    this.#hub = connectIncidents({ getToken: () => this.#token(), autoConnect: false, reconnectMaxMs: 8000, socketOptions: { transports } });
    for (const name of SHOWN) this.#hub.on(name, (data) => this.#event({ name, data } as HubEvent));
    this.#hub.onFailure((failure) => this.fail(failure));
    this.#hub.onConnect(({ recovered }) => this.#connected(recovered));
    this.connection = new Connection(this.#hub);
    let was = false;
    this.#hub.onState(({ name }) => {
      if (was && name !== "connected") this.#note("link", name === "suspended" ? "Went offline" : "Connection lost");
      was = name === "connected";
    });
    this.#sweeper = setInterval(() => this.watchlist.update((list) => sweep(list, Date.now())), 2000);
    if (role === "dispatcher") {
      void this.#try("sos:watch", () => this.#watch());
      this.#rewatcher = setInterval(() => void this.#rewatch(), WATCH_AGAIN_MS);
    }
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
    this.#positions?.close();
    this.#positions = this.#hub.positions(sosId, {
      deviceId: this.#deviceId,
      now: () => this.now(),
      onChange: (tally) => this.tally.set(tally),
      onRefused: (_, code) => this.fail({ code, event: "location:update" }),
    });
    await this.#try("sos:init", async () => {
      if (before !== null) {
        void this.#hub.unfollow(before).catch(() => undefined);
        // A citizen or rescuer turns to another incident: that takes another token.
        if (this.role !== "dispatcher") await this.#hub.refresh();
      }
      this.#hub.connect();
      await this.#hub.follow(sosId);
      await this.#history();
    });
  }

  /** Connects without an incident: a dispatcher at the start of a shift. */
  open(): void {
    this.#hub.connect();
  }

  close(): void {
    clearInterval(this.#sweeper);
    clearInterval(this.#rewatcher);
    this.#hub.close();
  }

  // What a person can do ------------------------------------------------------------------------------------------

  async setStatus(status: Status, note?: string): Promise<void> {
    await this.#act("sos:status:update", (sosId) => this.#hub.write("sos:status:update", { sosId, status, ...(note ? { note } : {}) }));
  }

  async acknowledge(): Promise<void> {
    await this.#act("sos:ack", (sosId) => this.#hub.write("sos:ack", { sosId }));
  }

  async end(reason: string): Promise<void> {
    await this.#act("sos:close", (sosId) => this.#hub.write("sos:close", { sosId, ...(reason === "" ? {} : { reason }) }));
  }

  async send(text: string): Promise<void> {
    const clientMessageId = randomId(16);
    this.#dispatch({
      type: "message:sending",
      message: { sosId: this.sosId ?? "", messageId: `local ${clientMessageId}`, clientMessageId, userId: this.userId, role: this.role, text, timestamp: this.now() },
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
  share(fix: Position): void {
    const incident = this.incident.value;
    if (incident === null || this.#positions === null || (incident.sos !== null && isFinal(incident.sos.status))) return;
    const stamped = { ...fix, timestamp: Math.round(this.now()) };
    if (!this.#positions.push(stamped)) return;
    this.#dispatch({
      type: "fix:local",
      fix: {
        sosId: incident.sosId, userId: this.userId, role: this.role, latitude: fix.latitude, longitude: fix.longitude, accuracy: fix.accuracy ?? null,
        heading: fix.heading ?? null, speed: fix.speed ?? null, altitude: fix.altitude ?? null, deviceId: this.#deviceId,
        fixTime: stamped.timestamp, timestamp: stamped.timestamp,
      },
    });
  }

  fail(failure: HubFailure): void {
    this.failure.update((last) => ({ failure, id: (last?.id ?? 0) + 1 }));
  }

  // What the hub does ---------------------------------------------------------------------------------------------

  /** The client has asked again for what is followed and watched; messages are asked for here. */
  #connected(recovered: boolean): void {
    this.#note("link", recovered ? "Connection is back; what was missed has been delivered" : "Connected to the hub");
    if (this.incident.value?.sos != null) void this.#history();
  }

  /** The list as it is now, and again whenever the hub does not know this client any more. */
  async #watch(): Promise<void> {
    await this.#hub.watch((active) => this.watchlist.update((list) => watchAnswer(list, active)));
  }

  async #rewatch(): Promise<void> {
    if (!this.connection.connected || document.hidden) return;
    // Only a refresh: if it fails now, the next one will do.
    await this.#hub.emitWithAck("sos:watch").then(({ active }) => this.watchlist.update((list) => watchAnswer(list, active)), () => undefined);
  }

  async #history(before?: string): Promise<void> {
    const sosId = this.sosId;
    if (sosId === null) return;
    try {
      const { messages, nextBefore } = await this.#hub.emitWithAck("message:history", { sosId, limit: HISTORY_PAGE, ...(before === undefined ? {} : { before }) });
      if (this.sosId === sosId) this.#dispatch({ type: "message:history", messages, nextBefore: nextBefore ?? null, first: before === undefined });
    } catch (thrown) {
      const failure = toFailure(thrown);
      if (failure.code !== "NETWORK") this.fail({ ...failure, event: "message:history" });
    }
  }

  #event(event: HubEvent): void {
    if (this.role === "dispatcher") this.watchlist.update((list) => watchEvent(list, event, Date.now()));
    if (event.name === "sos:created") {
      // The incident that was asked for before it existed: a watcher is told of it, but is not in its room yet.
      const { sosId } = event.data;
      if (sosId === this.sosId) void this.#try("sos:init", async () => void (await this.#hub.follow(sosId)));
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

  async #act(event: string, act: (sosId: string) => Promise<unknown>): Promise<void> {
    const sosId = this.sosId;
    if (sosId !== null) await this.#try(event, () => act(sosId));
  }

  async #try(event: string, act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (thrown) {
      const failure = toFailure(thrown);
      // It was taken back, by an incident or a list that came after it.
      if (failure.code !== "CLOSED") this.fail({ ...failure, event });
    }
  }

  async #deliver(clientMessageId: string, text: string): Promise<void> {
    const sosId = this.sosId;
    if (sosId === null) return;
    try {
      const { messageId, timestamp } = await this.#hub.write("message:send", { sosId, text, clientMessageId });
      this.#dispatch({ type: "message:delivery", clientMessageId, delivery: "sent", messageId, timestamp });
    } catch (thrown) {
      const { code } = toFailure(thrown);
      this.#dispatch({ type: "message:delivery", clientMessageId, delivery: "failed", code });
      this.fail({ ...toFailure(thrown), event: "message:send" });
    }
  }

  async #token(): Promise<string> {
    const sosId = this.role === "dispatcher" ? null : this.sosId;
    if (this.role !== "dispatcher" && sosId === null) throw new HubError("INVALID_SOS_ID");
    return fetchToken(this.role, this.userId, sosId);
  }
}
