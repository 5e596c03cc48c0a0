/* eslint-disable */
type Role = "citizen" | "rescuer" | "dispatcher" | "admin" | "system";
type Status = "active" | "assigned" | "en_route" | "arrived" | "responding" | "resolved" | "completed" | "cancelled" | "rejected" | "fake" | "closed";
type Located = { sosId: string; userId: string; role: Role; latitude: number; longitude: number; accuracy: number | null; heading: number | null; speed: number | null; altitude: number | null; deviceId: string | null; fixTime: number; timestamp: number };
type Member = { userId: string; role: Role; online: boolean; lastSeen: number; sockets: number };
type Responder = { userId: string; status: Status; assignedAt: number | null; acknowledgedAt: number | null; arrivedAt: number | null };
type State = { sosId: string; citizenId: string | null; status: Status; type: string | null; soNo: string | null; address: unknown; createdAt: number; updatedAt: number; lastLocationUpdate: number | null; acknowledgedBy: string | null; acknowledgedAt: number | null; closedAt: number | null; closedBy: string | null; reason: string | null; provisional?: boolean; truncated?: boolean; responders: Responder[]; locations: (Located & { ageMs: number })[]; members: Member[] };
type Message = { sosId: string; messageId: string; clientMessageId: string | null; userId: string | null; role: Role; text: string; timestamp: number };
type Signal = { socketId: string; userId: string; payload: unknown };
type About = { sosId?: string | null; clientMessageId?: string | null };
type Fix = { latitude: number; longitude: number; accuracy?: number | null; heading?: number | null; speed?: number | null; altitude?: number | null; deviceId?: string | null; address?: unknown; timestamp?: number | string | null };
type Marks = { ok: true; unchanged?: boolean; duplicate?: boolean };
export interface IncidentsHears {
  "sos:state": State; "sos:created": State;
  "sos:init": { userId: string | null; role: Role; sosId: string; action: "user_joined"; timestamp: number };
  "sos:status:broadcast": { sosId: string; status: Status; oldStatus: Status; updatedBy: string | null; responderId?: string | null; responderStatus?: Status | null; note?: string | null; timestamp: number };
  "sos:close": { sosId: string; status: Status; closedBy: string | null; reason: string | null; timestamp: number };
  "sos:expired": { sosId: string; timestamp: number };
  "sos:acknowledged": { sosId: string; userId: string | null; role: Role | null; timestamp: number };
  "sos:unacknowledged": { sosId: string; status: Status; timestamp: number };
  "presence:update": { sosId: string; count: number; members?: Member[] | null; joined?: Member[] | null; left?: string[] | null };
  "location:broadcast": Located; "message:broadcast": Message;
  offer: Signal; answer: Signal; iceCandidate: Signal; signal: Signal;
  pong: { respondedAt: number } & Record<string, unknown>; "heartbeat:ack": { timestamp: number }; "auth:expiring": { expiresAt: number };
}
export interface IncidentsSays {
  "auth:refresh": { payload: { token: string }; ack: { ok: true; expiresAt?: number | null } };
  "sos:init": { payload: About; ack: { ok: true; data: State } };
  "sos:leave": { payload: About; ack: Marks };
  "sos:close": { payload: About & { reason?: string | null }; ack: Marks & { status: Status } };
  "sos:status:update": { payload: About & { status: string; note?: string | null }; ack: Marks & { status: Status; oldStatus: Status } };
  "sos:ack": { payload: About; ack: Marks & { acknowledgedBy: string; acknowledgedAt: number } };
  "sos:watch": { payload: Record<string, never>; ack: { ok: true; active: State[]; truncated?: boolean | null } };
  "sos:unwatch": { payload: Record<string, never>; ack: { ok: true } };
  "location:update": { payload: About & Fix; ack: { ok: true; coalesced?: boolean; old?: boolean; duplicate?: boolean } };
  "location:batch": { payload: About & { points: Fix[] }; ack: { ok: true; accepted: number; duplicates: number; rejected: { index: number; code: string }[]; duplicate?: boolean } };
  "message:send": { payload: About & { text: string }; ack: { ok: true; messageId: string; timestamp: number; duplicate?: boolean } };
  "message:history": { payload: { sosId?: string | null; before?: string | null; limit?: number | null }; ack: { ok: true; messages: Message[]; nextBefore: string | null } };
  signal: { payload: About & { payload: unknown; to?: string | null }; ack: { ok: true; duplicate?: boolean } };
  ping: { payload: Record<string, unknown>; ack: { ok: true } };
  heartbeat: { payload: Record<string, never>; ack: { ok: true; timestamp: number } };
}
export type IncidentsCode = "INVALID_SOS_ID";
type Progress = { currentAssessment: number; totalAssessments: number; currentQuestion: number; totalQuestions: number };
type Severity = "low" | "medium" | "high" | "critical";
type Ready = { sessionId: string; template: { id: string; title: string; totalDuration: number }; estimatedDuration: number; status: string };
type Question = { questionId: string; text: string; audioUrl: string; type: string; order: number };
type Complete = { interviewId: string; sessionId: string; message: string; timestamp: string };
type Observed = { interview: { id: string; candidateName: string; candidateEmail?: string; status: string }; session: { id: string; isActive: boolean; progress: Progress | null; trustScore: number } | null; isLive: boolean; events: { id: string; event: string; data: unknown; timestamp: string }[]; nextAfter: string | null };
type Peer = { socketId: string; identity: string; role: string };
type Sig = { socketId: string; payload: unknown };
type Chat = { interviewId: string; messageId: string; clientMessageId: string | null; socketId: string; identity: string; role: string; text: string; timestamp: string };
type Of = { interviewId?: string | null };
type Sent = { payload: Of & { payload: unknown; to?: string | null; clientMessageId?: string | null }; ack: { ok: true; duplicate?: boolean } };
export interface InterviewsHears {
  connected: { message: string; userId: string | null; userType: "candidate" | "recruiter" | null; timestamp: string };
  "interview-ready": Ready; question: Question; transcription: { text: string; isFinal: boolean; confidence: number }; "interview-complete": Complete;
  "observation-started": Observed; "candidate-joined": { candidateName: string; timestamp: string }; "interview-started": { timestamp: string; firstQuestion: string };
  "live-transcript": { text: string; isFinal: boolean; timestamp: string }; "progress-update": { progress: Progress; score: number | null; evaluation: string | null; timestamp: string };
  "question-asked": { questionId: string; text: string; timestamp: string }; "proctor-alert": { type: string; message: string; severity: Severity; timestamp: string };
  "trust-score-update": { trustScore: number; timestamp: string }; "interview-interrupted": { reason: string; timestamp: string };
  "interview-completed": { summary: { overallScore: number | null; recommendation: "strong_hire" | "hire" | "no_hire" | null; strengths: string[]; weaknesses: string[] }; timestamp: string };
  "stt-unavailable": { reason: string; timestamp: string }; "stt-available": { timestamp: string }; "storage-unavailable": { reason: string; timestamp: string };
  "presence:update": Peer[]; "call:ready": { interviewId: string }; offer: Sig; answer: Sig; iceCandidate: Sig; signal: Sig; "chat:message": Chat;
  "editor:update": { socketId: string; update: string; version: number }; "screen:share": { socketId: string; identity: string; active: boolean };
  "heartbeat-ack": { timestamp: number }; "auth:expiring": { expiresAt: number };
}
export interface InterviewsSays {
  "auth:refresh": { payload: { token: string }; ack: { ok: true; expiresAt?: number | null } };
  heartbeat: { payload: Record<string, never>; ack: { ok: true; timestamp: number } };
  "join-interview": { payload: { interviewId: string }; ack: { ok: true } & Ready };
  "start-interview": { payload: { sessionId: string }; ack: { ok: true } & Question };
  "audio-chunk": { payload: { audioData: ArrayBuffer | Uint8Array | string; clientMessageId?: string | null }; ack: { ok: true } };
  "response-complete": { payload: { transcription?: string | null; audioUrl?: string | null; questionId?: string | null; clientMessageId?: string | null }; ack: { ok: true } };
  "proctor-event": { payload: { type: string; severity: Severity; data?: unknown; message?: string | null; clientMessageId?: string | null }; ack: { ok: true } };
  "observe-interview": { payload: { interviewId: string; after?: string | null }; ack: { ok: true } & Observed };
  joinRoom: { payload: Of & { role?: string | null; identity?: string | null }; ack: { ok: true } };
  leaveRoom: { payload: Of; ack: { ok: true } };
  offer: Sent; answer: Sent; iceCandidate: Sent; signal: Sent;
  "chat:message": { payload: Of & { text: string; clientMessageId?: string | null }; ack: { ok: true; messageId: string; timestamp: string } };
  "chat:history": { payload: Of & { before?: string | null; limit?: number | null }; ack: { ok: true; messages: Chat[]; nextBefore: string | null } };
  "editor:update": { payload: Of & { update: string; version: number; clientMessageId?: string | null }; ack: { ok: true; version: number } };
  "screen:share": { payload: Of & { active: boolean }; ack: { ok: true } };
}
export type InterviewsCode = "INTERVIEW_NOT_FOUND";
