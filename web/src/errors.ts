/** Failure codes of the hub, in words for people. The code is always shown beside them. */

import { HubError } from "@convoke/client";

/** What went wrong, as it is shown: a `HubError`, or a failure of the page's own. */
export interface HubFailure {
  code: string;
  message?: string;
  event?: string;
}

const WORDS: Record<string, string> = {
  MISSING_TOKEN: "No access token was sent.",
  INVALID_TOKEN: "The access token was not accepted.",
  TOKEN_EXPIRED: "The access token has expired.",
  NOT_CONFIGURED: "This hub is not set up for this.",
  UNAUTHORIZED: "You are not signed in any more.",
  UNKNOWN_EVENT: "The hub does not know this action.",
  INVALID_PAYLOAD: "The hub could not read what was sent.",
  FORBIDDEN: "You are not allowed to do this.",
  RATE_LIMITED: "Too many actions at once. Wait a moment.",
  UNAVAILABLE: "The hub cannot do this right now. It will be tried again.",
  UNCONFIRMED: "Written, but not yet confirmed. It will be tried again.",
  INTERNAL: "Something went wrong inside the hub.",
  INVALID_SOS_ID: "This is not a valid incident number.",
  SOS_NOT_FOUND: "There is no incident with this number.",
  SOS_CLOSED: "This incident has ended. Nothing more can be changed.",
  INVALID_STATUS: "There is no such status.",
  INVALID_TRANSITION: "This step is not possible from the present status.",
  INVALID_LOCATION: "The position is not valid.",
  INVALID_MESSAGE: "The message is empty or too long.",
  INTERVIEW_NOT_FOUND: "There is no such interview, or its token is not valid.",
  INTERVIEW_UNAVAILABLE: "This interview has ended.",
  NO_ACTIVE_SESSION: "The interview is not running.",
  NOT_IN_ROOM: "Join the call first.",
  INVALID_AUDIO: "The hub cannot read this sound.",
  SUPERSEDED: "The interview goes on in another window.",
  NO_ANSWER: "The hub did not answer in time. It is not known whether it arrived.",
  NO_TOKEN: "No access token is to be had right now.",
  QUEUE_FULL: "Too much waits for the hub already.",
  CLOSED: "The connection was closed.",
  DEMO_OFF: "The hub does not hand out demo tokens. It must run with DEMO=true.",
  NETWORK: "The hub cannot be reached.",
  ROOM_UNREACHABLE: "The room cannot be entered: the LiveKit server does not answer.",
  NO_SECURE_PAGE: "A browser gives camera and microphone only to localhost or over https.",
  MEDIA_DENIED: "Camera or microphone were refused. Allow them in the browser, then switch them on.",
  MEDIA_UNAVAILABLE: "There is no camera or microphone that can be used.",
  GEOLOCATION_DENIED: "Location access was refused. Allow it in the browser, or use the simulator.",
  GEOLOCATION_UNAVAILABLE: "This device gives no position at the moment.",
};

/** A sentence for a failure: our own words where we have them, else the hub's. */
export function explain(failure: HubFailure): string {
  return WORDS[failure.code] ?? failure.message ?? "Something did not work.";
}

/** Any thrown thing as a failure with a code. */
export function toFailure(thrown: unknown): HubFailure {
  if (thrown instanceof HubError) return { code: thrown.code, message: explain(thrown) };
  return { code: "INTERNAL", message: thrown instanceof Error ? thrown.message : String(thrown) };
}
