-- Live interviews (contract, section 4): what is kept of them for good. Their present state is in Redis.

CREATE TABLE convoke.sessions (
    interview_id      uuid PRIMARY KEY REFERENCES convoke.interviews (id) ON DELETE CASCADE,
    -- As clients know it.
    id                uuid NOT NULL UNIQUE,
    state             text NOT NULL DEFAULT 'created'
                      CHECK (state IN ('created', 'active', 'paused', 'completed', 'expired', 'cancelled')),
    -- One more with each transition.
    rev               bigint NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    ended_at          timestamptz,
    -- Of the question that is open, from 1; 0: none was asked yet.
    position          integer NOT NULL DEFAULT 0 CHECK (position >= 0),
    -- The question at that position as it was sent: its wording need not be the template's.
    asked             jsonb,
    progress          jsonb,
    trust             smallint NOT NULL DEFAULT 100 CHECK (trust BETWEEN 0 AND 100),
    faces             integer NOT NULL DEFAULT 0,
    tabs              integer NOT NULL DEFAULT 0,
    fullscreen        integer NOT NULL DEFAULT 0,
    suspicious        integer NOT NULL DEFAULT 0,
    summary           jsonb,
    -- When a summary is to be tried next; null: it is there, or it is given up, or none is wanted.
    summary_due_at    timestamptz,
    summary_tries     integer NOT NULL DEFAULT 0,
    -- The live state in Redis knows of the end; until then a node that sees to it has a lease.
    end_told          boolean NOT NULL DEFAULT false,
    end_claimed_until timestamptz
);

-- For the job that each minute looks for what has expired.
CREATE INDEX sessions_open ON convoke.sessions (created_at) WHERE NOT end_told;
CREATE INDEX sessions_summary_due ON convoke.sessions (summary_due_at) WHERE summary_due_at IS NOT NULL;

CREATE TABLE convoke.responses (
    interview_id   uuid NOT NULL REFERENCES convoke.interviews (id) ON DELETE CASCADE,
    question_id    text NOT NULL,
    position       integer NOT NULL CHECK (position > 0),
    -- As the question was put.
    asked_text     text NOT NULL,
    -- What the candidate's client has understood; it is scored unless it is empty.
    transcription  text NOT NULL,
    -- What the hub's speech to text has understood.
    stt_transcript text NOT NULL,
    -- Empty: there is no audio.
    audio_url      text NOT NULL,
    score          double precision CHECK (score BETWEEN 0 AND 100),
    evaluation     text,
    answered_at    timestamptz NOT NULL,
    evaluated_at   timestamptz,
    PRIMARY KEY (interview_id, question_id)
);

-- Final turns of the speech to text.
CREATE TABLE convoke.transcripts (
    interview_id uuid NOT NULL REFERENCES convoke.interviews (id) ON DELETE CASCADE,
    stream       text NOT NULL,
    turn_order   integer NOT NULL,
    question_id  text NOT NULL,
    text         text NOT NULL,
    confidence   double precision NOT NULL,
    spoken_at    timestamptz NOT NULL,
    PRIMARY KEY (interview_id, stream, turn_order)
);

-- What was noticed about the candidate. Events of one type no more than a second apart are one row.
CREATE TABLE convoke.proctor_events (
    id           uuid PRIMARY KEY,
    interview_id uuid NOT NULL REFERENCES convoke.interviews (id) ON DELETE CASCADE,
    type         text NOT NULL,
    severity     text NOT NULL,
    message      text NOT NULL,
    data         jsonb NOT NULL,
    count        integer NOT NULL CHECK (count > 0),
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL
);

CREATE INDEX proctor_events_interview_id ON convoke.proctor_events (interview_id, first_at);
