-- Interviews (contract, section 4). Not interview sessions: they share no ids, rooms or slots.

CREATE TABLE convoke.interviews (
    id               uuid PRIMARY KEY,
    organization_id  text NOT NULL,
    recruiter_ids    text[] NOT NULL,
    candidate_id     text NOT NULL,
    candidate_name   text NOT NULL,
    candidate_email  text NOT NULL,
    status           text NOT NULL DEFAULT 'SCHEDULED'
                     CHECK (status IN ('SCHEDULED', 'ONGOING', 'COMPLETED', 'EXPIRED', 'CANCELLED')),
    scheduled_at     timestamptz,
    -- SHA-256. The token itself is told once and kept nowhere.
    join_token_hash  bytea NOT NULL UNIQUE CHECK (octet_length(join_token_hash) = 32),
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);

-- Each interview has a copy of its own of the template: what is asked does not change under it.
CREATE TABLE convoke.templates (
    interview_id   uuid PRIMARY KEY REFERENCES convoke.interviews (id) ON DELETE CASCADE,
    -- As the backend calls it; several interviews may have the same.
    id             text NOT NULL,
    title          text NOT NULL,
    -- Minutes.
    total_duration integer NOT NULL CHECK (total_duration > 0),
    -- Their titles, in order.
    assessments    text[] NOT NULL CHECK (cardinality(assessments) > 0)
);

CREATE TABLE convoke.questions (
    interview_id uuid NOT NULL REFERENCES convoke.templates (interview_id) ON DELETE CASCADE,
    -- From 1 over all assessments.
    position     integer NOT NULL CHECK (position > 0),
    -- From 1, into the template's assessments.
    assessment   integer NOT NULL CHECK (assessment > 0),
    id           text NOT NULL,
    text         text NOT NULL,
    type         text NOT NULL,
    PRIMARY KEY (interview_id, position),
    UNIQUE (interview_id, id)
);

CREATE TABLE convoke.invites (
    id             uuid PRIMARY KEY,
    interview_id   uuid NOT NULL REFERENCES convoke.interviews (id) ON DELETE CASCADE,
    -- SHA-256, as above.
    token_hash     bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    email          text,
    created_by     text NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    -- For its first use: once it is bound it lasts until the interview ends or it is revoked.
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    -- Whoever used it first.
    participant_id text,
    used_at        timestamptz,
    CHECK ((participant_id IS NULL) = (used_at IS NULL))
);

CREATE INDEX invites_interview_id ON convoke.invites (interview_id);
