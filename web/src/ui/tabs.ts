/** Tabs after the ARIA pattern: one is open, arrows move between them. */

import { randomId } from "../format";
import { h } from "./dom";

export interface Tab {
  id: string;
  label: string;
  content: HTMLElement;
}

export class Tabs {
  readonly element: HTMLElement;
  readonly #buttons = new Map<string, HTMLButtonElement>();
  readonly #tabs: Tab[];
  readonly #onOpen: (id: string) => void;
  open = "";

  constructor(label: string, tabs: Tab[], onOpen: (id: string) => void) {
    this.#tabs = tabs;
    this.#onOpen = onOpen;
    const prefix = randomId(6);
    const list = h("div", { class: "tablist", role: "tablist", "aria-label": label });
    for (const tab of tabs) {
      const button = h("button", {
        class: "tab", type: "button", role: "tab", id: `${prefix}-${tab.id}`, "aria-controls": `${prefix}-${tab.id}-panel`, "data-testid": `tab-${tab.id}`,
        on: { click: () => this.select(tab.id), keydown: (event) => this.#arrow(event, tab.id) },
      }, h("span", { text: tab.label }), h("span", { class: "badge", hidden: true }));
      this.#buttons.set(tab.id, button);
      list.append(button);
      tab.content.id = `${prefix}-${tab.id}-panel`;
      tab.content.setAttribute("role", "tabpanel");
      tab.content.setAttribute("aria-labelledby", button.id);
      tab.content.classList.add("tabpanel");
    }
    this.element = h("div", { class: "tabs" }, list, ...tabs.map((tab) => tab.content));
    this.select(tabs[0]?.id ?? "");
  }

  select(id: string): void {
    this.open = id;
    for (const tab of this.#tabs) {
      tab.content.hidden = tab.id !== id;
      const button = this.#buttons.get(tab.id);
      button?.setAttribute("aria-selected", String(tab.id === id));
      button?.setAttribute("tabindex", tab.id === id ? "0" : "-1");
    }
    this.badge(id, 0);
    this.#onOpen(id);
  }

  /** A number beside a label: what is new there. */
  badge(id: string, n: number): void {
    const badge = this.#buttons.get(id)?.querySelector<HTMLElement>(".badge");
    if (!badge) return;
    badge.hidden = n === 0;
    badge.textContent = n === 0 ? "" : String(Math.min(99, n));
  }

  #arrow(event: KeyboardEvent, id: string): void {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const index = this.#tabs.findIndex((tab) => tab.id === id);
    const next = this.#tabs[(index + step + this.#tabs.length) % this.#tabs.length];
    if (next === undefined) return;
    this.select(next.id);
    this.#buttons.get(next.id)?.focus();
  }
}
