/** Realtime sessions: a LiveKit room of one's own, and the secret that opens it. */

import { connectRest, type Answer } from "./call.js";
import { RestError, type CallOptions, type RestOptions } from "./request.js";

/** A session with its `client_secret`, which is told this once. */
export type CreatedRealtimeSession = Answer<"/v1/realtime/sessions", "post">;
export type RealtimeSession = Answer<"/v1/realtime/sessions/{id}", "get">;
export type RealtimeSessionList = Answer<"/v1/realtime/sessions", "get">;
export type DeletedRealtimeSession = Answer<"/v1/realtime/sessions/{id}", "delete">;

export interface RealtimeSessions {
  create(options?: CallOptions): Promise<CreatedRealtimeSession>;
  get(id: string, options?: CallOptions): Promise<RealtimeSession>;
  /** A page, newest first. */
  list(query?: { limit?: number; after?: string }, options?: CallOptions): Promise<RealtimeSessionList>;
  /** All sessions, each once, page by page, the newest first; also while some of them end. */
  all(pageSize?: number, options?: CallOptions): AsyncGenerator<RealtimeSessionList["data"][number], void, undefined>;
  delete(id: string, options?: CallOptions): Promise<DeletedRealtimeSession>;
}

/** Sessions of the token's user. A refusal is a `RestError`; `requestId` is what the hub's operator can search for. */
export function realtimeSessions(options: RestOptions): RealtimeSessions {
  const call = connectRest(options);
  const sessions: RealtimeSessions = {
    create: (more) => call("post", "/v1/realtime/sessions", { ...more }),
    get: (id, more) => call("get", "/v1/realtime/sessions/{id}", { path: { id }, ...more }),
    list: (query = {}, more) => call("get", "/v1/realtime/sessions", { query, ...more }),
    async *all(limit = 100, more) {
      const told = new Set<string>();
      let after: string | undefined;
      for (;;) {
        let page: RealtimeSessionList;
        try {
          page = await sessions.list({ limit, ...(after === undefined ? {} : { after }) }, more);
        } catch (thrown) {
          // The session behind which the next page begins has ended meanwhile: once more from the newest one.
          if (after === undefined || !(thrown instanceof RestError) || thrown.status !== 400) throw thrown;
          after = undefined;
          continue;
        }
        for (const session of page.data) {
          if (told.has(session.id)) continue;
          told.add(session.id);
          yield session;
        }
        if (!page.has_more || page.last_id == null) return;
        after = page.last_id;
      }
    },
    delete: (id, more) => call("delete", "/v1/realtime/sessions/{id}", { path: { id }, ...more }),
  };
  return sessions;
}
