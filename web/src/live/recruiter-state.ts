/** What a recruiter's page knows of an interview. Pure: events go in, in their order, the next state comes out. */

import type { ObservationStarted, Progress, RecruiterEvent, Severity, Summary } from "./protocol";

export interface Exchange {
  questionId: string;
  question: string;
  said: string[];
  score: number | null;
  evaluation: string | null;
}

export interface Alert {
  type: string;
  message: string;
  severity: Severity;
  timestamp: string;
}

export interface RecruiterState {
  candidate: string;
  email: string | null;
  status: "waiting" | "live" | "paused" | "completed" | "ended";
  /** Why it is paused or ended. */
  reason: string | null;
  progress: Progress | null;
  trust: number;
  exchanges: Exchange[];
  /** The turn that is being spoken. */
  saying: string;
  alerts: Alert[];
  summary: Summary | null;
  speechOff: string | null;
}

export const WATCHING: RecruiterState = {
  candidate: "", email: null, status: "waiting", reason: null, progress: null, trust: 100, exchanges: [], saying: "", alerts: [], summary: null, speechOff: null,
};

/** All from the start: what was known before gives way. */
export function observed(started: ObservationStarted): RecruiterState {
  const { interview, session, isLive } = started;
  const before: RecruiterState = { ...WATCHING, candidate: interview.candidateName, email: interview.candidateEmail ?? null, progress: session?.progress ?? null };
  const after = started.events.reduce<RecruiterState>((state, event) => heard(state, event), before);
  if (after.status !== "completed" && isLive) return { ...after, status: "live", reason: null };
  return after;
}

export function heard(state: RecruiterState, { event, data }: RecruiterEvent): RecruiterState {
  switch (event) {
    case "candidate-joined":
      return { ...state, candidate: data.candidateName, ...(state.status === "paused" ? { status: "live" as const, reason: null } : {}) };
    case "interview-started":
      return { ...state, status: "live", reason: null, exchanges: [{ questionId: "", question: data.firstQuestion, said: [], score: null, evaluation: null }] };
    case "question-asked":
      return { ...state, status: "live", reason: null, saying: "", exchanges: [...state.exchanges, { questionId: data.questionId, question: data.text, said: [], score: null, evaluation: null }] };
    case "live-transcript":
      if (!data.isFinal) return { ...state, saying: data.text };
      return { ...state, saying: "", exchanges: changeLast(state.exchanges, (last) => ({ ...last, said: [...last.said, data.text] })) };
    case "progress-update":
      return { ...state, progress: data.progress, exchanges: changeLast(state.exchanges, (last) => ({ ...last, score: data.score, evaluation: data.evaluation })) };
    case "proctor-alert":
      return { ...state, alerts: [data, ...state.alerts].slice(0, 50) };
    case "trust-score-update":
      return { ...state, trust: data.trustScore };
    case "interview-interrupted":
      return { ...state, status: data.reason === "expired" ? "ended" : "paused", reason: data.reason, saying: "" };
    case "interview-completed":
      return { ...state, status: "completed", reason: null, summary: data.summary, saying: "" };
    case "stt-unavailable":
      return { ...state, speechOff: data.reason };
    case "stt-available":
      return { ...state, speechOff: null };
    case "storage-unavailable":
      return state;
  }
}

function changeLast(exchanges: Exchange[], change: (last: Exchange) => Exchange): Exchange[] {
  const last = exchanges.at(-1);
  return last === undefined ? exchanges : [...exchanges.slice(0, -1), change(last)];
}
