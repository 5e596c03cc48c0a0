/** The words of the namespace `/interview` as TypeScript types. Times are ISO 8601. */

/** What opens an interview of the demo, for both sides. */
export interface DemoInterview {
  interviewId: string;
  joinToken: string;
  recruiterToken: string;
}

export interface InterviewReady {
  sessionId: string;
  template: { id: string; title: string; totalDuration: number };
  /** Minutes. */
  estimatedDuration: number;
  status: string;
}

export interface Question {
  questionId: string;
  text: string;
  /** Empty: there is no sound. */
  audioUrl: string;
  type: string;
  order: number;
}

export interface Transcription {
  text: string;
  isFinal: boolean;
  confidence: number;
}

export interface Progress {
  currentAssessment: number;
  totalAssessments: number;
  currentQuestion: number;
  totalQuestions: number;
}

export type Severity = "low" | "medium" | "high" | "critical";

export interface Summary {
  overallScore: number | null;
  recommendation: "strong_hire" | "hire" | "no_hire" | null;
  strengths: string[];
  weaknesses: string[];
}

/** What recruiters are told, by the name of the event. */
export interface RecruiterEvents {
  "candidate-joined": { candidateName: string; timestamp: string };
  "interview-started": { timestamp: string; firstQuestion: string };
  "live-transcript": { text: string; isFinal: boolean; timestamp: string };
  "progress-update": { progress: Progress; score: number | null; evaluation: string | null; timestamp: string };
  "question-asked": { questionId: string; text: string; timestamp: string };
  "proctor-alert": { type: string; message: string; severity: Severity; timestamp: string };
  "trust-score-update": { trustScore: number; timestamp: string };
  "interview-interrupted": { reason: string; timestamp: string };
  "interview-completed": { summary: Summary; timestamp: string };
  "stt-unavailable": { reason: string; timestamp: string };
  "stt-available": { timestamp: string };
  "storage-unavailable": { reason: string; timestamp: string };
}
export type RecruiterEventName = keyof RecruiterEvents;
export const RECRUITER_EVENTS: readonly RecruiterEventName[] = [
  "candidate-joined", "interview-started", "live-transcript", "progress-update", "question-asked", "proctor-alert", "trust-score-update",
  "interview-interrupted", "interview-completed", "stt-unavailable", "stt-available", "storage-unavailable",
];

/** One of them, with its payload. */
export type RecruiterEvent = { [Name in RecruiterEventName]: { event: Name; data: RecruiterEvents[Name] } }[RecruiterEventName];

export interface ObservationStarted {
  interview: { id: string; candidateName: string; candidateEmail?: string; status: string };
  session: { id: string; isActive: boolean; progress: Progress | null } | null;
  isLive: boolean;
  /** From the start, in order. */
  events: (RecruiterEvent & { id: string; timestamp: string })[];
}

/** Somebody in the call. */
export interface Peer {
  socketId: string;
  identity: string;
  role: string;
}
