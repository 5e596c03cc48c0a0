/** The candidate's side: the question, the microphone, what is heard, the time. */

import type { Candidate } from "../../live/candidate";
import { elapsed, type CandidateState, type Stage } from "../../live/candidate-state";
import { Microphone } from "../../live/microphone";
import { watchSigns } from "../../live/proctor";
import { toFailure } from "../../errors";
import { busy } from "../actions";
import { announce, h, icon, setText } from "../dom";

const TITLES: Record<Stage, string> = {
  joining: "Joining…", lobby: "Ready when you are", question: "Your answer", sending: "Taking your answer…", complete: "Interview completed", ended: "This interview has ended",
};

export class CandidateView {
  readonly element: HTMLElement;
  readonly #microphone: Microphone;
  readonly #stage = h("h3", { class: "live-stage", "data-testid": "stage" });
  readonly #order = h("span", { class: "live-order", "data-testid": "order" });
  readonly #timer = h("span", { class: "live-timer", role: "timer", "aria-label": "Time since the first question", "data-testid": "timer" });
  readonly #question = h("p", { class: "live-question", "data-testid": "question", "aria-live": "polite" });
  readonly #sound = h("audio", { class: "live-sound", controls: true, "data-testid": "sound", "aria-label": "The question, spoken" });
  readonly #meter = h("meter", { class: "live-meter", min: 0, max: 1, "aria-label": "Loudness of the microphone" });
  readonly #said = h("span", { "data-testid": "said" });
  readonly #saying = h("span", { class: "live-saying", "data-testid": "saying" });
  readonly #notice = h("p", { class: "live-notice", "data-testid": "speech-off" });
  readonly #chunks = h("span", { class: "hint", "data-testid": "chunks" });
  readonly #typed = h("textarea", { class: "input live-typed", rows: 3, maxlength: 8000, "aria-label": "Answer in writing", placeholder: "Speak, or write your answer here", "data-testid": "typed" });
  readonly #start: HTMLButtonElement;
  readonly #talk: HTMLButtonElement;
  readonly #done: HTMLButtonElement;
  readonly #full: HTMLButtonElement;
  readonly #answer: HTMLElement;
  #shown: string | null = null;
  #stageSaid: Stage | null = null;

  constructor(private readonly candidate: Candidate) {
    this.#microphone = new Microphone((pcm) => { if (candidate.state.value.stage === "question") candidate.chunks.push(pcm); });
    this.#start = this.#button("Start the interview", "button primary large", "start", async () => { await candidate.start(); });
    this.#talk = this.#button("Speak", "button", "talk", () => this.#toggle());
    // The next question may be there before the acknowledgement of this answer: nothing waits for that.
    this.#done = this.#button("My answer is complete", "button primary", "done", async () => {
      const [words, question] = [this.#typed.value, candidate.state.value.question?.questionId];
      this.#typed.value = "";
      void candidate.answer(words.trim()).then((taken) => {
        if (!taken && candidate.state.value.question?.questionId === question) this.#typed.value = words;
      });
    });
    this.#full = this.#button("Full screen", "button quiet small", "fullscreen", async () => { await document.documentElement.requestFullscreen?.(); });
    this.#answer = h("div", { class: "live-answer" },
      h("p", { class: "live-transcript", "data-testid": "transcript", "aria-label": "What was heard" }, this.#said, this.#saying), this.#notice,
      h("div", { class: "live-row" }, this.#talk, this.#meter, this.#chunks), this.#typed, h("div", { class: "live-row" }, this.#done, this.#full));
    this.element = h("div", { class: "live-body", "data-testid": "candidate" },
      h("div", { class: "live-row live-headline" }, this.#stage, this.#order, this.#timer), this.#start, this.#question, this.#sound, this.#answer);
    candidate.state.subscribe((state) => this.#show(state));
    candidate.chunks.sent.subscribe(({ taken, waiting, lost }) => {
      setText(this.#chunks, taken + waiting + lost === 0 ? "" : `${taken} chunks taken${waiting > 1 ? `, ${waiting} wait` : ""}${lost > 0 ? `, ${lost} refused` : ""}`);
      this.#chunks.dataset["taken"] = String(taken);
    });
    this.#microphone.level.subscribe((level) => { this.#meter.value = level; });
    this.#microphone.on.subscribe((on) => {
      this.#talk.setAttribute("aria-pressed", String(on));
      this.#talk.replaceChildren(icon(on ? "mic" : "mic-off"), h("span", { text: on ? "Stop speaking" : "Speak" }));
      this.#meter.hidden = !on;
    });
    watchSigns((sign) => candidate.sign(sign));
  }

  tick(): void {
    const { seconds, of } = elapsed(this.candidate.state.value, Date.now());
    const minutes = (value: number): string => `${Math.floor(value / 60)}:${String(value % 60).padStart(2, "0")}`;
    setText(this.#timer, this.candidate.state.value.startedAt === null ? "" : `${minutes(seconds)} of ${minutes(of)}`);
  }

  async #toggle(): Promise<void> {
    if (this.#microphone.on.value) return this.#microphone.stop();
    try {
      await this.#microphone.start();
    } catch (thrown) {
      this.#microphone.stop();
      this.candidate.fail({ ...toFailure(thrown), event: "microphone" });
    }
  }

  #show(state: CandidateState): void {
    const { stage, question } = state;
    this.element.dataset["stage"] = stage;
    setText(this.#stage, stage === "lobby" && state.ready ? `${state.ready.template.title}: ready when you are` : TITLES[stage]);
    setText(this.#order, question === null || stage === "complete" ? "" : `Question ${question.order}`);
    this.#start.hidden = stage !== "lobby";
    const asking = question !== null && (stage === "question" || stage === "sending");
    this.#question.hidden = this.#answer.hidden = !asking;
    setText(this.#question, question?.text ?? "");
    this.#question.dataset["question"] = question?.questionId ?? "";
    this.#sound.hidden = !asking || question.audioUrl === "";
    if (asking && question.questionId !== this.#shown) {
      this.#shown = question.questionId;
      if (question.audioUrl !== "") {
        this.#sound.src = question.audioUrl;
        // A browser may want a press first; the controls are there.
        void this.#sound.play().catch(() => undefined);
      }
    }
    setText(this.#said, state.said.join(" "));
    setText(this.#saying, state.saying === "" ? "" : ` ${state.saying}`);
    this.#notice.hidden = state.speechOff === null;
    setText(this.#notice, state.speechOff === null ? "" : "Speech is not written along at the moment. What you say is kept; write your answer if you can.");
    this.#done.disabled = this.#talk.disabled = this.#typed.disabled = stage !== "question";
    if (stage === "complete" || stage === "ended") this.#microphone.stop();
    if (stage !== this.#stageSaid && this.#stageSaid !== null) announce(TITLES[stage]);
    this.#stageSaid = stage;
    this.tick();
  }

  #button(label: string, kind: string, id: string, act: () => Promise<void>): HTMLButtonElement {
    const element: HTMLButtonElement = h("button", { class: kind, type: "button", text: label, "data-testid": id, on: { click: () => void busy(element, act) } });
    return element;
  }
}
