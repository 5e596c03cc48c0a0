/** Live interviews on the screen: a candidate's side and a recruiter's, both of one interview or one of them alone. */

import type { LinkState } from "@convoke/client";
import { toFailure } from "../../errors";
import { planInterview } from "../../live/api";
import { Call } from "../../live/call";
import { Candidate } from "../../live/candidate";
import { Recruiter } from "../../live/recruiter";
import type { DemoInterview } from "../../live/protocol";
import { busy } from "../actions";
import { h, icon, setText } from "../dom";
import { Toasts } from "../toasts";
import { CallView } from "./call";
import { CandidateView } from "./candidate";
import { RecruiterView } from "./recruiter";

export type Side = "candidate" | "recruiter";

export interface LivePageOptions {
  transports: string[];
  /** What the address says: the interview and a token for one side. They stand behind `#`, so that no server is sent them. */
  hash: string;
}

const KEY = "convoke-live-interview";
const LINKS: Record<LinkState["name"], string> = {
  idle: "", connecting: "Connecting…", connected: "Connected", waiting: "Reconnecting…", suspended: "Offline", refused: "Refused", closed: "Closed",
};

export class LivePage {
  readonly element = h("main", { class: "live", "data-role": "live", "data-testid": "live" });
  readonly #toasts = new Toasts();
  readonly #transports: string[];
  #ticking: (() => void)[] = [];

  constructor({ transports, hash }: LivePageOptions) {
    this.#transports = transports;
    const given = readHash(hash);
    const stored = readStored(sessionStorage);
    if (given) this.#open(given.interviewId, { [given.side]: given.token });
    else if (stored) this.#openBoth(stored);
    else this.#showStart();
  }

  /** Once a second. */
  tick(): void {
    for (const tick of this.#ticking) tick();
  }

  #showStart(): void {
    const name = h("input", { class: "input", id: "live-candidate", required: true, maxlength: 80, value: "Ada Lovelace", autocomplete: "off", "data-testid": "live-candidate" });
    const press: HTMLButtonElement = h("button", { class: "button primary large", type: "submit", text: "Plan an interview", "data-testid": "plan" });
    this.element.replaceChildren(h("section", { class: "live-card live-plan", "aria-label": "Plan an interview" },
      h("h2", { text: "Live interview" }),
      h("p", { class: "hint", text: "A program asks, a candidate answers by voice or in writing, a recruiter watches and can talk to the candidate. Here both sides stand side by side; each has a link of its own for another device." }),
      h("form", { class: "sign-in", on: { submit: (event) => { event.preventDefault(); void busy(press, () => this.#plan(name.value.trim())); } } },
        h("label", { for: "live-candidate", text: "Name of the candidate" }), name, press)), this.#toasts.element);
  }

  async #plan(candidate: string): Promise<void> {
    try {
      const made = await planInterview(candidate);
      sessionStorage.setItem(KEY, JSON.stringify(made));
      this.#openBoth(made);
    } catch (thrown) {
      this.#toasts.show({ ...toFailure(thrown), event: "plan" });
    }
  }

  #openBoth({ interviewId, joinToken, recruiterToken }: DemoInterview): void {
    this.#open(interviewId, { candidate: joinToken, recruiter: recruiterToken });
  }

  #open(interviewId: string, tokens: Partial<Record<Side, string>>): void {
    this.element.dataset["interview"] = interviewId;
    const cards: HTMLElement[] = [];
    if (tokens.candidate !== undefined) cards.push(this.#candidate(interviewId, tokens.candidate));
    if (tokens.recruiter !== undefined) cards.push(this.#recruiter(interviewId, tokens.recruiter));
    this.element.dataset["sides"] = String(cards.length);
    const again = h("button", {
      class: "button quiet small", type: "button", text: "Another interview", "data-testid": "another",
      on: { click: () => { sessionStorage.removeItem(KEY); location.hash = ""; location.reload(); } },
    });
    this.element.replaceChildren(...cards, h("footer", { class: "live-foot" }, h("code", { "data-testid": "interview-id", text: interviewId }), again), this.#toasts.element);
  }

  #candidate(interviewId: string, token: string): HTMLElement {
    const candidate = new Candidate(interviewId, token, this.#transports);
    const call = new Call(candidate.hub, interviewId, "candidate");
    const view = new CandidateView(candidate);
    this.#ticking.push(() => view.tick());
    return this.#card("candidate", "Candidate", interviewId, token, candidate, call, view.element);
  }

  #recruiter(interviewId: string, token: string): HTMLElement {
    const recruiter = new Recruiter(interviewId, token, this.#transports);
    const call = new Call(recruiter.hub, interviewId, "interviewer");
    return this.#card("recruiter", "Recruiter", interviewId, token, recruiter, call, new RecruiterView(recruiter).element);
  }

  #card(side: Side, title: string, interviewId: string, token: string, session: Candidate | Recruiter, call: Call, body: HTMLElement): HTMLElement {
    const link = h("span", { class: "live-link", role: "status", "data-testid": "live-link" });
    const card = h("section", { class: "live-card", "aria-label": title, "data-side": side, "data-testid": `side-${side}` },
      h("header", { class: "panel-head" }, h("span", { class: "badge-role" }, icon(side === "candidate" ? "person" : "radar")), h("div", { class: "panel-title" }, h("h2", { text: title }), link),
        h("a", { class: "icon-button live-own-tab", href: ownAddress(interviewId, side, token), target: "_blank", rel: "noopener", "aria-label": `${title}'s side in a tab of its own`, title: "In a tab of its own", "data-testid": `link-${side}` }, icon("open"))),
      new CallView(call, (failure) => session.fail(failure)).element, body);
    const show = (state: LinkState): void => {
      setText(link, LINKS[state.name] + (state.name === "connected" && state.recovered ? ", nothing was missed" : ""));
      link.dataset["state"] = state.name;
    };
    show(session.hub.state);
    session.hub.onState(show);
    session.failure.subscribe((last) => { if (last) this.#toasts.show(last.failure); });
    return card;
  }
}

function ownAddress(interviewId: string, side: Side, token: string): string {
  const query = new URLSearchParams(location.search);
  query.set("page", "live");
  return `?${query}#${new URLSearchParams({ interview: interviewId, side, token })}`;
}

function readHash(hash: string): { interviewId: string; side: Side; token: string } | null {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const [interviewId, side, token] = [given.get("interview"), given.get("side"), given.get("token")];
  return interviewId && token && (side === "candidate" || side === "recruiter") ? { interviewId, side, token } : null;
}

function readStored(storage: Pick<Storage, "getItem">): DemoInterview | null {
  try {
    const stored = JSON.parse(storage.getItem(KEY) ?? "null") as Partial<DemoInterview> | null;
    const { interviewId, joinToken, recruiterToken } = stored ?? {};
    return typeof interviewId === "string" && typeof joinToken === "string" && typeof recruiterToken === "string" ? { interviewId, joinToken, recruiterToken } : null;
  } catch {
    return null;
  }
}
