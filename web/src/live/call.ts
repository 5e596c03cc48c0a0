/**
 * A call between two browsers (WebRTC), signalled by the hub: `joinRoom`, then offers, answers and candidates to one socket.
 * Of each pair the one whose socketId is smaller is polite: it gives way when both make an offer at once.
 */

import { HubError, type Interview } from "@convoke/client";
import { Store } from "../state/store";
import type { Peer } from "./protocol";

export interface CallView {
  state: "out" | "joining" | "in";
  own: MediaStream | null;
  others: { peer: Peer; stream: MediaStream | null; connection: RTCPeerConnectionState }[];
}

interface Line {
  peer: Peer;
  connection: RTCPeerConnection;
  stream: MediaStream | null;
  making: boolean;
  ignoring: boolean;
  /** Candidates that came before the description to which they belong. */
  early: RTCIceCandidateInit[];
}

interface Signal {
  socketId: string;
  /** What the other browser gave its own `Call` to send. */
  payload: unknown;
}

export class Call {
  readonly view = new Store<CallView>({ state: "out", own: null, others: [] });
  readonly #lines = new Map<string, Line>();
  #own: MediaStream | null = null;
  #in = false;

  constructor(private readonly hub: Interview, private readonly interviewId: string, private readonly role: "candidate" | "interviewer") {
    hub.on("presence:update", (peers) => this.#presence(peers));
    for (const event of ["offer", "answer"] as const) hub.on(event, ({ socketId, payload }) => void this.#described({ socketId, payload }));
    hub.on("iceCandidate", ({ socketId, payload }) => void this.#candidate({ socketId, payload }));
  }

  async join(): Promise<void> {
    if (this.#in) return;
    this.view.update((view) => ({ ...view, state: "joining" }));
    try {
      this.#own = await ownMedia();
      await this.#enter();
    } catch (thrown) {
      await this.leave();
      throw thrown;
    }
  }

  async leave(): Promise<void> {
    const was = this.#in;
    this.#in = false;
    for (const line of this.#lines.values()) line.connection.close();
    this.#lines.clear();
    this.#own?.getTracks().forEach((track) => track.stop());
    this.#own = null;
    this.#show();
    if (was) await this.hub.leaveCall(this.interviewId).catch(() => undefined);
  }

  async #enter(): Promise<void> {
    this.#in = true;
    await this.hub.joinCall({ interviewId: this.interviewId, role: this.role });
    this.#show();
  }

  #presence(peers: Peer[]): void {
    if (!this.#in) return;
    const own = this.hub.socket.id ?? "";
    const present = new Set(peers.map((peer) => peer.socketId));
    for (const [id, line] of this.#lines) {
      if (present.has(id)) continue;
      line.connection.close();
      this.#lines.delete(id);
    }
    for (const peer of peers) if (peer.socketId !== own && peer.role !== "observer" && !this.#lines.has(peer.socketId)) this.#line(peer);
    this.#show();
  }

  #line(peer: Peer): Line {
    const connection = new RTCPeerConnection();
    const line: Line = { peer, connection, stream: null, making: false, ignoring: false, early: [] };
    this.#lines.set(peer.socketId, line);
    connection.onnegotiationneeded = (): void => void this.#offer(line);
    connection.onicecandidate = ({ candidate }): void => { if (candidate) this.#send("iceCandidate", peer.socketId, candidate.toJSON()); };
    connection.ontrack = ({ streams: [stream] }): void => {
      line.stream = stream ?? null;
      this.#show();
    };
    connection.onconnectionstatechange = (): void => {
      if (connection.connectionState === "failed") connection.restartIce();
      this.#show();
    };
    for (const track of this.#own?.getTracks() ?? []) if (this.#own) connection.addTrack(track, this.#own);
    return line;
  }

  async #offer(line: Line): Promise<void> {
    try {
      line.making = true;
      await line.connection.setLocalDescription();
      this.#send("offer", line.peer.socketId, line.connection.localDescription);
    } finally {
      line.making = false;
    }
  }

  async #described({ socketId, payload: given }: Signal): Promise<void> {
    if (!this.#in) return;
    const payload = given as RTCSessionDescriptionInit;
    const line = this.#lines.get(socketId) ?? this.#line({ socketId, identity: "", role: "" });
    const { connection } = line;
    const polite = (this.hub.socket.id ?? "") < socketId;
    const collision = payload.type === "offer" && (line.making || connection.signalingState !== "stable");
    line.ignoring = collision && !polite;
    if (line.ignoring) return;
    await connection.setRemoteDescription(payload);
    for (const candidate of line.early.splice(0)) await this.#add(line, candidate);
    if (payload.type !== "offer") return;
    await connection.setLocalDescription();
    this.#send("answer", socketId, connection.localDescription);
  }

  async #candidate({ socketId, payload: given }: Signal): Promise<void> {
    if (!this.#in || given === null) return;
    const payload = given as RTCIceCandidateInit;
    const line = this.#lines.get(socketId);
    if (line === undefined) return;
    if (line.connection.remoteDescription === null) line.early.push(payload);
    else await this.#add(line, payload);
  }

  async #add(line: Line, candidate: RTCIceCandidateInit): Promise<void> {
    try {
      await line.connection.addIceCandidate(candidate);
    } catch (thrown) {
      if (!line.ignoring) throw thrown;
    }
  }

  #send(event: "offer" | "answer" | "iceCandidate", to: string, payload: unknown): void {
    // Who has left meanwhile is told by the next presence; signals to it are refused.
    this.hub.emitWithAck(event, { interviewId: this.interviewId, to, payload }).catch(() => undefined);
  }

  #show(): void {
    this.view.set({
      state: this.#in ? "in" : "out",
      own: this.#own,
      others: [...this.#lines.values()].map(({ peer, stream, connection }) => ({ peer, stream, connection: connection.connectionState })),
    });
  }
}

async function ownMedia(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new HubError("NO_SECURE_PAGE");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 400 } });
  } catch (thrown) {
    throw new HubError((thrown as Error).name === "NotAllowedError" ? "MEDIA_DENIED" : "MEDIA_UNAVAILABLE");
  }
}
