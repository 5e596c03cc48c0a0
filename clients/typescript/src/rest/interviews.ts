/** Live interviews over HTTP: the token for the call at LiveKit, and invites. */

import { connectRest, type Answer, type Question } from "./call.js";
import type { CallOptions, RestOptions } from "./request.js";

export type JoinToken = Answer<"/api/interviews/join-token", "post">;
export type JoinTokenRequest = Question<"/api/interviews/join-token", "post">["body"];
export type Invite = Answer<"/api/interviews/{id}/invites", "post">;
export type InviteRequest = NonNullable<Question<"/api/interviews/{id}/invites", "post">["body"]>;

export interface InterviewRest {
  /** What opens the interview's room at LiveKit. */
  joinToken(request: JoinTokenRequest, options?: CallOptions): Promise<JoinToken>;
  /** A link for a candidate; its token is told this once. */
  createInvite(interviewId: string, request?: InviteRequest, options?: CallOptions): Promise<Invite>;
  revokeInvite(interviewId: string, inviteId: string, options?: CallOptions): Promise<void>;
}

export function interviewRest(options: RestOptions): InterviewRest {
  const call = connectRest(options);
  return {
    joinToken: (body, more) => call("post", "/api/interviews/join-token", { body, ...more }),
    createInvite: (id, body = {}, more) => call("post", "/api/interviews/{id}/invites", { path: { id }, body, ...more }),
    revokeInvite: async (id, invite, more) => {
      await call("delete", "/api/interviews/{id}/invites/{invite}", { path: { id, invite }, ...more });
    },
  };
}
