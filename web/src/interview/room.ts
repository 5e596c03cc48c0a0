/** A LiveKit room as the page needs it. The only file that knows LiveKit's client; it is loaded when somebody first joins. */

import {
  ConnectionState, DisconnectReason, Room, RoomEvent, Track, type LocalParticipant, type Participant, type RemoteTrack,
} from "livekit-client";
import { HubError } from "@convoke/client";
import { Store } from "../state/store";
import type { RoomPass } from "./protocol";
import { OUT, type Person, type RoomView } from "./room-view";

/** All that changes what is to be seen. */
const CHANGES = [
  RoomEvent.ConnectionStateChanged, RoomEvent.ParticipantConnected, RoomEvent.ParticipantDisconnected, RoomEvent.ParticipantNameChanged,
  RoomEvent.TrackSubscribed, RoomEvent.TrackUnsubscribed, RoomEvent.TrackMuted, RoomEvent.TrackUnmuted, RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished, RoomEvent.ActiveSpeakersChanged, RoomEvent.AudioPlaybackStatusChanged,
] as const;

export class LiveKitRoom {
  readonly view = new Store<RoomView>(OUT);
  readonly #room = new Room({ adaptiveStream: true, dynacast: true });
  readonly #sounds = new Map<RemoteTrack, HTMLMediaElement>();

  /** `onPutOut` is told when the room let go of us, not when we left. */
  constructor(onPutOut: () => void) {
    for (const change of CHANGES) this.#room.on(change, () => this.#look());
    this.#room.on(RoomEvent.TrackSubscribed, (track) => {
      if (track.kind === Track.Kind.Audio) this.#sounds.set(track, track.attach());
    });
    this.#room.on(RoomEvent.TrackUnsubscribed, (track) => this.#silence(track));
    this.#room.on(RoomEvent.Disconnected, (reason) => {
      for (const track of [...this.#sounds.keys()]) this.#silence(track);
      const name = reason === undefined ? "UNKNOWN_REASON" : DisconnectReason[reason] ?? "UNKNOWN_REASON";
      this.view.set({ ...OUT, reason: name });
      if (reason !== DisconnectReason.CLIENT_INITIATED) onPutOut();
    });
  }

  async join(pass: RoomPass): Promise<void> {
    await this.leave();
    this.view.set({ ...OUT, phase: "joining" });
    try {
      await this.#room.connect(pass.wsUrl, pass.token);
    } catch (thrown) {
      this.view.set({ ...OUT, reason: "JOIN_FAILURE" });
      throw new HubError("ROOM_UNREACHABLE", String(thrown));
    }
    this.#look();
  }

  async leave(): Promise<void> {
    if (this.#room.state !== ConnectionState.Disconnected) await this.#room.disconnect();
  }

  /** Switches camera or microphone; the first time the browser asks for them. */
  async switch(device: "camera" | "microphone", on: boolean): Promise<void> {
    if (on && !window.isSecureContext) throw new HubError("NO_SECURE_PAGE");
    const own = this.#room.localParticipant;
    try {
      await (device === "camera" ? own.setCameraEnabled(on) : own.setMicrophoneEnabled(on));
    } catch (thrown) {
      const denied = thrown instanceof Error && (thrown.name === "NotAllowedError" || thrown.name === "SecurityError");
      throw new HubError(denied ? "MEDIA_DENIED" : "MEDIA_UNAVAILABLE");
    } finally {
      this.#look();
    }
  }

  /** Browsers play no sound before the page was touched. */
  async playSound(): Promise<void> {
    await this.#room.startAudio();
  }

  #silence(track: RemoteTrack): void {
    for (const element of track.detach()) element.remove();
    this.#sounds.delete(track);
  }

  #look(): void {
    const { state, localParticipant, remoteParticipants } = this.#room;
    if (state === ConnectionState.Disconnected) return;
    this.view.set({
      phase: state === ConnectionState.Connected ? "in" : state === ConnectionState.Connecting ? "joining" : "reconnecting",
      reason: null,
      people: [localParticipant, ...remoteParticipants.values()].filter((one) => one.identity !== "").map((one) => person(one, localParticipant)),
      camera: localParticipant.isCameraEnabled,
      microphone: localParticipant.isMicrophoneEnabled,
      soundBlocked: !this.#room.canPlaybackAudio,
    });
  }
}

function person(one: Participant, own: LocalParticipant): Person {
  const camera = one.getTrackPublication(Track.Source.Camera);
  const picture = camera?.isMuted === false ? camera.track : undefined;
  return {
    identity: one.identity,
    name: one.name || one.identity,
    own: one === own,
    agent: one.isAgent,
    microphone: one.isMicrophoneEnabled,
    speaking: one.isSpeaking,
    picture: picture === undefined ? null
      : { id: picture.sid ?? one.identity, attach: (element) => void picture.attach(element), detach: (element) => void picture.detach(element) },
  };
}
