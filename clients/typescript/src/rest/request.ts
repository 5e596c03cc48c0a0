/** One HTTP request to the hub: with a token, a deadline, repeats that do no harm, and errors that are typed. */

import { HubError, UNCONFIRMED, type Code } from "../errors.js";
import { backoff, sleep } from "../time.js";
import { Tokens, type TokenOptions } from "../tokens.js";

export interface RestOptions extends TokenOptions {
  /** Where the hub is: `https://hub.example.com`. In a browser its own origin, if it is left out. */
  url?: string | undefined;
  /** Another `fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
  /** A call may take this long, its repeats included (30 s). */
  deadlineMs?: number | undefined;
  /** So often a request is repeated at most (3). */
  retries?: number | undefined;
  /** Further headers of each request. */
  headers?: Readonly<Record<string, string>> | undefined;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** This call may take so long, its repeats included. */
  deadlineMs?: number | undefined;
}

export interface HttpRequest extends CallOptions {
  method: string;
  /** With its leading slash, encoded. */
  path: string;
  query?: Readonly<Record<string, unknown>> | undefined;
  body?: unknown;
}

/** Codes made from the status, of answers that have none. */
export type StatusCode = "UNAUTHORIZED" | "RATE_LIMITED" | "INTERNAL" | "NOT_CONFIGURED" | "UNAVAILABLE" | `HTTP_${number}`;

/** A refusal over HTTP. `code` is the hub's own, or one made from the status. */
export class RestError<Body = unknown, OwnCode extends Code = Code> extends HubError {
  declare readonly code: OwnCode;
  readonly status: number;
  /** What the hub asked to wait, if it did. */
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  /** The answer as it came. */
  readonly body: Body;

  constructor({ code, message, status, retryAfterMs, requestId, body }: RestFailure) {
    // A balancer that lost the hub's answer has none of its own form.
    const isLost = (status === 502 || status === 504) && typeof body === "string";
    super(code, message, { details: asObject(body), uncertain: isLost || code === UNCONFIRMED });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.requestId = requestId;
    this.body = body as Body;
  }

  /** Whether the same request, repeated, may succeed. Each surface has its own words for what passes (`RATE_LIMIT`, `external`): the status counts. */
  override get repeatable(): boolean {
    return PASSING.has(this.status);
  }
}

export interface RestFailure {
  code: string;
  message: string | undefined;
  status: number;
  retryAfterMs: number | undefined;
  requestId: string | undefined;
  body: unknown;
}

/** Refusals that say of themselves that they pass, whatever the route calls them. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);
/** Requests that change nothing, or nothing more when they are repeated. */
const SAFE_TO_REPEAT: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE"]);
const CODES: Readonly<Record<number, StatusCode>> = {
  401: "UNAUTHORIZED", 429: "RATE_LIMITED", 500: "INTERNAL", 501: "NOT_CONFIGURED", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE",
};
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5000;

export class Rest {
  readonly #options: RestOptions;
  readonly #origin: string;
  readonly #tokens: Tokens;

  constructor(options: RestOptions) {
    const url = options.url ?? globalThis.location?.origin;
    if (url === undefined) throw new TypeError("url is missing: where is the hub?");
    this.#options = options;
    this.#origin = url.replace(/\/+$/, "");
    this.#tokens = new Tokens(options);
  }

