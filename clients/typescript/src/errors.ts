/** What can go wrong, as one type: the hub's own code, or one of the client's own. */

/** Codes of this client. The hub sends none of them. */
export type ClientCode =
  /** The hub cannot be reached, or the connection was lost before an answer came. */
  | "NETWORK"
  /** The hub is connected and did not answer in time. */
  | "NO_ANSWER"
  /** More writes wait than the client keeps. */
  | "QUEUE_FULL"
  /** The client was closed. */
  | "CLOSED"
  /** `getToken` failed. */
  | "NO_TOKEN";

/** Codes that every surface of the hub uses. */
export type CommonCode =
  | "UNKNOWN_EVENT" | "INVALID_PAYLOAD" | "MISSING_TOKEN" | "INVALID_TOKEN" | "TOKEN_EXPIRED" | "FORBIDDEN" | "RATE_LIMITED"
  | "UNAVAILABLE" | "UNCONFIRMED" | "INTERNAL" | "NOT_CONFIGURED";

/** Further codes of incidents. */
export type IncidentCode =
  | "INVALID_SOS_ID" | "SOS_NOT_FOUND" | "SOS_CLOSED" | "INVALID_STATUS" | "INVALID_TRANSITION" | "INVALID_LOCATION" | "INVALID_MESSAGE";

/** Further codes of interviews. */
export type InterviewCode =
  | "INTERVIEW_NOT_FOUND" | "INTERVIEW_UNAVAILABLE" | "NO_ACTIVE_SESSION" | "SESSION_NOT_FOUND" | "NOT_IN_ROOM" | "INVALID_AUDIO"
  | "VERSION_CONFLICT" | "SUPERSEDED" | "INVITE_EXPIRED" | "INVITE_REVOKED" | "INVITE_USED";

/** A code: one of those above, or one that a newer hub knows. */
export type Code = ClientCode | CommonCode | IncidentCode | InterviewCode | (string & {});

/** After these the same write, repeated with the same `clientMessageId`, may succeed. */
const REPEATABLE: ReadonlySet<string> = new Set<Code>(["NETWORK", "NO_ANSWER", "UNAVAILABLE", "UNCONFIRMED", "RATE_LIMITED"]);

/** Whether the same request, repeated, may succeed. */
export function isRepeatable(code: Code): boolean {
  return REPEATABLE.has(code);
}

export interface HubErrorOptions {
  /** The event that failed. */
  event?: string | undefined;
  /** The whole answer of the hub: some codes bring more fields. */
  details?: Readonly<Record<string, unknown>> | undefined;
  /** It was sent at least once without an answer, so it may have taken effect. */
  uncertain?: boolean | undefined;
  cause?: unknown;
}

/** A refusal of the hub, or a failure on the way to it. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly event: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly uncertain: boolean;

  constructor(readonly code: Code, message?: string, { event, details, uncertain = false, cause }: HubErrorOptions = {}) {
    super(message ?? (event === undefined ? code : `${event}: ${code}`), cause === undefined ? undefined : { cause });
    this.event = event;
    this.details = details ?? {};
    this.uncertain = uncertain;
  }

  /** Whether the same request, repeated, may succeed. */
  get repeatable(): boolean {
    return isRepeatable(this.code);
  }
}

/** A failure as the hub writes it: in an acknowledgement, an `error` event, or `data` of CONNECT_ERROR. */
export function fromHub(failure: unknown, event?: string): HubError {
  const fields = failure !== null && typeof failure === "object" ? (failure as Record<string, unknown>) : {};
  const code = typeof fields["code"] === "string" ? fields["code"] : "INTERNAL";
  const message = typeof fields["message"] === "string" ? fields["message"] : undefined;
  return new HubError(code, message, { event: event ?? (typeof fields["event"] === "string" ? fields["event"] : undefined), details: fields });
}

/** Anything that was thrown, as a `HubError`. */
export function asHubError(thrown: unknown, code: Code = "INTERNAL"): HubError {
  if (thrown instanceof HubError) return thrown;
  return new HubError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}
