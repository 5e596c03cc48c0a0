/** What the page knows of a user and a session. Pure: what happened goes in, the next state comes out. */

import type { Eligibility, Holder, SessionRow, Started } from "./protocol";

/** What is known of a session: all of the row, or what its start said. */
export type KnownSession = Pick<SessionRow, "id" | "status" | "server_end_time" | "livekit_room_name" | "end_reason">;

export interface Stay {
  holder: Holder | null;
  eligibility: Eligibility | null;
  session: KnownSession | null;
  /** Where the token for the room came from. */
  pass: { source: "start" | "refresh"; at: number } | null;
}

export const SIGNED_OUT: Stay = { holder: null, eligibility: null, session: null, pass: null };

export type Happened =
  | { type: "signed-in"; holder: Holder }
  | { type: "signed-out" }
  | { type: "judged"; eligibility: Eligibility }
  | { type: "started"; started: Started; at: number }
  | { type: "row"; row: SessionRow }
  | { type: "refreshed"; at: number };

export function next(stay: Stay, happened: Happened): Stay {
  switch (happened.type) {
    case "signed-in":
      return { ...SIGNED_OUT, holder: happened.holder };
    case "signed-out":
      return SIGNED_OUT;
    case "judged":
      return { ...stay, eligibility: happened.eligibility };
    case "started": {
      const { id, room_name, status, server_end_time } = happened.started.session;
      const session: KnownSession = { id, status, server_end_time, livekit_room_name: room_name, end_reason: null };
      return { ...stay, session, eligibility: null, pass: { source: "start", at: happened.at } };
    }
    case "row": {
      const { id, status, server_end_time, livekit_room_name, end_reason } = happened.row;
      const session: KnownSession = { id, status, server_end_time, livekit_room_name, end_reason };
      // An answer that was long on its way does not bring an ended session back.
      if (stay.session?.id === id && stay.session.status !== "active" && status === "active") return stay;
      return { ...stay, session, pass: status === "active" ? stay.pass : null };
    }
    case "refreshed":
      return { ...stay, pass: { source: "refresh", at: happened.at } };
  }
}

export type Phase = "signed-out" | "looking" | "may-start" | "may-not-start" | "active" | "overdue" | "ended";

/** Where a user stands at a moment of the hub's clock. */
export function phaseOf(stay: Stay, now: number): Phase {
  if (stay.holder === null) return "signed-out";
  if (stay.session?.status === "active") return remainingMs(stay.session, now) > 0 ? "active" : "overdue";
  if (stay.session !== null) return "ended";
  if (stay.eligibility === null) return "looking";
  return stay.eligibility.canStart ? "may-start" : "may-not-start";
}

/** How long a session has to go, never less than nothing. */
export function remainingMs(session: Pick<KnownSession, "server_end_time">, now: number): number {
  return Math.max(0, Date.parse(session.server_end_time) - now);
}

/** `4:07`, `1:00:00`: counted so that it shows nothing only when nothing is left. */
export function countdown(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** How a session ended, in words. */
export function endWords(session: Pick<KnownSession, "status" | "end_reason">): string {
  switch (session.end_reason) {
    case "user_ended": return "You ended it.";
    case "natural":
    case "timeout": return "Its time was over.";
    case "error": return "Something went wrong.";
    default: return session.status === "ended_early" ? "It was ended early." : "It is over.";
  }
}
