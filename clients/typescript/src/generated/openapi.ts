/**
 * Made from /openapi.json of a hub by scripts/generate.mjs. Not to be edited.
 */

export interface paths {
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What this service is
         * @description Its name and version, the name of the node that answers, and where its Socket.IO is: the path and the namespaces.
         */
        get: operations["getServiceInfo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process is alive
         * @description It says nothing of Redis or of anything else that the hub needs: `/readyz` does. For restarts, and not for a balancer.
         */
        get: operations["getApiHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a session
         * @description A session whose time has run out is ended first. Another user's session is not found.
         */
        get: operations["getInterviewSession"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/{id}/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End a session early
         * @description The body is ignored.
         */
        post: operations["endInterviewSession"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/{id}/invites": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Invite someone to an interview
         * @description The token is told this once; only its hash is kept.
         */
        post: operations["createInvite"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/{id}/invites/{invite}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an invite
         * @description The candidate who came by it is disconnected on every node, with `error` `INVITE_REVOKED`, and at LiveKit; the place in the call is free. With the interview's own token the same candidate may come back. Once more changes nothing.
         */
        delete: operations["revokeInvite"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/{id}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a session (the same as without `/status`)
         * @description A session whose time has run out is ended first. Another user's session is not found.
         */
        get: operations["getInterviewSessionStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/eligibility": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ask whether the user may start a session now
         * @description It takes no place: a start right after it may be refused all the same.
         */
        get: operations["getInterviewEligibility"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/join-token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get a token for the call of an interview
         * @description A candidate shows the interview's `joinToken` or an invite, a recruiter a JWT, a service `X-Internal-Token`, which decides where it is there. Without any it is open only with `INTERVIEW_OPEN_SIGNALLING`.
         */
        post: operations["createJoinToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/interviews/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start an interview session
         * @description Makes the session and its LiveKit room, and sends the agent there. The body and its content type are ignored. A user whose other start is under way gets `ACTIVE_SESSION_EXISTS` without `existingSessionId` and with `Retry-After`.
         */
        post: operations["startInterviewSession"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/livekit/token": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get another token for the room of a session
         * @description For a client that was reloaded or has lost its token: it opens the same room, until the session's time is over.
         */
        post: operations["createInterviewSessionToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/asyncapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the document of the Socket.IO events
         * @description Every event of every namespace, both ways: payload, acknowledgement, codes, who may send it and who gets it. Made for programs; `/docs/asyncapi` shows it to people.
         */
        get: operations["getAsyncApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process is alive
         * @description It says nothing of Redis or of anything else that the hub needs: `/readyz` does. For restarts, and not for a balancer.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process is alive
         * @description It says nothing of Redis or of anything else that the hub needs: `/readyz` does. For restarts, and not for a balancer.
         */
        get: operations["getHealthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/interview-sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Write the score and the summary of a session
         * @description For the service that evaluates sessions. A field that is left out stays as it is.
         */
        patch: operations["scoreInterviewSession"];
        trace?: never;
    };
    "/internal/interviews": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make an interview
         * @description Makes it from a template, which is copied, and gives the token with which the candidate joins. Nobody is told of it, and no room is made yet.
         */
        post: operations["createInterview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/interviews/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read an interview, its session and its answers
         * @description `session` is null until the candidate has joined. `responses` has an entry for each answer, scored or not.
         */
        get: operations["getInterview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change an interview
         * @description The status goes forward only. Null removes `scheduledAt` and leaves every other field as it is.
         */
        patch: operations["changeInterview"];
        trace?: never;
    };
    "/internal/realtime/sos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the incidents
         * @description Those that stand, and those that have ended and are still kept, by their ids. A page may end early.
         */
        get: operations["listSos"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Close an incident
         * @description A second close changes nothing and is answered alike.
         */
        post: operations["closeSos"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the audit trail of an incident
         * @description Who did what and when, from the first entry on, page by page. What was refused for want of rights is in it too.
         */
        get: operations["getSosEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give a user rights on an incident
         * @description The user may join the incident from now on, also with a token that does not name it. Sockets of the user that are in the room have the new role at once.
         */
        post: operations["admitToSos"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/members/{user}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Take a user's rights on an incident
         * @description The user's sockets leave the room at once. It counts more than the user's token, until the user is given rights again.
         */
        delete: operations["removeFromSos"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message into an incident
         * @description A repeat with the same `clientMessageId` is answered as the first was, with `duplicate: true`.
         */
        post: operations["postSosMessage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the state of an incident
         * @description All that the hub knows of it: status, responders, last positions and members. It is what members get as `sos:state`.
         */
        get: operations["getSosState"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Set the status of an incident
         * @description Any status may follow on any other. With `force: false` the table of transitions counts, and `oldStatus` must be the present status.
         */
        post: operations["setSosStatus"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/{sos}/track": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read where the participants of an incident were
         * @description The positions that the hub keeps, of one participant or of all, page by page. `from` and `to` are times at which a device was there, both included.
         */
        get: operations["getSosTrack"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/sos/init": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make an incident
         * @description Makes the state of an incident and tells those who watch. An incident that stands keeps what it has; only fields that are null are filled. A repeat does no harm.
         */
        post: operations["createSos"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/realtime/users/{user}/presence": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ask whether a user is online
         * @description How many sockets of the user are connected to any node, and when the user was last seen. A user that the hub has never seen is offline.
         */
        get: operations["getUserPresence"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/internal/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Make or change a user
         * @description The count of the user's interviews stays as it is.
         */
        put: operations["putInterviewSessionUser"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livekit/webhook": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take what LiveKit tells
         * @description LiveKit calls it. What it tells once more, late or out of order does no harm.
         */
        post: operations["receiveLiveKitWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process is alive
         * @description It says nothing of Redis or of anything else that the hub needs: `/readyz` does. For restarts, and not for a balancer.
         */
        get: operations["getLivez"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/media/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the audio of an answer or a question
         * @description `audioUrl` of an answer leads here if audio is kept in a folder (`AUDIO_STORAGE_URL` is `file:…`); an object store has addresses of its own. The address is good for a day. `key` holds slashes, which are not encoded.
         */
        get: operations["getMedia"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read this document
         * @description Every route of the hub, whatever is switched on. Made for programs; `/docs/openapi` shows it to people.
         */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether a balancer should send clients here
         * @description A node is not ready while it starts, drains, has no lease, or no Redis master answers. What else is away is named; it does not make a node unready.
         */
        get: operations["getReady"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether a balancer should send clients here
         * @description A node is not ready while it starts, drains, has no lease, or no Redis master answers. What else is away is named; it does not make a node unready.
         */
        get: operations["getReadyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/realtime/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the user's sessions, the newest first
         * @description Without `limit` all of them come at once. For the next page give the `last_id` of this one as `after`, as long as `has_more` is true. A session that is gone by then is refused: begin anew without `after`.
         */
        get: operations["listRealtimeSessions"];
        put?: never;
        /**
         * Make a session
         * @description Gives the user a LiveKit room and the token that opens it, for `connect(ws_url, client_secret.value)` of `livekit-client`. `client_secret` is told this once; it is neither stored nor logged. The body and its content type are ignored.
         */
        post: operations["createRealtimeSession"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/realtime/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read a session
         * @description `status` tells whether somebody has joined the room. A session of another user is not found, like one that does not exist.
         */
        get: operations["getRealtimeSession"];
        put?: never;
        post?: never;
        /**
         * Delete a session and its room
         * @description Those who are in the room are disconnected. The body is ignored. Deleting it once more answers 404.
         */
        delete: operations["deleteRealtimeSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description The process is alive. */
        Alive: {
            service: string;
            /** @constant */
            status: "ok";
            version: string;
        };
        /** @description One line. */
        AuditEntry: {
            /** @description In the feature's words; `refusal` for what was refused. */
            event: string;
            id: string;
            note: string | null;
            oldStatus?: string | null;
            role: string | null;
            socket: string | null;
            /** @description By which way it came, in the feature's words. */
            source: string;
            status?: string | null;
            /** Format: uint64 */
            time: number;
            userId: string | null;
        };
        /**
         * @description What someone is in the call of an interview.
         * @enum {string}
         */
        CallRole: "candidate" | "recruiter" | "interviewer" | "observer" | "admin";
        /** @description Who is interviewed. */
        Candidate: {
            email: string;
            id: string;
            name: string;
        };
        /** @description What a client joins the room with. It has no `Debug`, so that no log shows it. */
        ClientSecret: {
            /**
             * Format: uint64
             * @description When it expires, seconds since 1970.
             */
            expires_at: number;
            /** @description A LiveKit token. */
            value: string;
        };
        /** @description Who closes an incident, and why. */
        CloseSos: {
            closedBy: string;
            reason?: string | null;
        };
        /** @description A new interview. */
        CreatedInterview: {
            /** Format: uuid */
            id: string;
            /** @description Told this once. */
            joinToken: string;
            status: components["schemas"]["InterviewStatus"];
        };
        /** @description A new session. Only this answer holds the secret that opens the room. */
        CreatedSession: {
            client_secret: components["schemas"]["ClientSecret"];
            /** @description `sess_` and 24 of `[0-9a-z]`. */
            id: string;
            object: components["schemas"]["SessionObject"];
            /** @description The name of the LiveKit room. */
            room_id: string;
            /** @description The user that the token of the request speaks for. */
            user_id: string;
            /** @description Where clients reach LiveKit. */
            ws_url: string;
        };
        /** @enum {string} */
        DeletedObject: "realtime.session.deleted";
        /** @description A session that was deleted. */
        DeletedSession: {
            /** @description Always true. */
            deleted: boolean;
            id: string;
            object: components["schemas"]["DeletedObject"];
        };
        /** @description Whether a user could start a session now. */
        Eligibility: {
            canStart: boolean;
            existingSessionId?: string | null;
            message?: string | null;
            /** @description `ELIGIBLE`, or the code with which a start would be refused. */
            reason: string;
        };
        /** @description What ending a session answers. */
        EndedInterviewSession: {
            message: string;
            /** @constant */
            success: true;
        };
        /** @description Questions that belong together. */
        InterviewAssessment: {
            questions: components["schemas"]["InterviewQuestion"][];
            title: string;
        };
        /** @description What is to change of an interview. */
        InterviewChange: {
            candidate?: components["schemas"]["NewCandidate"] | null;
            recruiterIds?: string[] | null;
            /**
             * Format: date-time
             * @description Null removes it.
             */
            scheduledAt?: string | null;
            status?: components["schemas"]["InterviewStatus"] | null;
        };
        /** @description How often something was noticed that takes trust. */
        InterviewDeductions: {
            /** Format: uint32 */
            faces: number;
            /** Format: uint32 */
            fullscreen: number;
            /** Format: uint32 */
            suspicious: number;
            /** Format: uint32 */
            tabs: number;
        };
        /** @description The session of an interview. */
        InterviewLiveSession: {
            /** @description Null: Redis was not asked, or does not know it. */
            candidateConnected: boolean | null;
            /** Format: date-time */
            createdAt: string;
            /**
             * Format: uint32
             * @description Over all assessments, from 1; 0 before the first.
             */
            currentQuestion: number;
            deductions: components["schemas"]["InterviewDeductions"];
            /** Format: date-time */
            endedAt: string | null;
            /** Format: uuid */
            id: string;
            progress: components["schemas"]["Progress"] | null;
            /** Format: date-time */
            startedAt: string | null;
            state: components["schemas"]["InterviewSessionState"];
            summary: components["schemas"]["Summary"] | null;
            /** Format: uint8 */
            trustScore: number;
        };
        /** @description All that is known of an interview, but its token. */
        InterviewOverview: {
            candidate: components["schemas"]["Candidate"];
            /** Format: date-time */
            createdAt: string;
            /**
             * Format: uint32
             * @description Minutes.
             */
            estimatedDuration: number;
            /** Format: uuid */
            id: string;
            organizationId: string;
            recruiterIds: string[];
            /** @description The answers, in the order of their questions. */
            responses: components["schemas"]["InterviewResponse"][];
            /** Format: date-time */
            scheduledAt: string | null;
            /** @description Null: no candidate has joined yet. */
            session: components["schemas"]["InterviewLiveSession"] | null;
            status: components["schemas"]["InterviewStatus"];
            template: components["schemas"]["InterviewTemplate"];
            /**
             * Format: uint
             * @description Over all assessments.
             */
            totalQuestions: number;
            /** Format: date-time */
            updatedAt: string;
        };
        /** @description A question of an interview. */
        InterviewQuestion: {
            id: string;
            /**
             * Format: uint
             * @description Over all assessments, from 1, as the candidate will see it.
             */
            order: number;
            text: string;
            type: string;
        };
        /** @description A stored answer. */
        InterviewResponse: {
            /** Format: date-time */
            answeredAt: string;
            audioUrl: string;
            evaluation: string | null;
            /**
             * Format: uint32
             * @description Over all assessments, from 1.
             */
            order: number;
            /** @description As it was asked. */
            question: string;
            questionId: string;
            /** Format: double */
            score: number | null;
            /** @description What the hub's speech to text has understood. */
            sttTranscript: string;
            /** @description What the client has understood. */
            transcription: string;
        };
        /** @description An interview session. */
        InterviewSession: {
            /** Format: date-time */
            created_at: string;
            end_reason: components["schemas"]["InterviewSessionEndReason"] | null;
            /** Format: date-time */
            end_time: string | null;
            id: string;
            livekit_room_name: string;
            /** Format: double */
            score_overall: number | null;
            /**
             * Format: date-time
             * @description When the hub ends it, if nothing else does before.
             */
            server_end_time: string;
            /** Format: date-time */
            start_time: string;
            status: components["schemas"]["InterviewSessionStatus"];
            summary: string | null;
            /** Format: date-time */
            updated_at: string;
            /** Format: uuid */
            user_id: string;
        };
        /**
         * @description Why an interview session has ended.
         * @enum {string}
         */
        InterviewSessionEndReason: "natural" | "user_ended" | "timeout" | "error";
        /** @description What a client joins the room with. */
        InterviewSessionPass: {
            roomName: string;
            /** @description For LiveKit. It ends with the session. */
            token: string;
            /** @description Where LiveKit is. */
            wsUrl: string;
        };
        /** @description The body of `POST /api/livekit/token`. A field that is no text counts as missing. */
        InterviewSessionRoom: {
            /** @description The session's room. */
            roomName: string;
            sessionId: string;
        };
        /** @description What is missing or null stays as it is. */
        InterviewSessionScore: {
            /** Format: double */
            score_overall?: number | null;
            summary?: string | null;
        };
        /** @description Where a session stands. */
        InterviewSessionState: ("active" | "completed" | "expired") | "created" | "paused" | "cancelled";
        /**
         * @description Where an interview session stands.
         * @enum {string}
         */
        InterviewSessionStatus: "active" | "completed" | "ended_early" | "timeout";
        /** @description A user as interview sessions know it. */
        InterviewSessionUser: {
            /**
             * Format: uint32
             * @description Raised by every ending of a session.
             */
            completed_interviews_count: number;
            email: string | null;
            /** Format: uuid */
            id: string;
            resume_id: string | null;
        };
        /** @description What is missing is removed. */
        InterviewSessionUserChange: {
            email?: string | null;
            resumeId?: string | null;
        };
        /** @description Where an interview stands. */
        InterviewStatus: ("SCHEDULED" | "COMPLETED" | "EXPIRED" | "CANCELLED") | "ONGOING";
        /** @description What is asked in an interview. */
        InterviewTemplate: {
            assessments: components["schemas"]["InterviewAssessment"][];
            id: string;
            title: string;
            /**
             * Format: uint32
             * @description Minutes.
             */
            totalDuration: number;
        };
        /** @description A new invite. */
        Invite: {
            /**
             * Format: date-time
             * @description For the first use.
             */
            expiresAt: string;
            /** Format: uuid */
            inviteId: string;
            /** @description Told this once. */
            inviteToken: string;
        };
        /** @description A way into a call. */
        JoinToken: {
            roomName: string;
            /** @description For LiveKit. */
            token: string;
            /** @description Where LiveKit is. */
            wsUrl: string;
        };
        /** @description Who wants into the call. */
        JoinTokenRequest: {
            displayName?: string | null;
            interviewId: string;
            /** @description Not needed if the token names the participant. */
            participantId?: string | null;
            /** @description In any case of letters. */
            role: components["schemas"]["CallRole"];
        };
        /** @enum {string} */
        ListObject: "list";
        /** @description `location:update`, a point of `location:batch`, and the `location` of a new SOS. */
        LocationUpdate: {
            /** Format: double */
            accuracy?: number | null;
            /** @description A text, or an object of texts. */
            address?: components["schemas"]["SosAddress"] | null;
            /** Format: double */
            altitude?: number | null;
            deviceId?: string | null;
            /**
             * Format: double
             * @description `-1`: not known, like none.
             */
            heading?: number | null;
            /** Format: double */
            latitude: number;
            /** Format: double */
            longitude: number;
            /**
             * Format: double
             * @description `-1`: not known, like none.
             */
            speed?: number | null;
            /** @description Fix time: read as milliseconds, seconds (below 10¹¹) or ISO 8601. */
            timestamp?: components["schemas"]["SosTime"] | null;
        };
        /** @description Questions that belong together. */
        NewAssessment: {
            /** @description At most 500 in all assessments together. */
            questions: components["schemas"]["NewQuestion"][];
            title: string;
        };
        /** @description Who is interviewed. */
        NewCandidate: {
            email: string;
            id: string;
            name: string;
        };
        /** @description A new interview. */
        NewInterview: {
            candidate: components["schemas"]["NewCandidate"];
            organizationId: string;
            /** @description Users who see it beside those of the organization. */
            recruiterIds?: string[] | null;
            /**
             * Format: date-time
             * @description It refuses nobody before or after.
             */
            scheduledAt?: string | null;
            template: components["schemas"]["NewTemplate"];
        };
        /** @description Who is invited. */
        NewInvite: {
            email?: string | null;
            /**
             * Format: uint64
             * @description Seconds within which it must be used for the first time; more than 30 days count as 30 days.
             * @default 604800
             */
            expiresIn?: number | null;
        };
        /** @description A question. */
        NewQuestion: {
            /** @description Made if it is left out. */
            id?: string | null;
            text: string;
            type: string;
        };
        /** @description A new incident. */
        NewSos: {
            /** @description A text, or an object of texts. */
            address?: components["schemas"]["SosAddress"] | null;
            citizenId: string;
            location?: components["schemas"]["LocationUpdate"] | null;
            soNo?: string | null;
            sosId: string;
            type?: string | null;
        };
        /** @description A user who gets rights on an incident. */
        NewSosMember: {
            role: components["schemas"]["SosRole"];
            userId: string;
        };
        /** @description A message into an incident. */
        NewSosMessage: {
            clientMessageId?: string | null;
            /** @description Read in any case of letters; `system` if it is left out. */
            role?: components["schemas"]["SosAuthor"] | null;
            text: string;
            userId?: string | null;
        };
        /** @description What is asked. No two questions have the same id. */
        NewTemplate: {
            assessments: components["schemas"]["NewAssessment"][];
            /** @description Made if it is left out. */
            id?: string | null;
            title: string;
            /**
             * Format: uint64
             * @description Minutes.
             */
            totalDuration: number;
        };
        /** @description How far an interview has come. All counts begin with 1. */
        Progress: {
            /** Format: uint32 */
            currentAssessment: number;
            /**
             * Format: uint32
             * @description Over all assessments.
             */
            currentQuestion: number;
            /** Format: uint32 */
            totalAssessments: number;
            /** Format: uint32 */
            totalQuestions: number;
        };
        /** @description Whether a balancer should send clients here. */
        Readiness: {
            /** @description The names of the systems that are away. */
            away: string[];
            checks: {
                [key: string]: {
                    /**
                     * Format: uint
                     * @description How many there are.
                     */
                    masters: number;
                    /** @description The error codes with which Redis refuses commands. */
                    refuses?: string[];
                    /**
                     * Format: uint
                     * @description How many masters answer.
                     */
                    up: number;
                } | {
                    up: boolean;
                };
            };
            /** @description A system beside the hub is away. The hub serves clients without it. */
            degraded: boolean;
            /** @description Why the node is not ready. */
            reason?: string | null;
            /** @enum {string} */
            status: "ready" | "unavailable";
        };
        /** @description A session. */
        RealtimeSession: {
            /** @description `sess_` and 24 of `[0-9a-z]`. */
            id: string;
            object: components["schemas"]["SessionObject"];
            /** @description The name of the LiveKit room. */
            room_id: string;
            status: components["schemas"]["SessionStatus"];
            /** @description The user whose session it is. */
            user_id: string;
            /** @description Where clients reach LiveKit. */
            ws_url: string;
        };
        /** @enum {string} */
        Recommendation: "strong_hire" | "hire" | "no_hire";
        /** @description What this service is. */
        ServiceInfo: {
            /** @description The name of the node that answers. */
            node: string;
            service: string;
            /** @description How Socket.IO is reached. */
            socketio: {
                namespaces: string[];
                path: string;
                transports: string[];
            };
            /** @constant */
            status: "ok";
            version: string;
        };
        /** @description Sessions of one user, the newest first. */
        SessionList: {
            data: components["schemas"]["RealtimeSession"][];
            /** @description The id of the first one here; null if there is none. */
            first_id: string | null;
            /** @description Older ones follow. */
            has_more: boolean;
            /** @description The id of the last one here, for `after`; null if there is none. */
            last_id: string | null;
            object: components["schemas"]["ListObject"];
        };
        /** @enum {string} */
        SessionObject: "realtime.session";
        /** @description How far a session has come. */
        SessionStatus: "created" | "connected";
        /** @description A status that an incident is to have. */
        SetSosStatus: {
            /**
             * @description True unless it says otherwise. False: the table and `oldStatus` are enforced.
             * @default true
             */
            force?: boolean | null;
            oldStatus?: components["schemas"]["SosStatus"] | null;
            /** @description Read in any case of letters. */
            status: components["schemas"]["SosStatus"];
            updatedBy: string;
        };
        /** @description A text, or an object whose fields are texts or null, such as `{city, barangay}`. */
        SosAddress: string | {
            [key: string]: string | null;
        };
        /** @description A user's rights. */
        SosAdmission: {
            role: components["schemas"]["SosRole"];
            sosId: string;
            userId: string;
        };
        /** @description A success. */
        SosAdmissionData: {
            data: components["schemas"]["SosAdmission"];
            /** @constant */
            success: true;
        };
        /**
         * @description Whose message it is: a role, or the service itself.
         * @enum {string}
         */
        SosAuthor: "citizen" | "rescuer" | "dispatcher" | "admin" | "system";
        SosClosing: {
            message: string;
            /** @constant */
            success: true;
        };
        /** @description The last known location of a participant. */
        SosLastLocation: {
            accuracy: number | null;
            /**
             * Format: uint64
             * @description How long ago the device was there.
             */
            ageMs: number;
            altitude: number | null;
            deviceId: string | null;
            /**
             * Format: uint64
             * @description When the device was there.
             */
            fixTime: number;
            heading: number | null;
            latitude: number;
            longitude: number;
            role: components["schemas"]["SosRole"];
            sosId: string;
            speed: number | null;
            /**
             * Format: uint64
             * @description When it was broadcast.
             */
            timestamp: number;
            userId: string;
        };
        /** @description A page of incidents. */
        SosList: {
            items: components["schemas"]["SosState"][];
            next: string | null;
        };
        /** @description A success. */
        SosListData: {
            data: components["schemas"]["SosList"];
            /** @constant */
            success: true;
        };
        /** @description A user in the room, or one whose connection was lost. */
        SosMember: {
            /** Format: uint64 */
            lastSeen: number;
            online: boolean;
            role: components["schemas"]["SosRole"];
            /**
             * Format: uint64
             * @description Connections.
             */
            sockets: number;
            userId: string;
        };
        /** @description The answer to [`Sos::post_message`]. */
        SosMessageSent: {
            /** @description An earlier request with this `clientMessageId` sent it. */
            duplicate?: boolean;
            messageId: string;
            /**
             * Format: uint64
             * @description ms since 1970: when it was sent first.
             */
            timestamp: number;
        };
        /** @description A success. */
        SosMessageSentData: {
            data: components["schemas"]["SosMessageSent"];
            /** @constant */
            success: true;
        };
        /** @description A user without rights. */
        SosRemoval: {
            sosId: string;
            userId: string;
        };
        /** @description A success. */
        SosRemovalData: {
            data: components["schemas"]["SosRemoval"];
            /** @constant */
            success: true;
        };
        /** @description A rescuer's own entry. */
        SosResponder: {
            /** Format: uint64 */
            acknowledgedAt: number | null;
            /** Format: uint64 */
            arrivedAt: number | null;
            /** Format: uint64 */
            assignedAt: number | null;
            status: components["schemas"]["SosStatus"];
            userId: string;
        };
        /**
         * @description What a person is to an incident.
         * @enum {string}
         */
        SosRole: "citizen" | "rescuer" | "dispatcher" | "admin";
        /** @description The state of an SOS: `sos:state`, `sos:created`, the ack of `sos:init`, `data` of `GET …/state`. */
        SosState: {
            /** Format: uint64 */
            acknowledgedAt: number | null;
            acknowledgedBy: string | null;
            address: components["schemas"]["SosAddress"] | null;
            citizenId: string | null;
            /** Format: uint64 */
            closedAt: number | null;
            closedBy: string | null;
            /** Format: uint64 */
            createdAt: number;
            /** Format: uint64 */
            lastLocationUpdate: number | null;
            /** @description The last known one of each participant. */
            locations: components["schemas"]["SosLastLocation"][];
            /** @description Who is in the room. */
            members: components["schemas"]["SosMember"][];
            /** @description The SOS service has not been asked yet, or did not answer: what it knows of this SOS is missing. */
            provisional?: boolean | null;
            reason: string | null;
            responders: components["schemas"]["SosResponder"][];
            soNo: string | null;
            sosId: string;
            status: components["schemas"]["SosStatus"];
            /** @description Something found no room in it. */
            truncated?: boolean | null;
            type: string | null;
            /** Format: uint64 */
            updatedAt: number;
        };
        /** @description A success. */
        SosStateData: {
            data: components["schemas"]["SosState"];
            /** @constant */
            success: true;
        };
        /** @enum {string} */
        SosStatus: "active" | "assigned" | "en_route" | "arrived" | "responding" | "resolved" | "completed" | "cancelled" | "rejected" | "fake" | "closed";
        /** @description The answer to [`Sos::set_status`]: `data` of the route. */
        SosStatusChange: {
            oldStatus: string;
            sosId: string;
            status: string;
            /**
             * Format: uint64
             * @description ms since 1970.
             */
            timestamp: number;
            updatedBy: string;
        };
        /** @description A success. */
        SosStatusChangeData: {
            data: components["schemas"]["SosStatusChange"];
            /** @constant */
            success: true;
        };
        /** @description A time: milliseconds since 1970, seconds (a number below 10¹¹), or ISO 8601. */
        SosTime: number | string;
        /** @description A page of a track. */
        SosTrack: {
            /** Format: uint64 */
            next: number | null;
            points: components["schemas"]["SosTrackPoint"][];
        };
        /** @description A success. */
        SosTrackData: {
            data: components["schemas"]["SosTrack"];
            /** @constant */
            success: true;
        };
        /** @description Where a participant was. */
        SosTrackPoint: {
            accuracy: number | null;
            altitude: number | null;
            deviceId: string | null;
            /**
             * Format: uint64
             * @description When the device was there.
             */
            fixTime: number;
            heading: number | null;
            latitude: number;
            longitude: number;
            role: components["schemas"]["SosRole"];
            speed: number | null;
            /**
             * Format: uint64
             * @description When it was broadcast.
             */
            timestamp: number;
            userId: string;
        };
        /** @description A page of an audit trail. */
        SosTrail: {
            events: components["schemas"]["AuditEntry"][];
            next: string | null;
        };
        /** @description A success. */
        SosTrailData: {
            data: components["schemas"]["SosTrail"];
            /** @constant */
            success: true;
        };
        /** @description A session that has been started. */
        StartedInterviewSession: {
            livekit: components["schemas"]["InterviewSessionPass"];
            session: {
                id: string;
                room_name: string;
                /** Format: date-time */
                server_end_time: string;
                /** Format: date-time */
                start_time: string;
                status: components["schemas"]["InterviewSessionStatus"];
            };
            /** @constant */
            success: true;
        };
        /** @description What is thought of a whole interview. Nulls and empty lists: it was not evaluated. */
        Summary: {
            /**
             * Format: double
             * @description From 0 to 100.
             */
            overallScore: number | null;
            recommendation: components["schemas"]["Recommendation"] | null;
            strengths: string[];
            weaknesses: string[];
        };
        /** @description The answer to [`Sos::user_presence`]: `data` of the route. */
        UserPresence: {
            /**
             * Format: uint64
             * @description ms since 1970; null for a user that was not seen within the hour.
             */
            lastSeen: number | null;
            online: boolean;
            /** Format: uint */
            sockets: number;
            userId: string;
        };
        /** @description A success. */
        UserPresenceData: {
            data: components["schemas"]["UserPresence"];
            /** @constant */
            success: true;
        };
        /** @description The answer to a webhook. */
        WebhookTaken: {
            /** @constant */
            success: true;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getServiceInfo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service, and how Socket.IO is reached. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceInfo"];
                };
            };
        };
    };
    getApiHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alive"];
                };
            };
        };
    };
    getInterviewSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InterviewSession"];
                };
            };
            /** @description - the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Unauthorized
             *     - The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - Session not found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - Internal server error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - DATABASE_URL is not set
             *     - SESSIONS_JWT_SECRET is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Temporarily unavailable, try again
             *     - Service temporarily unavailable
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
        };
    };
    endInterviewSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It has ended. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndedInterviewSession"];
                };
            };
            /** @description - the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Unauthorized
             *     - The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - Session not found or already ended */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - Internal server error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - DATABASE_URL is not set
             *     - SESSIONS_JWT_SECRET is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Temporarily unavailable, try again
             *     - Service temporarily unavailable
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
        };
    };
    createInvite: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The interview's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["NewInvite"];
            };
        };
        responses: {
            /** @description The invite and its token. */
            201: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Invite"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_JSON`: the body is not valid JSON
             *     - `INVALID_PAYLOAD`: field is what it must not be
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_JSON" | "INVALID_PAYLOAD";
                        message: string;
                    };
                };
            };
            /**
             * @description - `MISSING_TOKEN`: A token is required
             *     - `INVALID_TOKEN`: The token is not valid
             *     - `INVALID_TOKEN`: The token is longer than 16384 bytes
             *     - `TOKEN_EXPIRED`: The token has expired
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "MISSING_TOKEN" | "INVALID_TOKEN" | "TOKEN_EXPIRED";
                        message: string;
                    };
                };
            };
            /**
             * @description - `FORBIDDEN`: Not allowed
             *     - `INTERVIEW_UNAVAILABLE`: Interview is not available
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "FORBIDDEN" | "INTERVIEW_UNAVAILABLE";
                        message: string;
                    };
                };
            };
            /** @description - `INTERVIEW_NOT_FOUND`: Interview not found or invalid token */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERVIEW_NOT_FOUND";
                        message: string;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - `INTERNAL`: Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                    };
                };
            };
            /**
             * @description - `NOT_CONFIGURED`: DATABASE_URL is not set
             *     - `NOT_CONFIGURED`: INTERVIEW_JWT_SECRET is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    revokeInvite: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The interview's id. */
                id: string;
                /** @description The invite's id. */
                invite: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is revoked. */
            204: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_PATH";
                        message: string;
                    };
                };
            };
            /**
             * @description - `MISSING_TOKEN`: A token is required
             *     - `INVALID_TOKEN`: The token is not valid
             *     - `INVALID_TOKEN`: The token is longer than 16384 bytes
             *     - `TOKEN_EXPIRED`: The token has expired
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "MISSING_TOKEN" | "INVALID_TOKEN" | "TOKEN_EXPIRED";
                        message: string;
                    };
                };
            };
            /** @description - `FORBIDDEN`: Not allowed */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "FORBIDDEN";
                        message: string;
                    };
                };
            };
            /**
             * @description - `INTERVIEW_NOT_FOUND`: Interview not found or invalid token
             *     - `INVITE_NOT_FOUND`: Invite not found
             */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERVIEW_NOT_FOUND" | "INVITE_NOT_FOUND";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - `INTERNAL`: Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                    };
                };
            };
            /**
             * @description - `NOT_CONFIGURED`: DATABASE_URL is not set
             *     - `NOT_CONFIGURED`: INTERVIEW_JWT_SECRET is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    getInterviewSessionStatus: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InterviewSession"];
                };
            };
            /** @description - the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Unauthorized
             *     - The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - Session not found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - Internal server error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - DATABASE_URL is not set
             *     - SESSIONS_JWT_SECRET is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Temporarily unavailable, try again
             *     - Service temporarily unavailable
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
        };
    };
    getInterviewEligibility: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether the user may, or with which code a start would be refused. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Eligibility"];
                };
            };
            /**
             * @description - Unauthorized
             *     - The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - Internal server error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - DATABASE_URL is not set
             *     - SESSIONS_JWT_SECRET is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Temporarily unavailable, try again
             *     - Service temporarily unavailable
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
        };
    };
    createJoinToken: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["JoinTokenRequest"];
            };
        };
        responses: {
            /** @description The token, its room, and where LiveKit is. */
            201: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JoinToken"];
                };
            };
            /**
             * @description - `INVALID_JSON`: the body is not valid JSON
             *     - `INVALID_PAYLOAD`: field is what it must not be
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_JSON" | "INVALID_PAYLOAD";
                        message: string;
                    };
                };
            };
            /**
             * @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong
             *     - `MISSING_TOKEN`: A token is required
             *     - `INVALID_TOKEN`: The token is not valid
             *     - `INVALID_TOKEN`: The token is longer than 16384 bytes
             *     - `TOKEN_EXPIRED`: The token has expired
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN" | "MISSING_TOKEN" | "TOKEN_EXPIRED";
                        message: string;
                    };
                };
            };
            /**
             * @description - `INTERVIEW_UNAVAILABLE`: Interview is not available
             *     - `FORBIDDEN`: Not allowed
             *     - `INVITE_EXPIRED`: The invite has expired
             *     - `INVITE_REVOKED`: The invite has been revoked
             *     - `INVITE_USED`: The invite has already been used
             */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERVIEW_UNAVAILABLE" | "FORBIDDEN" | "INVITE_EXPIRED" | "INVITE_REVOKED" | "INVITE_USED";
                        message: string;
                    };
                };
            };
            /** @description - `INTERVIEW_NOT_FOUND`: Interview not found or invalid token */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERVIEW_NOT_FOUND";
                        message: string;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - `INTERNAL`: Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                    };
                };
            };
            /**
             * @description - `NOT_CONFIGURED`: DATABASE_URL is not set
             *     - `NOT_CONFIGURED`: LIVEKIT_WS_URL is not set
             *     - `NOT_CONFIGURED`: INTERVIEW_JWT_SECRET is not set
             *     - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    startInterviewSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session, and what its user joins the room with. */
            201: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StartedInterviewSession"];
                };
            };
            /**
             * @description - `USER_NOT_FOUND`: User not found
             *     - `NO_RESUME`: Upload a resume to start interview
             *     - `ACTIVE_SESSION_EXISTS`: You already have an active session (limit: 1)
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "USER_NOT_FOUND" | "NO_RESUME" | "ACTIVE_SESSION_EXISTS";
                        existingSessionId?: string;
                        message: string;
                    };
                };
            };
            /**
             * @description - Unauthorized
             *     - The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                    };
                };
            };
            /**
             * @description - `BETA_LIMIT`: You have completed 3 interview(s). Beta limit is 3.
             *     - `CAPACITY_FULL`: All interview slots are in use (50 max). Try again in a few minutes.
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "BETA_LIMIT" | "CAPACITY_FULL";
                        message: string;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /**
             * @description - `ID_GENERATION_FAILED`: Failed to generate unique session ID. Please try again.
             *     - `CREATE_FAILED`: Failed to create interview session
             */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "ID_GENERATION_FAILED" | "CREATE_FAILED";
                        message: string;
                    };
                };
            };
            /**
             * @description - `NOT_CONFIGURED`: DATABASE_URL is not set
             *     - `NOT_CONFIGURED`: SESSIONS_JWT_SECRET is not set
             *     - `NOT_CONFIGURED`: LIVEKIT_WS_URL is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /**
             * @description - `LIVEKIT_TOKEN_FAILED`: Failed to generate LiveKit token. Please try again.
             *     - `LIVEKIT_ROOM_FAILED`: Failed to create LiveKit room. Please try again.
             */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "LIVEKIT_TOKEN_FAILED" | "LIVEKIT_ROOM_FAILED";
                        message: string;
                    };
                };
            };
            /**
             * @description - `UNAVAILABLE`: Temporarily unavailable, try again
             *     - `UNAVAILABLE`: Service temporarily unavailable
             *     - `UNAVAILABLE`: Interviews cannot be started at the moment. Please try again.
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    createInterviewSessionToken: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InterviewSessionRoom"];
            };
        };
        responses: {
            /** @description What the user joins the room with. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InterviewSessionPass"];
                };
            };
            /**
             * @description - the body is not valid JSON
             *     - roomName is required
             *     - sessionId is required
             *     - Invalid room name format
             *     - Room does not belong to this session
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Unauthorized
             *     - The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - Interview session has ended */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                        status?: string;
                    };
                };
            };
            /** @description - Interview session not found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /**
             * @description - Internal server error
             *     - Failed to create LiveKit token
             */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - DATABASE_URL is not set
             *     - SESSIONS_JWT_SECRET is not set
             *     - LIVEKIT_WS_URL is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Temporarily unavailable, try again
             *     - Service temporarily unavailable
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
        };
    };
    getAsyncApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description AsyncAPI 3. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        asyncapi: string;
                        channels: Record<string, never>;
                        info: Record<string, never>;
                        operations: Record<string, never>;
                    };
                };
            };
            /** @description The client has it already (`If-None-Match`). */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alive"];
                };
            };
        };
    };
    getHealthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alive"];
                };
            };
        };
    };
    scoreInterviewSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["InterviewSessionScore"];
            };
        };
        responses: {
            /** @description The session as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InterviewSession"];
                };
            };
            /**
             * @description - the path is not valid UTF-8 once it is decoded
             *     - the body is not valid JSON
             *     - field is what it must not be
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - Session not found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - Internal server error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - DATABASE_URL is not set
             *     - INTERNAL_AUTH_TOKEN is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Service temporarily unavailable
             *     - Temporarily unavailable, try again
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
        };
    };
    createInterview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewInterview"];
            };
        };
        responses: {
            /** @description The interview. Its token is told this once. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedInterview"];
                };
            };
            /**
             * @description - `INVALID_JSON`: the body is not valid JSON
             *     - `INVALID_PAYLOAD`: field is what it must not be
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_JSON" | "INVALID_PAYLOAD";
                        message: string;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - `INTERNAL`: Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                    };
                };
            };
            /**
             * @description - `NOT_CONFIGURED`: DATABASE_URL is not set
             *     - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    getInterview: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The interview's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All that is known of it, but its token. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InterviewOverview"];
                };
            };
            /** @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_PATH";
                        message: string;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `INTERVIEW_NOT_FOUND`: Interview not found or invalid token */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERVIEW_NOT_FOUND";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - `INTERNAL`: Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                    };
                };
            };
            /**
             * @description - `NOT_CONFIGURED`: DATABASE_URL is not set
             *     - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    changeInterview: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The interview's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["InterviewChange"];
            };
        };
        responses: {
            /** @description The interview as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InterviewOverview"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_JSON`: the body is not valid JSON
             *     - `INVALID_PAYLOAD`: field is what it must not be
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_JSON" | "INVALID_PAYLOAD";
                        message: string;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `INTERVIEW_NOT_FOUND`: Interview not found or invalid token */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERVIEW_NOT_FOUND";
                        message: string;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                    };
                };
            };
            /** @description - `INVALID_TRANSITION`: status cannot go from COMPLETED to ONGOING */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TRANSITION";
                        message: string;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - `INTERNAL`: Internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                    };
                };
            };
            /**
             * @description - `NOT_CONFIGURED`: DATABASE_URL is not set
             *     - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    listSos: {
        parameters: {
            query?: {
                /** @description Ids after this one. */
                after?: string;
                /** @description More than 1,000 count as 1,000. */
                limit?: number;
                /** @description Read in any case of letters. */
                status?: "active" | "assigned" | "en_route" | "arrived" | "responding" | "resolved" | "completed" | "cancelled" | "rejected" | "fake" | "closed";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. `next` is the `after` of the page that follows; null: there is none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosListData"];
                };
            };
            /** @description - `errors` has an entry for each field that does not fit */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: not available at the moment, repeat it */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE";
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    closeSos: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CloseSos"];
            };
        };
        responses: {
            /** @description It is closed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosClosing"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             *     - `INVALID_JSON`: the body is not valid JSON
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "REQUEST_TIMEOUT";
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "PAYLOAD_TOO_LARGE";
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNSUPPORTED_MEDIA_TYPE";
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `UNAVAILABLE`: not available at the moment, repeat it
             *     - `UNCONFIRMED`: not confirmed yet, repeat it
             *     - `UNAVAILABLE`: Temporarily unavailable, try again
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE" | "UNCONFIRMED";
                        /** @enum {string} */
                        error: "UNAVAILABLE" | "UNCONFIRMED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    getSosEvents: {
        parameters: {
            query?: {
                /** @description The id of an entry: those after it. */
                after?: string;
                /** @description More than 1,000 count as 1,000. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page, ascending. `next` is the `after` of the page that follows; null: there is none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosTrailData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: not available at the moment, repeat it */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE";
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    admitToSos: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSosMember"];
            };
        };
        responses: {
            /** @description The user has this role here. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosAdmissionData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             *     - `INVALID_JSON`: the body is not valid JSON
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "REQUEST_TIMEOUT";
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `SOS_CLOSED`: this SOS is over */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_CLOSED";
                        /** @enum {string} */
                        error: "SOS_CLOSED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "PAYLOAD_TOO_LARGE";
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNSUPPORTED_MEDIA_TYPE";
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `UNAVAILABLE`: not available at the moment, repeat it
             *     - `UNCONFIRMED`: not confirmed yet, repeat it
             *     - `UNAVAILABLE`: Temporarily unavailable, try again
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE" | "UNCONFIRMED";
                        /** @enum {string} */
                        error: "UNAVAILABLE" | "UNCONFIRMED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    removeFromSos: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
                /** @description The user's id. */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user has no rights here. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosRemovalData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `UNAVAILABLE`: not available at the moment, repeat it
             *     - `UNCONFIRMED`: not confirmed yet, repeat it
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE" | "UNCONFIRMED";
                        /** @enum {string} */
                        error: "UNAVAILABLE" | "UNCONFIRMED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    postSosMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSosMessage"];
            };
        };
        responses: {
            /** @description It was sent. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosMessageSentData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             *     - `INVALID_JSON`: the body is not valid JSON
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "REQUEST_TIMEOUT";
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `SOS_CLOSED`: this SOS is over */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_CLOSED";
                        /** @enum {string} */
                        error: "SOS_CLOSED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "PAYLOAD_TOO_LARGE";
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNSUPPORTED_MEDIA_TYPE";
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `UNAVAILABLE`: not available at the moment, repeat it
             *     - `UNCONFIRMED`: not confirmed yet, repeat it
             *     - `UNAVAILABLE`: Temporarily unavailable, try again
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE" | "UNCONFIRMED";
                        /** @enum {string} */
                        error: "UNAVAILABLE" | "UNCONFIRMED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    getSosState: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The state. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosStateData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: not available at the moment, repeat it */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE";
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    setSosStatus: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SetSosStatus"];
            };
        };
        responses: {
            /** @description The status as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosStatusChangeData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             *     - `INVALID_JSON`: the body is not valid JSON
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID" | "INVALID_JSON";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "REQUEST_TIMEOUT";
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `INVALID_TRANSITION`: this status does not follow on the present one
             *     - `STATUS_CONFLICT`: the status has changed meanwhile
             *     - `SOS_CLOSED`: this SOS is over
             */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_TRANSITION" | "STATUS_CONFLICT" | "SOS_CLOSED";
                        /** @enum {string} */
                        error: "INVALID_TRANSITION" | "STATUS_CONFLICT" | "SOS_CLOSED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "PAYLOAD_TOO_LARGE";
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNSUPPORTED_MEDIA_TYPE";
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `UNAVAILABLE`: not available at the moment, repeat it
             *     - `UNCONFIRMED`: not confirmed yet, repeat it
             *     - `UNAVAILABLE`: Temporarily unavailable, try again
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE" | "UNCONFIRMED";
                        /** @enum {string} */
                        error: "UNAVAILABLE" | "UNCONFIRMED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    getSosTrack: {
        parameters: {
            query?: {
                /** @description Inclusive; ms since 1970. */
                from?: number;
                /** @description More than 10,000 count as 10,000. */
                limit?: number;
                /** @description Inclusive; ms since 1970. */
                to?: number;
                userId?: string;
            };
            header?: {
                /** @description `application/geo+json` asks for GeoJSON. */
                Accept?: string;
            };
            path: {
                /** @description The incident's id (`sosId`). */
                sos: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The fixes, ascending by the time at which the device was there. `next` is the `from` of the page that follows. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/geo+json": {
                        features: {
                            geometry: Record<string, never>;
                            properties: Record<string, never>;
                            /** @constant */
                            type: "Feature";
                        }[];
                        next: number | null;
                        /** @constant */
                        type: "FeatureCollection";
                    };
                    "application/json": components["schemas"]["SosTrackData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `INVALID_SOS_ID`: an SOS id must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH" | "INVALID_SOS_ID";
                        /** @enum {string} */
                        error: "INVALID_PATH" | "INVALID_SOS_ID";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `SOS_NOT_FOUND`: this SOS does not exist */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "SOS_NOT_FOUND";
                        /** @enum {string} */
                        error: "SOS not found";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: not available at the moment, repeat it */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE";
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    createSos: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSos"];
            };
        };
        responses: {
            /** @description It was there already. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosStateData"];
                };
            };
            /** @description It was made. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SosStateData"];
                };
            };
            /**
             * @description - `INVALID_JSON`: the body is not valid JSON
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_JSON";
                        /** @enum {string} */
                        error: "INVALID_JSON";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "REQUEST_TIMEOUT";
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "PAYLOAD_TOO_LARGE";
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNSUPPORTED_MEDIA_TYPE";
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `UNAVAILABLE`: not available at the moment, repeat it
             *     - `UNAVAILABLE`: Temporarily unavailable, try again
             *     - `UNCONFIRMED`: not confirmed yet, repeat it
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE" | "UNCONFIRMED";
                        /** @enum {string} */
                        error: "UNAVAILABLE" | "UNCONFIRMED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    getUserPresence: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The user's id. */
                user: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Where the user stands. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserPresenceData"];
                };
            };
            /**
             * @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded
             *     - `errors` has an entry for each field that does not fit
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_PATH";
                        /** @enum {string} */
                        error: "INVALID_PATH";
                        message: string;
                        /** @constant */
                        success: false;
                    } | {
                        errors: {
                            field: string;
                            message: string;
                        }[];
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMITED`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "RATE_LIMITED";
                        /** @enum {string} */
                        error: "RATE_LIMITED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `INTERNAL`: internal error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INTERNAL";
                        /** @enum {string} */
                        error: "INTERNAL";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: INTERNAL_AUTH_TOKEN is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: not available at the moment, repeat it */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE";
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    putInterviewSessionUser: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The user's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["InterviewSessionUserChange"];
            };
        };
        responses: {
            /** @description The user as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InterviewSessionUser"];
                };
            };
            /**
             * @description - the path is not valid UTF-8 once it is decoded
             *     - the body is not valid JSON
             *     - field is what it must not be
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `INVALID_TOKEN`: X-Internal-Token is missing or wrong */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_TOKEN";
                        message: string;
                    };
                };
            };
            /** @description - the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /** @description - `RATE_LIMIT`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "RATE_LIMIT";
                        message: string;
                    };
                };
            };
            /** @description - Internal server error */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - DATABASE_URL is not set
             *     - INTERNAL_AUTH_TOKEN is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
            /**
             * @description - Service temporarily unavailable
             *     - Temporarily unavailable, try again
             */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        message: string;
                    };
                };
            };
        };
    };
    receiveLiveKitWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/webhook+json": Record<string, never>;
            };
        };
        responses: {
            /** @description It was taken, or means nothing to the hub. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookTaken"];
                };
            };
            /** @description - `INVALID_JSON`: the body is not valid JSON */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_JSON";
                        /** @enum {string} */
                        error: "INVALID_JSON";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /**
             * @description - `INVALID_SIGNATURE`: the signature is missing or not of our key
             *     - `INVALID_SIGNATURE`: the signature is of our key, but its time is not ours: compare the clocks
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "INVALID_SIGNATURE";
                        /** @enum {string} */
                        error: "INVALID_SIGNATURE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `REQUEST_TIMEOUT`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "REQUEST_TIMEOUT";
                        /** @enum {string} */
                        error: "REQUEST_TIMEOUT";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `PAYLOAD_TOO_LARGE`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "PAYLOAD_TOO_LARGE";
                        /** @enum {string} */
                        error: "PAYLOAD_TOO_LARGE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNSUPPORTED_MEDIA_TYPE`: the body must be application/json */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNSUPPORTED_MEDIA_TYPE";
                        /** @enum {string} */
                        error: "UNSUPPORTED_MEDIA_TYPE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `NOT_CONFIGURED`: LIVEKIT_WS_URL is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "NOT_CONFIGURED";
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        code: "UNAVAILABLE";
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                        /** @constant */
                        success: false;
                    };
                };
            };
        };
    };
    getLivez: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alive"];
                };
            };
        };
    };
    getMedia: {
        parameters: {
            query: {
                /** @description Seconds since 1970. */
                exp: string;
                /** @description The hub's signature. */
                sig: string;
            };
            header?: {
                /** @description One range of bytes; several count as none. */
                Range?: string;
            };
            path: {
                /** @description Where the audio is. */
                key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The audio. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "audio/mpeg": string;
                    "audio/wav": string;
                    "audio/webm": string;
                };
            };
            /** @description The part of it that `Range` asks for. `Content-Range` says which. */
            206: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                    "audio/mpeg": string;
                    "audio/wav": string;
                    "audio/webm": string;
                };
            };
            /** @description - `INVALID_PATH`: the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "INVALID_PATH";
                        message: string;
                    };
                };
            };
            /** @description - `FORBIDDEN`: The address is not valid, or no longer */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "FORBIDDEN";
                        message: string;
                    };
                };
            };
            /** @description - `NOT_FOUND`: There is no such audio */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_FOUND";
                        message: string;
                    };
                };
            };
            /** @description It is shorter: `Content-Range` says how long it is. */
            416: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description - `NOT_CONFIGURED`: AUDIO_STORAGE_URL is not set */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "NOT_CONFIGURED";
                        message: string;
                    };
                };
            };
            /** @description - `UNAVAILABLE`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        error: "UNAVAILABLE";
                        message: string;
                    };
                };
            };
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        info: Record<string, never>;
                        openapi: string;
                        paths: Record<string, never>;
                    };
                };
            };
            /** @description The client has it already (`If-None-Match`). */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    getReady: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The node is ready. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description The node is not ready. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    getReadyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The node is ready. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description The node is not ready. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    listRealtimeSessions: {
        parameters: {
            query?: {
                /** @description The id of a session of this user: the list begins behind it. */
                after?: string;
                /** @description At most so many sessions; without it, all of them. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Sessions, the newest first. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
            /**
             * @description - `validation`: limit must be an integer from 1 to 100
             *     - `validation`: after must be the id of one of your sessions
             */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "validation";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "validation_error";
                        };
                    };
                };
            };
            /**
             * @description - `unauthorized`: Unauthorized
             *     - `unauthorized`: The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "unauthorized_error";
                        };
                    };
                };
            };
            /** @description - `rate_limited`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "rate_limited";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "rate_limited_error";
                        };
                    };
                };
            };
            /**
             * @description - `not_implemented`: JWKS_URL is not set
             *     - `not_implemented`: LIVEKIT_WS_URL is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_implemented";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "not_implemented_error";
                        };
                    };
                };
            };
            /** @description - `external`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "external";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "external_error";
                        };
                    };
                };
            };
        };
    };
    createRealtimeSession: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session, and what opens its room. */
            201: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedSession"];
                };
            };
            /**
             * @description - `unauthorized`: Unauthorized
             *     - `unauthorized`: The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "unauthorized_error";
                        };
                    };
                };
            };
            /** @description - `validation`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "validation";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "validation_error";
                        };
                    };
                };
            };
            /** @description - `validation`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "validation";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "validation_error";
                        };
                    };
                };
            };
            /**
             * @description - `rate_limited`: Too many requests, try again later
             *     - `rate_limited`: you have 100 sessions, as many as a user may have: delete one first
             */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "rate_limited";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "rate_limited_error";
                        };
                    };
                };
            };
            /**
             * @description - `not_implemented`: JWKS_URL is not set
             *     - `not_implemented`: LIVEKIT_WS_URL is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_implemented";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "not_implemented_error";
                        };
                    };
                };
            };
            /** @description - `external`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "external";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "external_error";
                        };
                    };
                };
            };
        };
    };
    getRealtimeSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RealtimeSession"];
                };
            };
            /** @description - `validation`: the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "validation";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "validation_error";
                        };
                    };
                };
            };
            /**
             * @description - `unauthorized`: Unauthorized
             *     - `unauthorized`: The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "unauthorized_error";
                        };
                    };
                };
            };
            /** @description - `not_found`: there is no such session */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_found";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "not_found_error";
                        };
                    };
                };
            };
            /** @description - `rate_limited`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "rate_limited";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "rate_limited_error";
                        };
                    };
                };
            };
            /**
             * @description - `not_implemented`: JWKS_URL is not set
             *     - `not_implemented`: LIVEKIT_WS_URL is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_implemented";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "not_implemented_error";
                        };
                    };
                };
            };
            /** @description - `external`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "external";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "external_error";
                        };
                    };
                };
            };
        };
    };
    deleteRealtimeSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The session's id. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is deleted. */
            200: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeletedSession"];
                };
            };
            /** @description - `validation`: the path is not valid UTF-8 once it is decoded */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "validation";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "validation_error";
                        };
                    };
                };
            };
            /**
             * @description - `unauthorized`: Unauthorized
             *     - `unauthorized`: The token is longer than 16384 bytes
             */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "unauthorized";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "unauthorized_error";
                        };
                    };
                };
            };
            /** @description - `not_found`: there is no such session */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_found";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "not_found_error";
                        };
                    };
                };
            };
            /** @description - `validation`: the body did not arrive in time */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "validation";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "validation_error";
                        };
                    };
                };
            };
            /** @description - `validation`: the body is larger than 102400 bytes */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "validation";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "validation_error";
                        };
                    };
                };
            };
            /** @description - `rate_limited`: Too many requests, try again later */
            429: {
                headers: {
                    /** @description Requests that the caller may have at once. */
                    "ratelimit-limit"?: number;
                    /** @description Requests that are left. */
                    "ratelimit-remaining"?: number;
                    /** @description Seconds until all of them are free again. */
                    "ratelimit-reset"?: number;
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "rate_limited";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "rate_limited_error";
                        };
                    };
                };
            };
            /**
             * @description - `not_implemented`: JWKS_URL is not set
             *     - `not_implemented`: LIVEKIT_WS_URL is not set
             */
            501: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "not_implemented";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "not_implemented_error";
                        };
                    };
                };
            };
            /** @description - `external`: Temporarily unavailable, try again */
            503: {
                headers: {
                    /** @description Seconds after which the same request may succeed. */
                    "retry-after"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        error: {
                            /** @enum {string} */
                            code: "external";
                            message: string;
                            request_id: string;
                            /** @enum {string} */
                            type: "external_error";
                        };
                    };
                };
            };
        };
    };
}
