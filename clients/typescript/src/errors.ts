/** What can go wrong, as one type: the hub's own code, or one of the client's own. */

import type { IncidentsCode, InterviewsCode } from "./generated/events.js";

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

/** A code: one of this client, one of the hub's documents, or one that a newer hub knows. */
export type Code = ClientCode | IncidentsCode | InterviewsCode | (string & {});

/** After these the same write, repeated with the same `clientMessageId`, may succeed. */
const REPEATABLE: ReadonlySet<string> = new Set<Code>(["NETWORK", "NO_ANSWER", "UNAVAILABLE", "UNCONFIRMED", "RATE_LIMITED"]);

/** The hub has perhaps done it. */
export const UNCONFIRMED: Code = "UNCONFIRMED";

/** Whether the same request, repeated, may succeed. */
export function isRepeatable(code: Code): boolean {
  return REPEATABLE.has(code);
}

export interface HubErrorOptions {
  /** The event that failed. */
  event?: string | undefined;
  /** The whole answer of the hub: some codes bring more fields. */
  details?: Readonly<Record<string, unknown>> | undefined;
  /** It may have taken effect: it was sent at least once without an answer, or the answer was `UNCONFIRMED`. */
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
  const named = typeof fields["event"] === "string" ? fields["event"] : undefined;
  return new HubError(code, message, { event: event ?? named, details: fields, uncertain: code === UNCONFIRMED });
}

/** Anything that was thrown, as a `HubError`. */
export function asHubError(thrown: unknown, code: Code = "INTERNAL"): HubError {
  if (thrown instanceof HubError) return thrown;
  return new HubError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}
