/** The LiveKit room: a tile for everybody in it, and the switches for one's own camera and microphone. */

import { toFailure } from "../../errors";
import type { HolderSession } from "../../interview/holder";
import type { LazyRoom } from "../../interview/lazy-room";
import { outWords, type Person, type Picture, type RoomView as View } from "../../interview/room-view";
import type { Phase } from "../../interview/state";
import { busy } from "../actions";
import { h, icon, keyed, setText, type IconName } from "../dom";

const STATES: Record<View["phase"], string> = { out: "Not in the room", joining: "Joining…", in: "In the room", reconnecting: "Reconnecting…" };

export class RoomView {
  readonly element: HTMLElement;
  readonly #state = h("p", { class: "room-state", role: "status", "data-testid": "room-state" });
  readonly #tiles = h("ul", { class: "tiles", "aria-label": "People in the room", "data-testid": "tiles" });
  readonly #empty = h("p", { class: "room-empty" });
  readonly #bar: HTMLElement;
  readonly #switches: Record<"microphone" | "camera", HTMLButtonElement>;
  readonly #sound: HTMLButtonElement;
  readonly #leave: HTMLButtonElement;
  /** The picture that each video element shows. */
  readonly #shown = new WeakMap<Element, Picture>();

  constructor(private readonly room: LazyRoom, private readonly holder: HolderSession) {
    this.#switches = { microphone: this.#switch("microphone"), camera: this.#switch("camera") };
    this.#sound = this.#button("Switch the sound on", "button", "sound", () => room.playSound());
    this.#leave = this.#button("Leave", "button", "leave", () => room.leave());
    this.#leave.prepend(icon("leave"));
    this.#bar = h("div", { class: "room-bar", role: "group", "aria-label": "Camera, microphone, room" },
      this.#switches.microphone, this.#switches.camera, this.#sound, this.#leave);
    this.element = h("div", { class: "room", "data-testid": "room" }, this.#state, this.#empty, this.#tiles, this.#bar);
  }

  show(view: View, phase: Phase): void {
    this.element.dataset["phase"] = view.phase;
    this.element.dataset["reason"] = view.reason ?? "";
    setText(this.#state, STATES[view.phase] + (view.phase === "in" && !view.people.some((one) => one.agent) ? " · no interviewer has joined yet" : ""));
    this.#empty.hidden = view.people.length > 0;
    setText(this.#empty, view.phase === "joining" ? "Entering the room…" : hint(phase, view.reason));
    const present = view.phase === "in" || view.phase === "reconnecting";
    for (const device of ["microphone", "camera"] as const) showSwitch(this.#switches[device], device, view[device], present);
    this.#bar.hidden = view.phase === "out";
    this.#leave.disabled = !present;
    this.#sound.hidden = !present || !view.soundBlocked;
    keyed(this.#tiles, view.people, (person) => person.identity, makeTile, (tile, person) => this.#showTile(tile, person));
  }

  #showTile(tile: HTMLElement, person: Person): void {
    tile.dataset["speaking"] = String(person.speaking);
    tile.dataset["picture"] = String(person.picture !== null);
    const [video, name, mute] = [tile.querySelector("video"), tile.querySelector(".tile-name"), tile.querySelector<HTMLElement>(".tile-mute")];
    if (name) setText(name, person.own ? `${person.name} (you)` : person.agent ? `${person.name} · interviewer` : person.name);
    if (mute) mute.hidden = person.microphone;
    if (!video) return;
    const before = this.#shown.get(video);
    if (before?.id === person.picture?.id) return;
    before?.detach(video);
    if (person.picture) {
      person.picture.attach(video);
      this.#shown.set(video, person.picture);
    } else {
      this.#shown.delete(video);
    }
    video.hidden = person.picture === null;
  }

  #switch(device: "microphone" | "camera"): HTMLButtonElement {
    return this.#button("", "button", device, () => this.room.switch(device, !this.room.view.value[device]));
  }

  #button(label: string, kind: string, id: string, act: () => Promise<void>): HTMLButtonElement {
    const element: HTMLButtonElement = h("button", {
      class: kind, type: "button", "data-testid": id,
      on: { click: () => void busy(element, () => act().catch((thrown: unknown) => this.holder.fail({ ...toFailure(thrown), event: id }))) },
    }, h("span", { text: label }));
    return element;
  }
}

function showSwitch(button: HTMLButtonElement, device: "microphone" | "camera", on: boolean, present: boolean): void {
  button.disabled = !present;
  const pressed = String(on);
  if (button.getAttribute("aria-pressed") === pressed) return;
  button.setAttribute("aria-pressed", pressed);
  if (device === "microphone") button.setAttribute("aria-label", "Microphone");
  const shape: IconName = device === "camera" ? (on ? "camera" : "camera-off") : on ? "mic" : "mic-off";
  button.replaceChildren(icon(shape), h("span", { text: device === "camera" ? "Camera" : "Mic" }));
}

function makeTile(person: Person): HTMLElement {
  const video = h("video", { class: "tile-video", autoplay: true, playsinline: true, hidden: true, "aria-label": `Camera of ${person.name}` });
  // Nobody wants to hear themselves; sound comes by elements of its own.
  video.muted = true;
  return h("li", { class: person.own ? "tile own" : "tile", "data-testid": `tile-${person.identity}` },
    h("span", { class: "tile-initial", "aria-hidden": "true", text: person.name.charAt(0).toUpperCase() }), video,
    h("span", { class: "tile-label" }, h("span", { class: "tile-name" }),
      h("span", { class: "tile-mute", hidden: true }, icon("mic-off"), h("span", { class: "visually-hidden", text: "muted" }))));
}

function hint(phase: Phase, reason: string | null): string {
  switch (phase) {
    case "active":
    case "overdue": return outWords(reason) || "You are not in the room.";
    case "ended": return "The room is closed.";
    default: return "Here you will see yourself and the interviewer. Starting a session opens the room, and your camera and microphone.";
  }
}
