/** `@convoke/client/interviews` */
export { ANSWER_MS, connectInterview, Interview, type InterviewOptions, type InterviewReady, type ObservationStarted } from "./interview.js";
export type { InterviewsCode, InterviewsHears, InterviewsSays } from "../generated/events.js";
export * from "../common.js";
