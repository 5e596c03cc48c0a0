/** The token at hand, when it ends, and how a new one is got. */

import { asHubError, HubError } from "./errors.js";

/** Why a token is asked for. */
export type TokenReason =
  /** There is none yet, or it ends soon. */
  | "needed"
  /** The hub did not accept the last one. */
  | "refused";

export interface TokenOptions {
  /** A token that does not change: a candidate's join token, an invite, or one for a short visit. */
  token?: string | undefined;
  /** Gives a token that is valid now. Called before a connection if there is no good one, when one ends soon, and when one was refused. */
  getToken?: ((reason: TokenReason) => string | Promise<string>) | undefined;
}

/** A token that ends sooner than this is renewed before it is used. */
const GOOD_FOR_MS = 60_000;
/** `getToken` may take this long. */
const ASK_MS = 15_000;

export class Tokens {
  readonly #getToken: TokenOptions["getToken"];
  #token: string | undefined;
  #refused = false;
  #asking: Promise<string> | undefined;

  constructor({ token, getToken }: TokenOptions) {
    this.#token = token;
    this.#getToken = getToken;
  }

  /** Whether a new one can be had. */
  get renewable(): boolean {
    return this.#getToken !== undefined;
  }

  get current(): string | undefined {
    return this.#token;
  }

  /** Whether the token at hand ends soon or has ended, as far as it says so itself. */
  get endsSoon(): boolean {
    const end = this.#token === undefined ? null : expiryOf(this.#token);
    return end !== null && end - Date.now() < GOOD_FOR_MS;
  }

  /** The hub did not accept the token at hand. */
  refuse(): void {
    this.#refused = true;
  }

  /**
   * A token to connect with: the one at hand, or a new one if that is missing, refused or ends soon. If no new one can be had, one that was
   * not refused is used all the same, whatever this machine's clock says of it: the hub judges, and a citizen in need keeps its rights there.
   */
  async good(): Promise<string> {
    if (this.#token !== undefined && !this.#refused && !this.endsSoon) return this.#token;
    try {
      return await this.renew();
    } catch (thrown) {
      if (this.#token !== undefined && !this.#refused) return this.#token;
      throw thrown;
    }
  }

  /** A new token. Those who ask at the same time get the same one. */
  renew(): Promise<string> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<string> {
    if (this.#getToken === undefined) throw new HubError(this.#token === undefined ? "MISSING_TOKEN" : "TOKEN_EXPIRED");
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new HubError("NO_TOKEN", `getToken took longer than ${ASK_MS / 1000} s`)), ASK_MS);
    });
    const refused = this.#refused ? this.#token : undefined;
    try {
      const token = await Promise.race([this.#call(refused !== undefined ? "refused" : "needed"), late]);
      if (typeof token !== "string" || token === "") throw new HubError("NO_TOKEN", "getToken gave no token");
      this.#token = token;
      // The same one again stays refused.
      this.#refused = token === refused;
      return token;
    } catch (thrown) {
      throw asHubError(thrown, "NO_TOKEN");
    } finally {
      clearTimeout(timer);
    }
  }

  /** What it throws at once is a rejection as well. */
  async #call(reason: TokenReason): Promise<string | undefined> {
    return this.#getToken?.(reason);
  }
}

/** When a JWT ends (milliseconds since 1970), without judging it; null for what says nothing of it. */
export function expiryOf(token: string): number | null {
  const [, body] = token.split(".");
  if (body === undefined) return null;
  try {
    const { exp } = JSON.parse(atob(body.replace(/-/g, "+").replace(/_/g, "/"))) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : null;
  } catch {
    return null;
  }
}
