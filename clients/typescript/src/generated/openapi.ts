/* eslint-disable */
type Row = { id: string; user_id: string; status: "active" | "completed" | "ended_early" | "timeout"; start_time: string; server_end_time: string; end_time: string | null; end_reason: "natural" | "user_ended" | "timeout" | "error" | null; livekit_room_name: string; score_overall: number | null; summary: string | null; created_at: string; updated_at: string };
type Pass = { token: string; roomName: string; wsUrl: string };
type Session = { id: string; object: "realtime.session"; room_id: string; created_at: number; status: string };
type Ok<S extends number, B> = { [K in S]: { content: { "application/json": B } } };
type Id = { path: { id: string }; query?: never; header?: never; cookie?: never };
type None = { path?: never; query?: never; header?: never; cookie?: never };
export interface components { schemas: Record<string, never> }
export interface paths {
  "/api/interviews/start": { parameters: None; get?: never; post: { parameters: None; requestBody?: never; responses: Ok<201, { success: boolean; session: { id: string; room_name: string; status: Row["status"]; start_time: string; server_end_time: string }; livekit: Pass }> } };
  "/api/interviews/{id}/status": { parameters: None; get: { parameters: Id; requestBody?: never; responses: Ok<200, Row> } };
  "/api/interviews/{id}/end": { parameters: None; post: { parameters: Id; requestBody?: never; responses: Ok<200, { success: boolean; message: string }> } };
  "/api/interviews/eligibility": { parameters: None; get: { parameters: None; requestBody?: never; responses: Ok<200, { canStart: boolean; reason: string; message?: string; existingSessionId?: string }> } };
  "/api/livekit/token": { parameters: None; post: { parameters: None; requestBody: { content: { "application/json": { roomName: string; sessionId: string } } }; responses: Ok<200, Pass> } };
  "/api/interviews/join-token": { parameters: None; post: { parameters: None; requestBody: { content: { "application/json": { interviewId: string; participantId?: string; role: string; displayName?: string } } }; responses: Ok<201, Pass> } };
  "/api/interviews/{id}/invites": { parameters: None; post: { parameters: Id; requestBody?: { content: { "application/json": { email?: string; expiresIn?: number } } }; responses: Ok<201, { inviteId: string; inviteToken: string; expiresAt: string }> } };
  "/api/interviews/{id}/invites/{inviteId}": { parameters: None; delete: { parameters: { path: { id: string; inviteId: string }; query?: never }; requestBody?: never; responses: { 204: { content?: never } } } };
  "/v1/realtime/sessions": { parameters: None; post: { parameters: None; requestBody?: never; responses: Ok<201, Session & { client_secret: { value: string; expires_at: number } }> }; get: { parameters: { query?: { limit?: number; after?: string }; path?: never }; requestBody?: never; responses: Ok<200, { object: "list"; data: Session[]; first_id: string | null; last_id: string | null; has_more: boolean }> } };
  "/v1/realtime/sessions/{id}": { parameters: None; get: { parameters: Id; requestBody?: never; responses: Ok<200, Session> }; delete: { parameters: Id; requestBody?: never; responses: Ok<200, { id: string; object: string; deleted: boolean }> } };
}
