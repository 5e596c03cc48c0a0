/** `@convoke/client/rest` */
export { connectRest, isRefusal, type Answer, type Call, type MethodOf, type Path, type Question, type Refusal, type RefusalCode } from "./call.js";
export { RestError, type CallOptions, type RestOptions, type StatusCode } from "./request.js";
export {
  interviewApi, isStartRefusal, type Eligibility, type EndedSession, type InterviewApi, type InterviewSession, type LiveKitToken, type StartedSession,
  type StartRefusal,
} from "./interview-sessions.js";
export { interviewRest, type InterviewRest, type Invite, type InviteRequest, type JoinToken, type JoinTokenRequest } from "./interviews.js";
export {
  realtimeSessions, type CreatedRealtimeSession, type DeletedRealtimeSession, type RealtimeSession, type RealtimeSessionList, type RealtimeSessions,
} from "./realtime.js";
export { HubError, isRepeatable, type Code } from "../errors.js";
export type { TokenOptions, TokenReason } from "../tokens.js";
export type { components, paths } from "../generated/openapi.js";
