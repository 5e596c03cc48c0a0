/** The words of live interviews that this page shows: types of the client, by the names that they have here. Times are ISO 8601. */

import type { InterviewsHears, ObservationStarted as Observation } from "@convoke/client";

/** What opens an interview of the demo, for both sides. */
export interface DemoInterview {
  interviewId: string;
  joinToken: string;
  recruiterToken: string;
}

export type InterviewReady = InterviewsHears["interview-ready"];
export type Question = InterviewsHears["question"];
export type Transcription = InterviewsHears["transcription"];
export type Progress = InterviewsHears["progress-update"]["progress"];
export type Severity = InterviewsHears["proctor-alert"]["severity"];
export type Summary = InterviewsHears["interview-completed"]["summary"];
/** Somebody in the call. An empty role: it has sent a signal before the hub has said who it is. */
export type Peer = Omit<InterviewsHears["presence:update"][number], "role"> & { role: string };

/** The events that change what a recruiter sees. */
export const RECRUITER_EVENTS = [
  "candidate-joined", "interview-started", "live-transcript", "progress-update", "question-asked", "proctor-alert", "trust-score-update",
  "interview-interrupted", "interview-completed", "stt-unavailable", "stt-available", "storage-unavailable",
] as const satisfies readonly (keyof InterviewsHears)[];
export type RecruiterEventName = (typeof RECRUITER_EVENTS)[number];

/** One of them, with its payload. */
export type RecruiterEvent = { [Name in RecruiterEventName]: { event: Name; data: InterviewsHears[Name] } }[RecruiterEventName];

/** The events of the past are the same ones. */
export type ObservationStarted = Omit<Observation, "events"> & { events: (RecruiterEvent & { id: string; timestamp: string })[] };
