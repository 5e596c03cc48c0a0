/** The connection of a panel: a chip that says how it is, and a button to cut or restore it. */

import { explain } from "../errors";
import type { Connection, Link } from "../hub/connection";
import { announce, h, icon, setText } from "./dom";

export class LinkView {
  readonly element: HTMLElement;
  readonly #chip = h("span", { class: "link-chip", "data-testid": "link" });
  readonly #detail = h("span", { class: "link-detail" });
  readonly #button: HTMLButtonElement;
  readonly #connection: Connection;
  #said = "";

  constructor(connection: Connection, private readonly who: string) {
    this.#connection = connection;
    this.#button = h("button", { class: "icon-button", type: "button", "data-testid": "offline", on: { click: () => this.#press() } });
    this.element = h("div", { class: "link", "data-testid": "panel-link" }, h("span", { class: "link-words" }, this.#chip, this.#detail), this.#button);
    connection.link.subscribe((link) => this.#show(link));
  }

  /** Counts down. */
  tick(): void {
    if (this.#connection.link.value.phase.name === "waiting") this.#show(this.#connection.link.value);
  }

  #press(): void {
    const { phase } = this.#connection.link.value;
    if (phase.name === "connected" || phase.name === "connecting") this.#connection.hub.suspend();
    else this.#connection.hub.connect();
  }

  #show(link: Link): void {
    const { phase } = link;
    const [state, words, detail] = describe(link);
    this.element.dataset["state"] = state;
    setText(this.#chip, words);
    setText(this.#detail, detail);
    this.#detail.title = detail;
    const on = phase.name === "connected" || phase.name === "connecting";
    const label = on ? "Go offline" : phase.name === "suspended" ? "Go online" : "Connect now";
    this.#button.disabled = phase.name === "idle" || phase.name === "closed";
    if (this.#button.getAttribute("aria-label") !== label) {
      this.#button.setAttribute("aria-label", label);
      this.#button.title = on ? "Go offline, as in a tunnel" : label;
      this.#button.replaceChildren(icon(on ? "plane" : "play"));
    }
    const told = state === "on" ? "connected" : state === "off" ? "connection lost" : "";
    if (told !== "" && told !== this.#said) {
      if (this.#said !== "") announce(`${this.who}: ${told}`);
      this.#said = told;
    }
  }
}

function describe({ phase, transport, rttMs }: Link): [state: string, words: string, detail: string] {
  switch (phase.name) {
    case "idle":
    case "closed":
      return ["idle", "Not connected", ""];
    case "connecting":
      return ["busy", phase.attempt > 1 ? "Reconnecting…" : "Connecting…", phase.attempt > 1 ? `attempt ${phase.attempt}` : ""];
    case "connected":
      return ["on", "Connected", [transport, rttMs === null ? null : `${rttMs} ms`, phase.recovered ? "recovered" : null].filter(Boolean).join(" · ")];
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((phase.retryAt - Date.now()) / 1000));
      return ["off", `Reconnecting in ${seconds} s`, explain(phase.failure)];
    }
    case "suspended":
      return ["off", "Offline", "positions and messages wait"];
    case "refused":
      return ["bad", "Refused", `${explain(phase.failure)} (${phase.failure.code})`];
  }
}