  /** Sends a request until it is answered for good. Resolves with the body, undefined if there is none; rejects with a `HubError`. */
  async request(request: HttpRequest): Promise<unknown> {
    request.signal?.throwIfAborted();
    const ends = deadline(request.deadlineMs ?? this.#options.deadlineMs ?? 30_000, request.signal);
    try {
      return await this.#repeat(request, ends.signal);
    } catch (thrown) {
      request.signal?.throwIfAborted();
      if (ends.signal.aborted && !(thrown instanceof HubError)) throw new HubError("NO_ANSWER", `${request.method} ${request.path} took too long`, { uncertain: true });
      throw thrown;
    } finally {
      ends.clear();
    }
  }

  async #repeat(request: HttpRequest, signal: AbortSignal & { endsAt?: number }): Promise<unknown> {
    const { retries = 3 } = this.#options;
    let renewed = false;
    for (let attempt = 0; ; attempt += 1) {
      let failure: HubError;
      try {
        return await this.#once(request, signal);
      } catch (thrown) {
        if (!(thrown instanceof HubError)) throw thrown;
        failure = thrown;
      }
      if (failure instanceof RestError && failure.status === 401 && this.#tokens.renewable && !renewed) {
        renewed = true;
        this.#tokens.refuse();
        continue;
      }
      const pause = pauseFor(failure, request.method, attempt);
      if (pause === undefined || attempt >= retries || (signal.endsAt !== undefined && Date.now() + pause >= signal.endsAt)) throw failure;
      await sleep(pause, signal);
    }
  }

  async #once({ method, path, query, body }: HttpRequest, signal: AbortSignal): Promise<unknown> {
    const headers: Record<string, string> = { accept: "application/json", ...this.#options.headers };
    if (this.#tokens.renewable || this.#tokens.current !== undefined) headers["authorization"] = `Bearer ${await this.#tokens.good()}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    signal.throwIfAborted();
    const { fetch = globalThis.fetch } = this.#options;
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#origin + path + queryOf(query), { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      text = await response.text();
    } catch (thrown) {
      signal.throwIfAborted();
      throw new HubError("NETWORK", `${method} ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { uncertain: true, cause: thrown });
    }
    const answer = parsed(text);
    if (response.ok) return answer;
    throw refusal(response, answer);
  }
}

/** How long to wait before a repeat; undefined: it is not repeated. */
function pauseFor(failure: HubError, method: string, attempt: number): number | undefined {
  if (!(failure instanceof RestError)) {
    return failure.code === "NETWORK" && SAFE_TO_REPEAT.has(method) ? backoff(attempt, FIRST_PAUSE_MS, MAX_PAUSE_MS) : undefined;
  }
  const { status, retryAfterMs } = failure;
  // Refused before anything was done, with a time to come back.
  if ((status === 429 || status === 503) && retryAfterMs !== undefined) return retryAfterMs + Math.random() * 250;
  if (status >= 502 && status <= 504 && SAFE_TO_REPEAT.has(method)) return backoff(attempt, FIRST_PAUSE_MS, MAX_PAUSE_MS);
  return undefined;
}

/** Every surface has its own shape of errors: `{error:{code}}`, `{error:"CODE"}`, `{code}`, or a message alone. */
function refusal(response: Response, body: unknown): RestError {
  const { status, headers } = response;
  const fields = asObject(body);
  const nested = asObject(fields["error"]);
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const seconds = Number(headers.get("retry-after") ?? NaN);
  return new RestError({
    code: text(nested["code"]) ?? text(fields["code"]) ?? text(fields["error"]) ?? CODES[status] ?? `HTTP_${status}`,
    message: text(nested["message"]) ?? text(fields["message"]) ?? `HTTP ${status}`,
    status,
    retryAfterMs: Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : undefined,
    requestId: text(nested["request_id"]) ?? headers.get("x-request-id") ?? undefined,
    body,
  });
}

function asObject(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === "object" ? (value as Record<string, unknown>) : {};
}

function parsed(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // A balancer that finds no node answers without JSON.
    return text;
  }
}

function queryOf(query: Readonly<Record<string, unknown>> | undefined): string {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null);
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`;
}

/** A signal that comes with the caller's, or when time is up. */
function deadline(ms: number, outer: AbortSignal | undefined): { signal: AbortSignal & { endsAt?: number }; clear: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(outer?.reason);
  const timer = setTimeout(() => controller.abort(new Error("time is up")), ms);
  outer?.addEventListener("abort", abort, { once: true });
  return {
    signal: Object.assign(controller.signal, { endsAt: Date.now() + ms }),
    clear: () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", abort);
    },
  };
}
