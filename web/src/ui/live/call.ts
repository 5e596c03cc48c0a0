/** The two-sided call: one's own picture, the other's, and the way in and out. */

import { toFailure, type HubFailure } from "../../errors";
import type { Call, CallView as View } from "../../live/call";
import { busy } from "../actions";
import { h, icon, keyed, setText } from "../dom";

interface Tile {
  id: string;
  name: string;
  stream: MediaStream | null;
  own: boolean;
  state: string;
}

export class CallView {
  readonly element: HTMLElement;
  readonly #tiles = h("ul", { class: "live-tiles", "aria-label": "People in the call", "data-testid": "call-tiles" });
  readonly #join: HTMLButtonElement;
  readonly #words = h("span", { class: "hint", "data-testid": "call-state" });

  constructor(call: Call, fail: (failure: HubFailure) => void) {
    const press: HTMLButtonElement = h("button", {
      class: "button small", type: "button", "data-testid": "call",
      on: { click: () => void busy(press, () => (call.view.value.state === "in" ? call.leave() : call.join()).catch((thrown: unknown) => fail({ ...toFailure(thrown), event: "call" }))) },
    });
    this.#join = press;
    this.element = h("div", { class: "live-call", "data-testid": "live-call" }, this.#tiles, h("div", { class: "live-row" }, press, this.#words));
    call.view.subscribe((view) => this.#show(view));
  }

  #show(view: View): void {
    this.element.dataset["state"] = view.state;
    this.#join.replaceChildren(icon(view.state === "in" ? "leave" : "camera"), h("span", { text: view.state === "in" ? "Leave the call" : "Join the call" }));
    setText(this.#words, view.state === "joining" ? "Joining…" : view.state === "out" ? "" : view.others.length === 0 ? "Nobody else is in the call yet" : "");
    const tiles: Tile[] = view.others.map(({ peer, stream, connection }) => ({ id: peer.socketId, name: peer.role === "" ? "Somebody" : peer.role, stream, own: false, state: connection }));
    if (view.own) tiles.push({ id: "own", name: "you", stream: view.own, own: true, state: "connected" });
    keyed(this.#tiles, tiles, (tile) => tile.id, makeTile, (element, tile) => {
      element.dataset["state"] = tile.state;
      const video = element.querySelector("video");
      if (video && video.srcObject !== tile.stream) video.srcObject = tile.stream;
      const label = element.querySelector(".tile-label");
      if (label) setText(label, tile.state === "connected" ? tile.name : `${tile.name} · ${tile.state}`);
    });
  }
}

function makeTile(tile: Tile): HTMLElement {
  const video = h("video", { class: "tile-video", autoplay: true, playsinline: true, "aria-label": `Camera of ${tile.name}` });
  // Nobody wants to hear themselves.
  video.muted = tile.own;
  return h("li", { class: tile.own ? "tile own" : "tile", "data-testid": tile.own ? "call-own" : "call-other" }, video, h("span", { class: "tile-label" }));
}
