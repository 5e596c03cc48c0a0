/** What a candidate's page knows. Pure: what happened goes in, the next state comes out. */

import type { InterviewReady, Question, Transcription } from "./protocol";

export type Stage = "joining" | "lobby" | "question" | "sending" | "complete" | "ended";

export interface CandidateState {
  stage: Stage;
  ready: InterviewReady | null;
  question: Question | null;
  /** Final turns of the present answer. */
  said: string[];
  /** The turn that is being spoken. */
  saying: string;
  /** Why nobody writes along; null: speech is written along. */
  speechOff: string | null;
  /** When the first question came (ms); null: none yet. */
  startedAt: number | null;
}

export const JOINING: CandidateState = { stage: "joining", ready: null, question: null, said: [], saying: "", speechOff: null, startedAt: null };

export type CandidateHappened =
  | { type: "ready"; ready: InterviewReady }
  | { type: "question"; question: Question; at: number }
  | { type: "transcription"; transcription: Transcription }
  | { type: "answered" }
  | { type: "not-answered" }
  | { type: "complete" }
  | { type: "ended" }
  | { type: "speech"; off: string | null };

export function next(state: CandidateState, happened: CandidateHappened): CandidateState {
  switch (happened.type) {
    case "ready":
      // After a return the question follows; until then the page stays as it was.
      return { ...state, ready: happened.ready, stage: state.question === null ? "lobby" : state.stage };
    case "question": {
      const { question } = happened;
      const startedAt = state.startedAt ?? happened.at;
      // The same question comes again after a return: what was said stays.
      if (state.question?.questionId === question.questionId && state.stage !== "sending") return { ...state, question, stage: "question", startedAt };
      return { ...state, question, stage: "question", said: [], saying: "", startedAt };
    }
    case "transcription": {
      const { text, isFinal } = happened.transcription;
      return isFinal ? { ...state, said: [...state.said, text], saying: "" } : { ...state, saying: text };
    }
    case "answered":
      return state.stage === "question" ? { ...state, stage: "sending" } : state;
    case "not-answered":
      return state.stage === "sending" ? { ...state, stage: "question" } : state;
    case "complete":
      return { ...state, stage: "complete", saying: "" };
    case "ended":
      return state.stage === "complete" ? state : { ...state, stage: "ended" };
    case "speech":
      return { ...state, speechOff: happened.off };
  }
}

/** Seconds of the interview that are over, and of its estimated time. */
export function elapsed(state: CandidateState, now: number): { seconds: number; of: number } {
  const seconds = state.startedAt === null ? 0 : Math.max(0, Math.floor((now - state.startedAt) / 1000));
  return { seconds, of: (state.ready?.estimatedDuration ?? 0) * 60 };
}
