/** Failures in words, with their code, for as long as it takes to read them. */

import { explain, type HubFailure } from "../errors";
import { h, icon } from "./dom";

const SHOWN_MS = 8000;

export class Toasts {
  readonly element = h("div", { class: "toasts", role: "alert" });

  show(failure: HubFailure): void {
    const toast = h("div", { class: "toast", "data-testid": "error" },
      h("span", { class: "toast-text", text: explain(failure) }),
      h("code", { text: failure.event ? `${failure.code} · ${failure.event}` : failure.code }),
      h("button", { class: "icon-button", type: "button", "aria-label": "Dismiss", on: { click: () => toast.remove() } }, icon("close")));
    while (this.element.childElementCount > 2) this.element.firstElementChild?.remove();
    this.element.append(toast);
    setTimeout(() => toast.remove(), SHOWN_MS);
  }
}
