/** What can be done next, and how long it goes on: eligibility, start, the time that is left, end. */

import { clock } from "../../format";
import type { HolderSession } from "../../interview/holder";
import type { RoomView } from "../../interview/room-view";
import { countdown, endWords, remainingMs, type Phase } from "../../interview/state";
import { busy, confirming } from "../actions";
import { announce, h, setText } from "../dom";
import { signInForm } from "./sign-in";

const TITLES: Record<Phase, string> = {
  "signed-out": "Sign in",
  looking: "Asking the hub…",
  "may-start": "You can start",
  "may-not-start": "You cannot start now",
  active: "Session is running",
  overdue: "Time is over",
  ended: "Session has ended",
};

export class BookingView {
  readonly element: HTMLElement;
  readonly #holder: HolderSession;
  readonly #title = h("h3", { class: "booking-title", "data-testid": "phase" });
  readonly #left = h("p", { class: "countdown", role: "timer", "aria-label": "Time left", "data-testid": "countdown" });
  readonly #words = h("p", { class: "booking-words", "data-testid": "eligibility" });
  readonly #code = h("code", { class: "booking-code", "data-testid": "reason" });
  readonly #form: HTMLFormElement;
  readonly #start: HTMLButtonElement;
  readonly #look: HTMLButtonElement;
  readonly #join: HTMLButtonElement;
  readonly #end: HTMLButtonElement;
  readonly #again: HTMLButtonElement;
  readonly #facts = h("dl", { class: "facts" });
  #said: Phase | null = null;

  constructor(holder: HolderSession, name: string, signIn: (name: string, resume: boolean) => Promise<unknown>) {
    this.#holder = holder;
    this.#form = signInForm(name, signIn);
    const button = (label: string, kind: string, id: string, act: () => Promise<unknown>): HTMLButtonElement => {
      const element: HTMLButtonElement = h("button", {
        class: `button ${kind}`, type: "button", text: label, "data-testid": id, on: { click: () => void busy(element, async () => { await act(); }) },
      });
      return element;
    };
    this.#start = button("Start the interview", "primary large", "start", () => holder.start());
    this.#look = button("Ask again", "", "look", () => holder.look());
    this.#join = button("Join the room again", "primary", "rejoin", () => holder.rejoin());
    this.#end = confirming("End the session", "Yes, end it", "button danger", async () => { await holder.end(); }, "end");
    this.#again = button("Go on", "primary", "again", () => holder.again());
    this.element = h("div", { class: "booking" }, this.#title, this.#left, this.#words, this.#code, this.#form,
      h("div", { class: "booking-actions" }, this.#start, this.#look, this.#join, this.#end, this.#again), this.#facts);
  }

  show(room: RoomView): void {
    const { phase } = this.#holder;
    const { eligibility, session, pass } = this.#holder.stay.value;
    const now = this.#holder.now();
    const running = phase === "active" || phase === "overdue";
    this.element.dataset["phase"] = phase;
    setText(this.#title, TITLES[phase]);
    this.#left.hidden = !running;
    if (session && running) {
      const left = remainingMs(session, now);
      setText(this.#left, countdown(left));
      this.#left.dataset["soon"] = String(left < 60_000);
    }
    const asked = phase === "may-start" || phase === "may-not-start";
    setText(this.#words, phase === "ended" && session ? endWords(session) : asked ? eligibility?.message ?? "A place is free for you." : "");
    setText(this.#code, phase === "ended" ? session?.status ?? "" : asked ? eligibility?.reason ?? "" : "");
    this.#words.hidden = this.#words.textContent === "";
    this.#code.hidden = this.#code.textContent === "";
    this.#form.hidden = phase !== "signed-out";
    this.#start.hidden = !asked;
    this.#start.disabled = phase !== "may-start";
    this.#look.hidden = phase !== "may-not-start" && phase !== "looking";
    this.#join.hidden = !running || room.phase !== "out";
    this.#end.hidden = !running;
    this.#again.hidden = phase !== "ended";
    this.#showFacts(session && [
      ["Session", session.id, "session-id"],
      ["Room", session.livekit_room_name, "room-name"],
      [running ? "Ends at" : "Would have ended at", clock(Date.parse(session.server_end_time)), "ends-at"],
      ["Token", pass === null ? "none: the room is closed" : `${pass.source === "start" ? "from the start" : "renewed"}, ${clock(pass.at)}`, "pass"],
    ]);
    if (phase !== this.#said && this.#said !== null && phase !== "looking") announce(TITLES[phase]);
    this.#said = phase;
  }

  #showFacts(facts: [name: string, value: string, id: string][] | null): void {
    this.#facts.hidden = facts === null;
    for (const [name, value, id] of facts ?? []) {
      let shown = this.#facts.querySelector(`[data-testid="${id}"]`);
      if (shown === null) {
        shown = h("dd", { "data-testid": id });
        this.#facts.append(h("dt"), shown);
      }
      if (shown.previousElementSibling) setText(shown.previousElementSibling, name);
      setText(shown, value);
    }
  }
}
