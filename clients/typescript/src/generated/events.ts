/**
 * Made from /asyncapi.json of a hub by scripts/generate.mjs. Not to be edited.
 */

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description `audio-chunk` */
        AudioChunk: {
            /** @description PCM, signed, 16 bits little-endian, 16 kHz, mono, up to 1000 ms; with or without a WAV header; as base64 or binary. */
            audioData: string | (ArrayBuffer | ArrayBufferView | Blob);
            /** @description A repeat with the same one has no effect. */
            clientMessageId?: string | null;
        };
        /** @description `editor:update` */
        CallEdit: {
            clientMessageId?: string | null;
            /**
             * Format: uuid
             * @description May be left out by a candidate, and by who is in one call only.
             */
            interviewId?: string | null;
            /** @description The whole document. */
            update: string;
            /** @description The version that is kept and one more. */
            version: number;
        };
        /** @description What a client asks for, beside the fields of the feature's own: the schema of [`HistoryQuery`]. */
        CallHistory: {
            /** @description A `messageId`: messages before this one. */
            before?: string | null;
            clientMessageId?: string | null;
            /**
             * Format: uuid
             * @description May be left out by a candidate, and by who is in one call only.
             */
            interviewId?: string | null;
            /**
             * @description More than 100 counts as 100.
             * @default 50
             */
            limit?: number | null;
        };
        /** @description One socket in a call. */
        CallMember: {
            identity: string;
            role: components["schemas"]["CallRole"];
            socketId: string;
        };
        /** @description `call:ready` */
        CallReady: {
            interviewId: string;
        };
        /**
         * @description What someone is in the call of an interview.
         * @enum {string}
         */
        CallRole: "candidate" | "recruiter" | "interviewer" | "observer" | "admin";
        /** @description `chat:message` */
        CallSay: {
            clientMessageId?: string | null;
            /**
             * Format: uuid
             * @description May be left out by a candidate, and by who is in one call only.
             */
            interviewId?: string | null;
            text: string;
        };
        /** @description `screen:share` */
        CallShare: {
            active: boolean;
            clientMessageId?: string | null;
            /**
             * Format: uuid
             * @description May be left out by a candidate, and by who is in one call only.
             */
            interviewId?: string | null;
        };
        /** @description What a sender writes, beside the fields of the feature's own: the schema of [`Signal`]. */
        CallSignal: {
            clientMessageId?: string | null;
            /**
             * Format: uuid
             * @description May be left out by a candidate, and by who is in one call only.
             */
            interviewId?: string | null;
            /** @description Anything, binary data included; it goes on as it came. Up to `MAX_RELAY_BYTES`. */
            payload: unknown;
            /** @description A socket or a user among the members; without it all members but the sender get it. */
            to?: string | null;
        };
        /** @description `offer`, `answer`, `iceCandidate`, `signal` */
        CallSignalled: {
            /** @description As it was sent, binary data included. */
            payload: unknown;
            /** @description The sender's. */
            socketId: string;
        };
        /** @description `candidate-joined` */
        CandidateJoined: {
            candidateName: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `chat:message`, and a message in the acknowledgement of `chat:history`. */
        ChatMessage: {
            clientMessageId: string | null;
            identity: string;
            interviewId: string;
            messageId: string;
            role: components["schemas"]["CallRole"];
            socketId: string | null;
            text: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `chat:message` */
        ChatMessageAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            messageId: string;
            /** @constant */
            ok: true;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description The page that [`History::page`] writes, beside `ok`, with messages of the feature's own. */
        ChatMessagesAck: {
            /** @description Ascending. */
            messages: components["schemas"]["ChatMessage"][];
            /** @description Pass it as `before` for the page before this one; null at the beginning. */
            nextBefore: string | null;
            /** @constant */
            ok: true;
        };
        /** @description `connected`. Both are null for a socket without a token. */
        Connected: {
            message: string;
            /** Format: date-time */
            timestamp: string;
            userId: string | null;
            userType: components["schemas"]["UserType"] | null;
        };
        /** @description `editor:update` */
        EditorUpdate: {
            /** @description Of the socket that wrote this version. */
            socketId: string;
            /** @description The whole document. */
            update: string;
            version: number;
        };
        /** @description `editor:update` */
        EditorUpdateAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
            version: number;
        };
        /**
         * @description A code of Incidents.
         * @enum {string}
         */
        IncidentsCode: "FORBIDDEN" | "INTERNAL" | "INVALID_LOCATION" | "INVALID_MESSAGE" | "INVALID_PAYLOAD" | "INVALID_SOS_ID" | "INVALID_STATUS" | "INVALID_TOKEN" | "INVALID_TRANSITION" | "MISSING_TOKEN" | "NOT_CONFIGURED" | "RATE_LIMITED" | "SOS_CLOSED" | "SOS_NOT_FOUND" | "TOKEN_EXPIRED" | "UNAVAILABLE" | "UNCONFIRMED";
        IncidentsHears: {
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            answer: components["schemas"]["SosSignalled"];
            /** @description The token ends soon: send a new one with `auth:refresh`. */
            "auth:expiring": components["schemas"]["TokenExpiring"];
            /** @description The answer to `heartbeat`. */
            "heartbeat:ack": components["schemas"]["SosHeartbeat"];
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            iceCandidate: components["schemas"]["SosSignalled"];
            /** @description Where a participant is. */
            "location:broadcast": components["schemas"]["SosLocation"];
            /** @description A message. */
            "message:broadcast": components["schemas"]["SosMessage"];
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            offer: components["schemas"]["SosSignalled"];
            /** @description The answer to `ping`. */
            pong: components["schemas"]["SosPong"];
            /** @description Who is there has changed. Up to 50 users it carries all `members`, above only the changes. */
            "presence:update": components["schemas"]["SosPresence"];
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            signal: components["schemas"]["SosSignalled"];
            /** @description Somebody has seen it. */
            "sos:acknowledged": components["schemas"]["SosAcknowledged"];
            /** @description The SOS is over, and its room is empty from now on. */
            "sos:close": components["schemas"]["SosClosed"];
            /** @description There is a new SOS. */
            "sos:created": components["schemas"]["SosState"];
            /** @description The SOS is over because nothing was written to it for a day. It comes after `sos:close`. */
            "sos:expired": components["schemas"]["SosExpired"];
            /** @description A user has joined, with one more socket. Not sent in rooms of more than 50 users. */
            "sos:init": components["schemas"]["SosUserJoined"];
            /** @description The whole state: after `sos:init`, after a CONNECT whose token names an SOS, and whenever parts of it may be unknown. */
            "sos:state": components["schemas"]["SosState"];
            /** @description The status has changed, or a rescuer's own entry. */
            "sos:status:broadcast": components["schemas"]["SosStatusChanged"];
            /** @description Nobody has acknowledged it within `SOS_ACK_SECONDS`. */
            "sos:unacknowledged": components["schemas"]["SosUnacknowledged"];
        };
        IncidentsSays: {
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            answer: {
                ack: components["schemas"]["SosSignalAck"];
                payload: components["schemas"]["SosSignal"];
            };
            /** @description Renews the token in place, of the same user: its rights replace the old ones at once, rooms included. A token that is not accepted changes nothing. */
            "auth:refresh": {
                ack: components["schemas"]["TokenRefreshAck"];
                payload: components["schemas"]["TokenRefresh"];
            };
            /** @description Answered with `heartbeat:ack`. The user counts as seen now. */
            heartbeat: {
                ack: components["schemas"]["SosHeartbeatAck"];
                /** @description An empty object; it may be left out. */
                payload: Record<string, never>;
            };
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            iceCandidate: {
                ack: components["schemas"]["SosSignalAck"];
                payload: components["schemas"]["SosSignal"];
            };
            /** @description Positions of a time without a connection, each with its `timestamp` and judged alone; also shortly after the end. */
            "location:batch": {
                ack: components["schemas"]["SosLocationBatchAck"];
                payload: components["schemas"]["SosLocationBatch"];
            };
            /** @description A position. It is kept at once; the room gets at most one a second of each user, the newest. */
            "location:update": {
                ack: components["schemas"]["SosLocationUpdateAck"];
                payload: components["schemas"]["SosLocationUpdate"];
            };
            /** @description Messages of the room, page by page, from the newest backwards. A page ends early before 256 KiB. */
            "message:history": {
                ack: components["schemas"]["SosMessagesAck"];
                payload: components["schemas"]["SosHistory"];
            };
            /** @description A message to the room, sender included. */
            "message:send": {
                ack: components["schemas"]["SosSendMessageAck"];
                payload: components["schemas"]["SosSendMessage"];
            };
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            offer: {
                ack: components["schemas"]["SosSignalAck"];
                payload: components["schemas"]["SosSignal"];
            };
            /** @description Answered with `pong`, which repeats the fields of this payload. */
            ping: {
                ack: components["schemas"]["PlainAck"];
                payload: {
                    [key: string]: unknown;
                };
            };
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            signal: {
                ack: components["schemas"]["SosSignalAck"];
                payload: components["schemas"]["SosSignal"];
            };
            /** @description Somebody has seen it. The first one is kept in the state; later ones answer `unchanged`. */
            "sos:ack": {
                ack: components["schemas"]["SosAcknowledgeAck"];
                payload: components["schemas"]["SosReference"];
            };
            /** @description Ends an SOS. Of the citizens only its own may do it. A repeat answers `unchanged`. */
            "sos:close": {
                ack: components["schemas"]["SosCloseAck"];
                payload: components["schemas"]["SosClose"];
            };
            /** @description Joins an SOS. Its state comes as `sos:state` and in the acknowledgement; what happens from then on follows. An SOS that is over answers with its state, and is not joined. A connection in too many of them, and one too many of its user in one, is refused with `RATE_LIMITED`. */
            "sos:init": {
                ack: components["schemas"]["SosInitAck"];
                payload: components["schemas"]["SosReference"];
            };
            /** @description Leaves the room of an SOS, and nothing else. A user who is removed from an SOS gets `error` `FORBIDDEN` of this event. */
            "sos:leave": {
                ack: components["schemas"]["SosLeaveAck"];
                payload: components["schemas"]["SosReference"];
            };
            /** @description Sets the status. A rescuer moves its own entry in `responders`, and sets no final status; a citizen only cancels its own SOS. Citizens and rescuers are bound to the table of transitions. */
            "sos:status:update": {
                ack: components["schemas"]["SosStatusUpdateAck"];
                payload: components["schemas"]["SosStatusUpdate"];
            };
            /** @description Ends `sos:watch`. */
            "sos:unwatch": {
                ack: components["schemas"]["PlainAck"];
                /** @description An empty object; it may be left out. */
                payload: Record<string, never>;
            };
            /** @description From now on `sos:created`, `sos:status:broadcast`, `sos:close` and `sos:unacknowledged` of every SOS come. */
            "sos:watch": {
                ack: components["schemas"]["SosWatchAck"];
                /** @description An empty object; it may be left out. */
                payload: Record<string, never>;
            };
        };
        /** @description `interview-interrupted`, `stt-unavailable` and `storage-unavailable`: why. */
        Interrupted: {
            reason: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `interview-complete` */
        InterviewComplete: {
            interviewId: string;
            message: string;
            sessionId: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `interview-complete` */
        InterviewCompleteAck: {
            interviewId: string;
            message: string;
            /** @constant */
            ok: true;
            sessionId: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `interview-completed` */
        InterviewCompleted: {
            summary: components["schemas"]["Summary"];
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `heartbeat-ack`. In milliseconds, unlike every other time here. */
        InterviewHeartbeat: {
            timestamp: number;
        };
        /** @description `heartbeat-ack`. In milliseconds, unlike every other time here. */
        InterviewHeartbeatAck: {
            /** @constant */
            ok: true;
            timestamp: number;
        };
        /** @description `interview-ready` */
        InterviewReady: {
            /** @description Minutes. */
            estimatedDuration: number;
            sessionId: string;
            /** @constant */
            status: "ONGOING";
            template: components["schemas"]["TemplateTold"];
        };
        /** @description `interview-ready` */
        InterviewReadyAck: {
            /** @description Minutes. */
            estimatedDuration: number;
            /** @constant */
            ok: true;
            sessionId: string;
            /** @constant */
            status: "ONGOING";
            template: components["schemas"]["TemplateTold"];
        };
        /**
         * @description A code of Interviews.
         * @enum {string}
         */
        InterviewsCode: "FORBIDDEN" | "INTERNAL" | "INTERVIEW_NOT_FOUND" | "INTERVIEW_UNAVAILABLE" | "INVALID_AUDIO" | "INVALID_PAYLOAD" | "INVALID_TOKEN" | "INVITE_EXPIRED" | "INVITE_REVOKED" | "INVITE_USED" | "MISSING_TOKEN" | "NOT_CONFIGURED" | "NOT_IN_ROOM" | "NO_ACTIVE_SESSION" | "RATE_LIMITED" | "SESSION_NOT_FOUND" | "SUPERSEDED" | "TOKEN_EXPIRED" | "UNAVAILABLE" | "UNCONFIRMED" | "VERSION_CONFLICT";
        InterviewsHears: {
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            answer: components["schemas"]["CallSignalled"];
            /** @description The token ends soon: send a new one with `auth:refresh`. */
            "auth:expiring": components["schemas"]["TokenExpiring"];
            /** @description A candidate and an interviewer are there: each time the pair becomes complete. */
            "call:ready": components["schemas"]["CallReady"];
            /** @description The candidate has joined, or joined again. */
            "candidate-joined": components["schemas"]["CandidateJoined"];
            /** @description A message. */
            "chat:message": components["schemas"]["ChatMessage"];
            /** @description After a CONNECT; not again after a recovery. */
            connected: components["schemas"]["Connected"];
            /** @description The document has changed. */
            "editor:update": components["schemas"]["EditorUpdate"];
            /** @description The answer to `heartbeat`. */
            "heartbeat-ack": components["schemas"]["InterviewHeartbeat"];
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            iceCandidate: components["schemas"]["CallSignalled"];
            /** @description All questions are answered. */
            "interview-complete": components["schemas"]["InterviewComplete"];
            /** @description The whole interview was evaluated, or it was not. */
            "interview-completed": components["schemas"]["InterviewCompleted"];
            /** @description The candidate is gone (`disconnect`, `heartbeat`, `node-lost`), or the session has ended (`expired`, `cancelled`). */
            "interview-interrupted": components["schemas"]["Interrupted"];
            /** @description The answer to `join-interview`. */
            "interview-ready": components["schemas"]["InterviewReady"];
            /** @description The first question was asked. */
            "interview-started": components["schemas"]["InterviewStarted"];
            /** @description What is understood of the answer. It is logged once `isFinal`, and volatile before. */
            "live-transcript": components["schemas"]["LiveTranscript"];
            /** @description The answer to `observe-interview`: what has happened so far. */
            "observation-started": components["schemas"]["ObservationStarted"];
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            offer: components["schemas"]["CallSignalled"];
            /** @description Who is in the call: all of them, those who came first in front. */
            "presence:update": components["schemas"]["CallMember"][];
            /** @description Something grave was noticed. */
            "proctor-alert": components["schemas"]["ProctorAlert"];
            /** @description An answer was evaluated. */
            "progress-update": components["schemas"]["ProgressUpdate"];
            /** @description A question. */
            question: components["schemas"]["Question"];
            /** @description A question was asked that is not the first. */
            "question-asked": components["schemas"]["QuestionAsked"];
            /** @description Somebody shows a screen, or no longer. */
            "screen:share": components["schemas"]["ScreenShare"];
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            signal: components["schemas"]["CallSignalled"];
            /** @description Audio cannot be stored for now. */
            "storage-unavailable": components["schemas"]["Interrupted"];
            /** @description Speech is understood again. */
            "stt-available": components["schemas"]["SttAvailable"];
            /** @description Speech is not understood for now. Audio is kept all the same. */
            "stt-unavailable": components["schemas"]["Interrupted"];
            /** @description What is understood of the answer. It is logged once `isFinal`, and volatile before. */
            transcription: components["schemas"]["Transcription"];
            /** @description The trust in the candidate has changed. */
            "trust-score-update": components["schemas"]["TrustScoreUpdate"];
        };
        InterviewsSays: {
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            answer: {
                ack: components["schemas"]["RepeatedAck"];
                payload: components["schemas"]["CallSignal"];
            };
            /** @description A piece of the answer's audio. It is kept when it is acknowledged. */
            "audio-chunk": {
                ack: components["schemas"]["RepeatedAck"];
                payload: components["schemas"]["AudioChunk"];
            };
            /** @description Renews the token in place, of the same user: its rights replace the old ones at once. A candidate's token has no end; from then on the socket counts as one that came by this token, and stays when the invite by which it came is revoked. */
            "auth:refresh": {
                ack: components["schemas"]["TokenRefreshAck"];
                payload: components["schemas"]["TokenRefresh"];
            };
            /** @description Messages of the call, page by page, from the newest backwards. */
            "chat:history": {
                ack: components["schemas"]["ChatMessagesAck"];
                payload: components["schemas"]["CallHistory"];
            };
            /** @description A message to all in the call, the sender included. */
            "chat:message": {
                ack: components["schemas"]["ChatMessageAck"];
                payload: components["schemas"]["CallSay"];
            };
            /** @description The whole document in its next version. If another one is kept, the acknowledgement has it. */
            "editor:update": {
                ack: components["schemas"]["EditorUpdateAck"];
                payload: components["schemas"]["CallEdit"];
            };
            /** @description Answered with `heartbeat-ack`. A candidate that has sent one is gone when none comes for 90 s. */
            heartbeat: {
                ack: components["schemas"]["InterviewHeartbeatAck"];
                /** @description An empty object; it may be left out. */
                payload: Record<string, never>;
            };
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            iceCandidate: {
                ack: components["schemas"]["RepeatedAck"];
                payload: components["schemas"]["CallSignal"];
            };
            /** @description The candidate is there: `interview-ready`, and the present `question` if one is open. An earlier socket of the candidate gets `error` `SUPERSEDED` and is disconnected. */
            "join-interview": {
                ack: components["schemas"]["InterviewReadyAck"];
                payload: components["schemas"]["JoinInterview"];
            };
            /** @description Joins the call. The document and the screens that are shown follow. A call that is full is refused with `RATE_LIMITED`. */
            joinRoom: {
                ack: components["schemas"]["JoinRoomAck"];
                payload: components["schemas"]["JoinRoom"];
            };
            /** @description Leaves the call, and nothing else. */
            leaveRoom: {
                ack: components["schemas"]["LeaveRoomAck"];
                payload: components["schemas"]["LeaveRoom"];
            };
            /** @description Observes an interview: `observation-started` tells what has happened, and what happens from then on follows. */
            "observe-interview": {
                ack: components["schemas"]["ObservationStartedAck"];
                payload: components["schemas"]["ObserveInterview"];
            };
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            offer: {
                ack: components["schemas"]["RepeatedAck"];
                payload: components["schemas"]["CallSignal"];
            };
            /** @description What the page has noticed of the candidate's surroundings: at most 5 a second. */
            "proctor-event": {
                ack: components["schemas"]["RepeatedAck"];
                payload: components["schemas"]["ProctorEvent"];
            };
            /** @description The answer is complete. It is acknowledged with what follows, the next question or the end; a repeat at once. */
            "response-complete": {
                ack: components["schemas"]["QuestionAck"] | components["schemas"]["InterviewCompleteAck"] | components["schemas"]["RepeatedAck"];
                payload: components["schemas"]["ResponseComplete"];
            };
            /** @description The sender begins or ends to show its screen. */
            "screen:share": {
                ack: components["schemas"]["ScreenShareAck"];
                payload: components["schemas"]["CallShare"];
            };
            /** @description Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not read it. */
            signal: {
                ack: components["schemas"]["RepeatedAck"];
                payload: components["schemas"]["CallSignal"];
            };
            /** @description Asks the first question, or the present one again. */
            "start-interview": {
                ack: components["schemas"]["QuestionAck"];
                payload: components["schemas"]["StartInterview"];
            };
        };
        /** @description `interview-started` */
        InterviewStarted: {
            /** @description Its text. */
            firstQuestion: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `join-interview` */
        JoinInterview: {
            /** Format: uuid */
            interviewId: string;
        };
        /** @description `joinRoom` */
        JoinRoom: {
            /** @description Without one: the token's user. Required of a socket without a token. */
            identity?: string | null;
            /**
             * Format: uuid
             * @description May be left out by a candidate.
             */
            interviewId?: string | null;
            /** @description Without one: the token's. Required of a socket without a token. */
            role?: components["schemas"]["CallRole"] | null;
        };
        /** @description `joinRoom` */
        JoinRoomAck: {
            identity: string;
            interviewId: string;
            /** @constant */
            ok: true;
            role: components["schemas"]["CallRole"];
            socketId: string;
        };
        /** @description `leaveRoom` */
        LeaveRoom: {
            /**
             * Format: uuid
             * @description Without one: all calls.
             */
            interviewId?: string | null;
        };
        /** @description `leaveRoom` */
        LeaveRoomAck: {
            /** @constant */
            ok: true;
            /** @description True: it was in no such call. */
            unchanged?: boolean;
        };
        /** @description `live-transcript` */
        LiveTranscript: {
            isFinal: boolean;
            text: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `location:update`, a point of `location:batch`, and the `location` of a new SOS. */
        LocationUpdate: {
            accuracy?: number | null;
            /** @description A text, or an object of texts. */
            address?: components["schemas"]["SosAddress"] | null;
            altitude?: number | null;
            deviceId?: string | null;
            /** @description `-1`: not known, like none. */
            heading?: number | null;
            latitude: number;
            longitude: number;
            /** @description `-1`: not known, like none. */
            speed?: number | null;
            /** @description Fix time: read as milliseconds, seconds (below 10¹¹) or ISO 8601. */
            timestamp?: components["schemas"]["SosTime"] | null;
        };
        /** @description `observation-started` */
        ObservationStarted: {
            /** @description What has happened, from the start or after what the observer knows. */
            events: components["schemas"]["PastEvent"][];
            interview: components["schemas"]["ObservedInterview"];
            /** @description The session is active. */
            isLive: boolean;
            /** @description There are more: pass it as `after` to read on. */
            nextAfter: string | null;
            /** @description Null: the candidate has not joined yet. */
            session: components["schemas"]["ObservedSession"] | null;
        };
        /** @description `observation-started` */
        ObservationStartedAck: {
            /** @description What has happened, from the start or after what the observer knows. */
            events: components["schemas"]["PastEvent"][];
            interview: components["schemas"]["ObservedInterview"];
            /** @description The session is active. */
            isLive: boolean;
            /** @description There are more: pass it as `after` to read on. */
            nextAfter: string | null;
            /** @constant */
            ok: true;
            /** @description Null: the candidate has not joined yet. */
            session: components["schemas"]["ObservedSession"] | null;
        };
        ObservedInterview: {
            /** @description Not for the role `observer`. */
            candidateEmail?: string;
            candidateName: string;
            id: string;
            /** @enum {string} */
            status: "SCHEDULED" | "ONGOING" | "COMPLETED" | "EXPIRED" | "CANCELLED";
        };
        ObservedSession: {
            id: string;
            isActive: boolean;
            progress: components["schemas"]["Progress"] | null;
            trustScore: number;
        };
        /** @description `observe-interview` */
        ObserveInterview: {
            /**
             * @description The id of the last event that is known already.
             * @default null
             */
            after?: string | null;
            /** Format: uuid */
            interviewId: string;
        };
        /** @description An event as it was sent to observers. */
        PastEvent: {
            data: unknown;
            event: string;
            /** @description For `after` of `observe-interview`. */
            id: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description No more than `ok`. */
        PlainAck: {
            /** @constant */
            ok: true;
        };
        /** @description `proctor-alert` */
        ProctorAlert: {
            message: string;
            severity: components["schemas"]["Severity"];
            /** Format: date-time */
            timestamp: string;
            type: string;
        };
        /** @description `proctor-event` */
        ProctorEvent: {
            /**
             * @description A repeat with the same one has no effect.
             * @default null
             */
            clientMessageId?: string | null;
            /** @default null */
            data?: unknown;
            /** @default null */
            message?: string | null;
            severity: components["schemas"]["Severity"];
            /** @description `face-detection`, `tab-switch`, `fullscreen-exit` and `suspicious-activity` deduct trust; any other is kept. */
            type: string;
        };
        /** @description How far an interview has come. All counts begin with 1. */
        Progress: {
            currentAssessment: number;
            /** @description Over all assessments. */
            currentQuestion: number;
            totalAssessments: number;
            totalQuestions: number;
        };
        /** @description `progress-update`. Score and evaluation are null for an answer that was not evaluated. */
        ProgressUpdate: {
            evaluation: string | null;
            progress: components["schemas"]["Progress"];
            /** @description From 0 to 100. */
            score: number | null;
            /** Format: date-time */
            timestamp: string;
        };
        /** @description `question` */
        Question: {
            /** @description Empty: there is no audio of it. */
            audioUrl: string;
            /** @description From 1, over all assessments. */
            order: number;
            questionId: string;
            text: string;
            type: string;
        };
        /** @description `question` */
        QuestionAck: {
            /** @description Empty: there is no audio of it. */
            audioUrl: string;
            /** @constant */
            ok: true;
            /** @description From 1, over all assessments. */
            order: number;
            questionId: string;
            text: string;
            type: string;
        };
        /** @description `question-asked` */
        QuestionAsked: {
            questionId: string;
            text: string;
            /** Format: date-time */
            timestamp: string;
        };
        /** @enum {string} */
        Recommendation: "strong_hire" | "hire" | "no_hire";
        /** @description What a repeat is acknowledged with, beside `ok`. */
        RepeatedAck: {
            /** @description True: it repeats an earlier event. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
        };
        /** @description `response-complete` */
        ResponseComplete: {
            /**
             * @description Where the client has stored the answer's audio.
             * @default null
             */
            audioUrl?: string | null;
            /** @description A repeat with the same one has no effect. */
            clientMessageId?: string | null;
            /**
             * @description Without it the question that was sent last is answered.
             * @default null
             */
            questionId?: string | null;
            /**
             * @description What the client has understood; it is scored unless it is empty.
             * @default null
             */
            transcription?: string | null;
        };
        /** @description `screen:share` */
        ScreenShare: {
            active: boolean;
            identity: string;
            socketId: string;
        };
        /** @description `screen:share` */
        ScreenShareAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
            /** @description True: nothing has changed, and nobody was told. */
            unchanged?: boolean;
        };
        /**
         * @description How grave what was noticed is.
         * @enum {string}
         */
        Severity: "low" | "medium" | "high" | "critical";
        /** @description `sos:ack` */
        SosAcknowledgeAck: {
            acknowledgedAt: number;
            /** @description Who was first. */
            acknowledgedBy: string;
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
            /** @description True: nothing has changed, and nobody was told. */
            unchanged?: boolean;
        };
        /** @description `sos:acknowledged` */
        SosAcknowledged: {
            role: components["schemas"]["SosRole"] | null;
            sosId: string;
            timestamp: number;
            userId: string | null;
        };
        /** @description A text, or an object whose fields are texts or null, such as `{city, barangay}`. */
        SosAddress: string | {
            [key: string]: string | null;
        };
        /** @description `sos:close` */
        SosClose: {
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            reason?: string | null;
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
        };
        /** @description `sos:close` */
        SosCloseAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
            status: components["schemas"]["SosStatus"];
            /** @description True: nothing has changed, and nobody was told. */
            unchanged?: boolean;
        };
        /** @description `sos:close` */
        SosClosed: {
            closedBy: string | null;
            reason: string | null;
            sosId: string;
            status: components["schemas"]["SosStatus"];
            timestamp: number;
        };
        /** @description `sos:expired` */
        SosExpired: {
            sosId: string;
            timestamp: number;
        };
        /** @description `heartbeat:ack` */
        SosHeartbeat: {
            timestamp: number;
        };
        /** @description `heartbeat:ack` */
        SosHeartbeatAck: {
            /** @constant */
            ok: true;
            timestamp: number;
        };
        /** @description What a client asks for, beside the fields of the feature's own: the schema of [`HistoryQuery`]. */
        SosHistory: {
            /** @description A `messageId`: messages before this one. */
            before?: string | null;
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            /**
             * @description More than 100 counts as 100.
             * @default 50
             */
            limit?: number | null;
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
        };
        /** @description `sos:init` */
        SosInitAck: {
            data: components["schemas"]["SosState"];
            /** @constant */
            ok: true;
        };
        /** @description The last known location of a participant. */
        SosLastLocation: {
            accuracy: number | null;
            /** @description How long ago the device was there. */
            ageMs: number;
            altitude: number | null;
            deviceId: string | null;
            /** @description When the device was there. */
            fixTime: number;
            heading: number | null;
            latitude: number;
            longitude: number;
            role: components["schemas"]["SosRole"];
            sosId: string;
            speed: number | null;
            /** @description When it was broadcast. */
            timestamp: number;
            userId: string;
        };
        /** @description `sos:leave` */
        SosLeaveAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
            /** @description True: nothing has changed, and nobody was told. */
            unchanged?: boolean;
        };
        /** @description `location:broadcast` */
        SosLocation: {
            accuracy: number | null;
            altitude: number | null;
            deviceId: string | null;
            /** @description When the device was there. */
            fixTime: number;
            heading: number | null;
            latitude: number;
            longitude: number;
            role: components["schemas"]["SosRole"];
            sosId: string;
            speed: number | null;
            /** @description When it was broadcast. */
            timestamp: number;
            userId: string;
        };
        /** @description `location:batch` */
        SosLocationBatch: {
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            /** @description Each a [`LocationUpdate`] with a `timestamp`; each is judged alone. */
            points: components["schemas"]["LocationUpdate"][];
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
        };
        /** @description `location:batch` */
        SosLocationBatchAck: {
            /** @description Points that were new. */
            accepted: number;
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @description Points that were known already. */
            duplicates: number;
            /** @constant */
            ok: true;
            rejected: components["schemas"]["SosRejectedPoint"][];
        };
        /** @description `location:update`, a point of `location:batch`, and the `location` of a new SOS. */
        SosLocationUpdate: {
            accuracy?: number | null;
            /** @description A text, or an object of texts. */
            address?: components["schemas"]["SosAddress"] | null;
            altitude?: number | null;
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            deviceId?: string | null;
            /** @description `-1`: not known, like none. */
            heading?: number | null;
            latitude: number;
            longitude: number;
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
            /** @description `-1`: not known, like none. */
            speed?: number | null;
            /** @description Fix time: read as milliseconds, seconds (below 10¹¹) or ISO 8601. */
            timestamp?: components["schemas"]["SosTime"] | null;
        };
        /** @description `location:update` */
        SosLocationUpdateAck: {
            /** @description True: kept; the room gets it when the present second ends, unless a newer one comes before. */
            coalesced?: boolean;
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
            /** @description True: kept, and not shown, since a newer one of the same device is known. */
            old?: boolean;
        };
        /** @description A user in the room, or one whose connection was lost. */
        SosMember: {
            lastSeen: number;
            online: boolean;
            role: components["schemas"]["SosRole"];
            /** @description Connections. */
            sockets: number;
            userId: string;
        };
        /** @description `message:broadcast`, and a message in the ack of `message:history`. */
        SosMessage: {
            clientMessageId: string | null;
            messageId: string;
            /** @enum {string} */
            role: "citizen" | "rescuer" | "dispatcher" | "admin" | "system";
            sosId: string;
            text: string;
            /** @description ms since 1970. */
            timestamp: number;
            userId: string | null;
        };
        /** @description The page that [`History::page`] writes, beside `ok`, with messages of the feature's own. */
        SosMessagesAck: {
            /** @description Ascending. */
            messages: components["schemas"]["SosMessage"][];
            /** @description Pass it as `before` for the page before this one; null at the beginning. */
            nextBefore: string | null;
            /** @constant */
            ok: true;
        };
        /** @description `pong`: the payload of `ping`, and when it was answered. */
        SosPong: {
            respondedAt: number;
        } & {
            [key: string]: unknown;
        };
        /** @description `presence:update`: all `members`, or in a large room those who `joined` (or changed) and `left`. */
        SosPresence: {
            /** @description Users. */
            count: number;
            joined?: components["schemas"]["SosMember"][];
            left?: string[];
            members?: components["schemas"]["SosMember"][];
            sosId: string;
        };
        /** @description Nothing beside the SOS that is meant. */
        SosReference: {
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
        };
        /** @description A point of a batch that was not taken. */
        SosRejectedPoint: {
            /** @constant */
            code: "INVALID_LOCATION";
            /** @description Its place in `points`, from 0. */
            index: number;
        };
        /** @description A rescuer's own entry. */
        SosResponder: {
            acknowledgedAt: number | null;
            arrivedAt: number | null;
            assignedAt: number | null;
            status: components["schemas"]["SosStatus"];
            userId: string;
        };
        /**
         * @description What a person is to an incident.
         * @enum {string}
         */
        SosRole: "citizen" | "rescuer" | "dispatcher" | "admin";
        /** @description `message:send` */
        SosSendMessage: {
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
            text: string;
        };
        /** @description `message:send` */
        SosSendMessageAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            messageId: string;
            /** @constant */
            ok: true;
            timestamp: number;
        };
        /** @description What a sender writes, beside the fields of the feature's own: the schema of [`Signal`]. */
        SosSignal: {
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            /** @description Anything, binary data included; it goes on as it came. Up to `MAX_RELAY_BYTES`. */
            payload: unknown;
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
            /** @description A socket or a user among the members; without it all members but the sender get it. */
            to?: string | null;
        };
        /** @description `offer`, `answer`, `iceCandidate`, `signal` */
        SosSignalAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
        };
        /** @description `offer`, `answer`, `iceCandidate`, `signal` */
        SosSignalled: {
            /** @description As it was sent, binary data included. */
            payload: unknown;
            /** @description The sender's socket. */
            socketId: string;
            userId: string;
        };
        /** @description The state of an SOS: `sos:state`, `sos:created`, the ack of `sos:init`, `data` of `GET …/state`. */
        SosState: {
            acknowledgedAt: number | null;
            acknowledgedBy: string | null;
            address: components["schemas"]["SosAddress"] | null;
            citizenId: string | null;
            closedAt: number | null;
            closedBy: string | null;
            createdAt: number;
            lastLocationUpdate: number | null;
            /** @description The last known one of each participant. */
            locations: components["schemas"]["SosLastLocation"][];
            /** @description Who is in the room. */
            members: components["schemas"]["SosMember"][];
            /** @description The SOS service has not been asked yet, or did not answer: what it knows of this SOS is missing. */
            provisional?: boolean;
            reason: string | null;
            responders: components["schemas"]["SosResponder"][];
            soNo: string | null;
            sosId: string;
            status: components["schemas"]["SosStatus"];
            /** @description Something found no room in it. */
            truncated?: boolean;
            type: string | null;
            updatedAt: number;
        };
        /** @enum {string} */
        SosStatus: "active" | "assigned" | "en_route" | "arrived" | "responding" | "resolved" | "completed" | "cancelled" | "rejected" | "fake" | "closed";
        /** @description `sos:status:broadcast`. `status` and `oldStatus` are the incident's; they are equal if only a responder's entry moved. */
        SosStatusChanged: {
            note?: string;
            oldStatus: components["schemas"]["SosStatus"];
            responderId?: string;
            responderStatus?: components["schemas"]["SosStatus"];
            sosId: string;
            status: components["schemas"]["SosStatus"];
            timestamp: number;
            updatedBy: string | null;
        };
        /** @description `sos:status:update` */
        SosStatusUpdate: {
            /** @description The client's own id of a write, by which a repeat is known. */
            clientMessageId?: string | null;
            note?: string | null;
            /** @description May be left out if the token names exactly one. */
            sosId?: string | null;
            /** @description Read in any case of letters. */
            status: components["schemas"]["SosStatus"];
        };
        /** @description `sos:status:update` */
        SosStatusUpdateAck: {
            /** @description True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer. */
            duplicate?: boolean;
            /** @constant */
            ok: true;
            oldStatus: components["schemas"]["SosStatus"];
            status: components["schemas"]["SosStatus"];
            /** @description True: nothing has changed, and nobody was told. */
            unchanged?: boolean;
        };
        /** @description A time: milliseconds since 1970, seconds (a number below 10¹¹), or ISO 8601. */
        SosTime: number | string;
        /** @description `sos:unacknowledged`, to watchers. */
        SosUnacknowledged: {
            sosId: string;
            status: components["schemas"]["SosStatus"];
            timestamp: number;
        };
        /** @description `sos:init` to the room: a user has joined. */
        SosUserJoined: {
            /** @constant */
            action: "user_joined";
            role: components["schemas"]["SosRole"];
            sosId: string;
            timestamp: number;
            userId: string | null;
        };
        /** @description `sos:watch` */
        SosWatchAck: {
            /** @description All that are not over, newest first. */
            active: components["schemas"]["SosState"][];
            /** @constant */
            ok: true;
            /** @description True: there are more than the answer has room for. */
            truncated?: boolean;
        };
        /** @description `start-interview` */
        StartInterview: {
            /** Format: uuid */
            sessionId: string;
        };
        /** @description `stt-available` */
        SttAvailable: {
            /** Format: date-time */
            timestamp: string;
        };
        /** @description What is thought of a whole interview. Nulls and empty lists: it was not evaluated. */
        Summary: {
            /** @description From 0 to 100. */
            overallScore: number | null;
            recommendation: components["schemas"]["Recommendation"] | null;
            strengths: string[];
            weaknesses: string[];
        };
        TemplateTold: {
            id: string;
            title: string;
            /** @description Minutes. */
            totalDuration: number;
        };
        /** @description `auth:expiring` */
        TokenExpiring: {
            /** @description The token's `exp`, in ms since 1970. */
            expiresAt: number;
        };
        /** @description The payload of `auth:refresh`. */
        TokenRefresh: {
            /** @description A new token of the same user. */
            token: string;
        };
        /** @description What `auth:refresh` is acknowledged with. */
        TokenRefreshAck: {
            /** @description Of the new token, in ms since 1970. Null: it has no end. */
            expiresAt: number | null;
            /** @constant */
            ok: true;
        };
        /** @description `transcription` */
        Transcription: {
            /** @description The mean of its words, from 0 to 1. */
            confidence: number;
            isFinal: boolean;
            /** @description The turn so far. */
            text: string;
        };
        /** @description `trust-score-update` */
        TrustScoreUpdate: {
            /** Format: date-time */
            timestamp: string;
            /** @description From 0 to 100. */
            trustScore: number;
        };
        /** @enum {string} */
        UserType: "candidate" | "recruiter";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];
export interface InterviewsHears extends Schema<"InterviewsHears"> {}
export interface InterviewsSays extends Schema<"InterviewsSays"> {}
export type InterviewsCode = components["schemas"]["InterviewsCode"];
export interface IncidentsHears extends Schema<"IncidentsHears"> {}
export interface IncidentsSays extends Schema<"IncidentsSays"> {}
export type IncidentsCode = components["schemas"]["IncidentsCode"];
