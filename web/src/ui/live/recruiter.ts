/** The recruiter's side: progress, score, trust, alerts, the transcript as it is spoken, the summary. */

import { clock } from "../../format";
import type { Recruiter } from "../../live/recruiter";
import type { Alert, Exchange, RecruiterState } from "../../live/recruiter-state";
import { announce, h, keyed, setText } from "../dom";

const STATUS: Record<RecruiterState["status"], string> = { waiting: "Not started yet", live: "Live", paused: "Interrupted", completed: "Completed", ended: "Ended" };
const REASONS: Record<string, string> = { disconnect: "the candidate's connection is lost", heartbeat: "the candidate gives no sign of life", "node-lost": "a node of the hub has failed", expired: "its time is over" };
const RECOMMENDATIONS: Record<string, string> = { strong_hire: "Strong hire", hire: "Hire", no_hire: "No hire" };

export class RecruiterView {
  readonly element: HTMLElement;
  readonly #name = h("h3", { class: "live-stage", "data-testid": "candidate-name" });
  readonly #status = h("span", { class: "live-status", role: "status", "data-testid": "status" });
  readonly #progress = h("progress", { class: "live-progress", max: 1, value: 0, "aria-label": "Progress" });
  readonly #count = h("span", { class: "hint", "data-testid": "progress" });
  readonly #trust = h("output", { class: "live-number", "data-testid": "trust" });
  readonly #score = h("output", { class: "live-number", "data-testid": "score" });
  readonly #notice = h("p", { class: "live-notice", "data-testid": "observer-speech-off" });
  readonly #alerts = h("ol", { class: "live-alerts", "aria-label": "Alerts", "data-testid": "alerts" });
  readonly #exchanges = h("ol", { class: "live-exchanges", "aria-label": "Questions and answers", "data-testid": "exchanges" });
  readonly #summary = h("section", { class: "live-summary", "aria-label": "Summary", "data-testid": "summary" });
  #said: string | null = null;

  constructor(recruiter: Recruiter) {
    this.element = h("div", { class: "live-body", "data-testid": "recruiter" },
      h("div", { class: "live-row live-headline" }, this.#name, this.#status),
      h("div", { class: "live-row" }, this.#progress, this.#count),
      h("dl", { class: "live-numbers" },
        h("div", {}, h("dt", { text: "Trust" }), h("dd", {}, this.#trust)),
        h("div", {}, h("dt", { text: "Last score" }), h("dd", {}, this.#score))),
      this.#notice, this.#summary, this.#alerts, this.#exchanges);
    recruiter.state.subscribe((state) => this.#show(state));
  }

  #show(state: RecruiterState): void {
    this.element.dataset["status"] = state.status;
    setText(this.#name, state.candidate === "" ? "Candidate" : state.candidate);
    this.#name.title = state.email ?? "";
    const reason = state.reason === null ? "" : `: ${REASONS[state.reason] ?? state.reason}`;
    const words = STATUS[state.status] + reason;
    setText(this.#status, words);
    if (words !== this.#said && this.#said !== null) announce(words);
    this.#said = words;
    const { progress } = state;
    this.#progress.value = progress === null || progress.totalQuestions === 0 ? 0 : (state.status === "completed" ? progress.totalQuestions : progress.currentQuestion - 1) / progress.totalQuestions;
    setText(this.#count, progress === null ? "" : `Question ${progress.currentQuestion} of ${progress.totalQuestions}, part ${progress.currentAssessment} of ${progress.totalAssessments}`);
    setText(this.#trust, String(state.trust));
    this.#trust.dataset["low"] = String(state.trust < 70);
    const scored = [...state.exchanges].reverse().find((one) => one.score !== null);
    setText(this.#score, scored?.score === null || scored === undefined ? "–" : String(scored.score));
    this.#notice.hidden = state.speechOff === null;
    setText(this.#notice, state.speechOff === null ? "" : `Speech is not written along: ${state.speechOff}`);
    keyed(this.#alerts, state.alerts, (alert) => `${alert.timestamp} ${alert.type}`, makeAlert, () => undefined);
    keyed(this.#exchanges, state.exchanges.map((exchange, index) => ({ exchange, index })), ({ index }) => String(index), makeExchange, (element, { exchange, index }) => {
      showExchange(element, exchange, index === state.exchanges.length - 1 ? state.saying : "");
    });
    this.#showSummary(state);
  }

  #showSummary({ summary }: RecruiterState): void {
    this.#summary.hidden = summary === null;
    if (summary === null || this.#summary.childElementCount > 0) return;
    const list = (title: string, items: string[]): HTMLElement | null => items.length === 0 ? null : h("div", {}, h("h4", { text: title }), h("ul", {}, ...items.map((text) => h("li", { text }))));
    this.#summary.append(
      h("p", { class: "live-verdict", "data-testid": "verdict", text: summary.overallScore === null ? "Not scored" : `${summary.overallScore} of 100 · ${RECOMMENDATIONS[summary.recommendation ?? ""] ?? "no recommendation"}` }),
      h("div", { class: "live-lists" }, list("Strengths", summary.strengths), list("Weaknesses", summary.weaknesses)));
  }
}

function makeAlert(alert: Alert): HTMLElement {
  return h("li", { class: "live-alert", "data-severity": alert.severity, "data-type": alert.type },
    h("span", { class: "live-severity", text: alert.severity }), h("span", { text: alert.message === "" ? alert.type : alert.message }), h("time", { datetime: alert.timestamp, text: clock(Date.parse(alert.timestamp)) }));
}

function makeExchange(): HTMLElement {
  return h("li", { class: "live-exchange" }, h("p", { class: "live-asked" }), h("p", { class: "live-heard" }, h("span", {}), h("span", { class: "live-saying" })), h("p", { class: "live-evaluation hint" }));
}

function showExchange(element: HTMLElement, exchange: Exchange, saying: string): void {
  const [asked, said, now, evaluation] = [".live-asked", ".live-heard > span", ".live-heard > .live-saying", ".live-evaluation"].map((selector) => element.querySelector(selector));
  if (asked) setText(asked, exchange.question);
  if (said) setText(said, exchange.said.join(" "));
  if (now) setText(now, saying === "" ? "" : ` ${saying}`);
  if (evaluation) setText(evaluation, [exchange.score === null ? null : `${exchange.score} of 100`, exchange.evaluation].filter(Boolean).join(" · "));
}
