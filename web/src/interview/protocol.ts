/** The words of interview sessions, by the names that they have here. Times are ISO 8601. */

export type { Eligibility, InterviewSession as SessionRow, LiveKitToken as RoomPass, StartedSession as Started } from "@convoke/client";

/** Who is signed in: a user of the demo. */
export interface Holder {
  userId: string;
  email: string;
  token: string;
}
