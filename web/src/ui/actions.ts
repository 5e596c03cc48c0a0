/** The large buttons of a panel: what this role can do next, and how an incident is ended. */

import type { Session } from "../hub/session";
import { SOS_ID, type Status } from "../hub/words";
import type { Incident } from "../state/incident";
import { isFinal, legalStatuses, mayAcknowledge, mayClose, nextStep, statusLabel } from "../state/status";
import { h, icon, setText } from "./dom";

export interface ActionCallbacks {
  /** Opens a new incident for the citizen. */
  call: () => Promise<void>;
  /** Turns this panel to an incident by its number. */
  follow: (sosId: string) => void;
}

const NEXT_WORDS: Partial<Record<Status, string>> = {
  assigned: "Take this call", en_route: "I am on my way", arrived: "I have arrived", responding: "I am helping",
  resolved: "Problem resolved", completed: "Complete",
};

const CONFIRM_MS = 6000;

export interface Actions {
  element: HTMLElement;
  show: (incident: Incident | null) => void;
}

export function actionsFor(session: Session, callbacks: ActionCallbacks): Actions {
  switch (session.role) {
    case "citizen": return citizenActions(session, callbacks);
    case "rescuer": return rescuerActions(session, callbacks);
    case "dispatcher": return dispatcherActions(session);
  }
}

function citizenActions(session: Session, { call }: ActionCallbacks): Actions {
  const sos = button("Send SOS", "button danger large", call, "sos");
  const safe = confirming("I am safe now", "Yes, end the call", "button", () => session.end("citizen is safe"), "close");
  const cancel = confirming("Cancel the call", "Yes, cancel it", "button quiet", () => session.setStatus("cancelled"), "status-cancelled");
  const element = h("div", { class: "actions" }, sos, safe, cancel);
  return {
    element,
    show: (incident) => {
      const state = incident?.sos ?? null;
      const ended = state !== null && isFinal(state.status);
      sos.hidden = incident !== null && !ended;
      setText(sos, ended ? "New SOS" : "Send SOS");
      safe.hidden = cancel.hidden = !sos.hidden;
      safe.disabled = state === null || !mayClose("citizen", session.userId, state);
      cancel.disabled = state === null || !legalStatuses("citizen", session.userId, state).includes("cancelled");
    },
  };
}

function rescuerActions(session: Session, { follow }: ActionCallbacks): Actions {
  const acknowledge = button("Acknowledge", "button", () => session.acknowledge(), "ack");
  let target: Status | null = null;
  const next = button("Next step", "button primary", () => (target === null ? undefined : session.setStatus(target)), "next");
  const number = h("input", { class: "input", name: "sos", required: true, placeholder: "Incident number", "aria-label": "Incident number", pattern: SOS_ID.source.slice(1, -1), autocomplete: "off" });
  const join = h("form", { class: "inline-form", on: { submit: (event) => { event.preventDefault(); follow(number.value.trim()); } } },
    number, h("button", { class: "button", type: "submit", text: "Join" }));
  const element = h("div", { class: "actions" }, acknowledge, next, join);
  return {
    element,
    show: (incident) => {
      const state = incident?.sos ?? null;
      join.hidden = incident !== null;
      acknowledge.hidden = next.hidden = incident === null;
      acknowledge.disabled = state === null || !mayAcknowledge("rescuer", state);
      setText(acknowledge, state?.acknowledgedBy ? "Acknowledged" : "Acknowledge");
      target = state === null ? null : nextStep("rescuer", session.userId, state);
      next.disabled = target === null;
      const over = state !== null && isFinal(state.status);
      setText(next, target !== null ? NEXT_WORDS[target] ?? statusLabel(target) : over ? "Incident ended" : state === null ? "Next step" : "All steps done");
    },
  };
}

function dispatcherActions(session: Session): Actions {
  const acknowledge = button("Acknowledge", "button primary", () => session.acknowledge(), "ack");
  const begin = h("button", { class: "button", type: "button", text: "End incident…", "data-testid": "end", on: { click: () => ask(true) } });
  const kinds: Status[] = ["closed", "cancelled", "rejected", "fake"];
  const kind = h("select", { class: "input", "aria-label": "How it ends", "data-testid": "end-kind" },
    ...kinds.map((status) => h("option", { value: status, text: statusLabel(status) })));
  const reason = h("input", { class: "input grow", name: "reason", maxlength: 300, placeholder: "Reason", "aria-label": "Reason", autocomplete: "off", "data-testid": "reason" });
  const end = h("button", { class: "button danger", type: "submit", text: "End", "data-testid": "close" });
  const form = h("form", {
    class: "inline-form grow", hidden: true, on: {
      keydown: (event) => { if (event.key === "Escape") ask(false); },
      submit: (event) => {
        event.preventDefault();
        const status = kind.value as Status;
        const words = reason.value.trim();
        void busy(end, async () => {
          await (status === "closed" ? session.end(words) : session.setStatus(status, words));
          ask(false);
        });
      },
    },
  }, kind, reason, end, h("button", { class: "icon-button", type: "button", "aria-label": "Back", title: "Back", on: { click: () => ask(false) } }, icon("close")));
  const element = h("div", { class: "actions" }, acknowledge, begin, form);
  let asking = false;
  let shown: Incident | null = null;

  function ask(now: boolean): void {
    asking = now;
    show(shown);
    if (now) reason.focus();
    else reason.value = "";
  }

  function show(incident: Incident | null): void {
    if (incident?.sosId !== shown?.sosId) asking = false;
    shown = incident;
    const state = incident?.sos ?? null;
    const open = state !== null && mayClose("dispatcher", session.userId, state);
    asking &&= open;
    form.hidden = !asking;
    acknowledge.hidden = begin.hidden = asking;
    acknowledge.disabled = state === null || !mayAcknowledge("dispatcher", state);
    setText(acknowledge, state?.acknowledgedBy ? "Acknowledged" : "Acknowledge");
    begin.disabled = !open;
    setText(begin, state !== null && !open ? "Incident ended" : "End incident…");
  }

  return { element, show };
}

function button(label: string, className: string, act: () => Promise<void> | undefined, testId: string): HTMLButtonElement {
  const element: HTMLButtonElement = h("button", { class: className, type: "button", text: label, "data-testid": testId, on: { click: () => void busy(element, act) } });
  return element;
}

/** A button that asks once more in its own place before it does something that cannot be taken back. */
export function confirming(label: string, question: string, className: string, act: () => Promise<void>, testId: string): HTMLButtonElement {
  let asked: ReturnType<typeof setTimeout> | undefined;
  const calm = (): void => {
    clearTimeout(asked);
    asked = undefined;
    element.classList.remove("asking");
    setText(element, label);
  };
  const element: HTMLButtonElement = button(label, className, async () => {
    if (asked === undefined) {
      asked = setTimeout(calm, CONFIRM_MS);
      element.classList.add("asking");
      setText(element, question);
      return;
    }
    calm();
    await act();
  }, testId);
  return element;
}

/** Shows that something is under way, and takes no second press meanwhile. */
export async function busy(element: HTMLButtonElement, act: () => Promise<void> | undefined): Promise<void> {
  if (element.getAttribute("aria-busy") === "true") return;
  element.setAttribute("aria-busy", "true");
  try {
    await act();
  } finally {
    element.removeAttribute("aria-busy");
  }
}

/** A small link that opens a role in a tab of its own. */
export function ownTab(href: string, label: string): HTMLAnchorElement {
  return h("a", { class: "icon-button", href, target: "_blank", rel: "noopener", "aria-label": label, title: label }, icon("open"));
}
