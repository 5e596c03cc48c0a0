/** The words of interview sessions (HTTP) as TypeScript types. Times are ISO 8601; what is not set is null. */

export type SessionStatus = "active" | "completed" | "ended_early" | "timeout";
export type EndReason = "natural" | "user_ended" | "timeout" | "error";

/** A row of `interview_sessions`. */
export interface SessionRow {
  id: string;
  user_id: string;
  status: SessionStatus;
  start_time: string;
  server_end_time: string;
  end_time: string | null;
  end_reason: EndReason | null;
  livekit_room_name: string;
  score_overall: number | null;
  summary: string | null;
  created_at: string;
  updated_at: string;
}

/** What opens a LiveKit room. */
export interface RoomPass {
  token: string;
  roomName: string;
  wsUrl: string;
}

export interface Started {
  success: true;
  session: { id: string; room_name: string; status: SessionStatus; start_time: string; server_end_time: string };
  livekit: RoomPass;
}

/** Whether a session could be started now, and why not. */
export interface Eligibility {
  canStart: boolean;
  /** `ELIGIBLE`, or the code that a start would be refused with. */
  reason: string;
  message?: string;
  existingSessionId?: string;
}

/** Who is signed in: a user of the demo. */
export interface Holder {
  userId: string;
  email: string;
  token: string;
}
