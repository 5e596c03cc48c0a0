-- Interview sessions (contract § 5). Tables that are there already, made by the schema that the hub's clients came with or by
-- somebody else, are only added to. Everything is looked for before it is made: a role that owns the tables but may create
-- nothing gets through where nothing is missing.

DO $$
DECLARE
    id_type text;
BEGIN
    IF to_regclass('public.users') IS NULL THEN
        CREATE TABLE public.users (
            id uuid PRIMARY KEY,
            email text,
            resume_id text,
            completed_interviews_count integer DEFAULT 0
        );
    END IF;

    SELECT format_type(atttypid, NULL) INTO id_type FROM pg_attribute
        WHERE attrelid = 'public.users'::regclass AND attname = 'id' AND NOT attisdropped;
    IF id_type IS DISTINCT FROM 'uuid' THEN
        RAISE EXCEPTION 'public.users has no column id of type uuid';
    END IF;
    -- Users are found, and counted, by it.
    IF NOT EXISTS (
        SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = 'public.users'::regclass AND a.attname = 'id'
            AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL
    ) THEN
        RAISE EXCEPTION 'the column id of public.users is not unique';
    END IF;

    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'email' AND NOT attisdropped) THEN
        ALTER TABLE public.users ADD COLUMN IF NOT EXISTS email text;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'resume_id' AND NOT attisdropped) THEN
        ALTER TABLE public.users ADD COLUMN IF NOT EXISTS resume_id text;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname = 'completed_interviews_count' AND NOT attisdropped) THEN
        ALTER TABLE public.users ADD COLUMN IF NOT EXISTS completed_interviews_count integer DEFAULT 0;
    END IF;
END
$$;

DO $$
BEGIN
    IF to_regclass('public.interview_sessions') IS NULL THEN
        CREATE TABLE public.interview_sessions (
            id text PRIMARY KEY,
            user_id uuid NOT NULL,
            status text NOT NULL DEFAULT 'active'
                CHECK (status IN ('active', 'completed', 'ended_early', 'timeout')),
            start_time timestamptz NOT NULL DEFAULT now(),
            server_end_time timestamptz NOT NULL,
            end_time timestamptz,
            end_reason text CHECK (end_reason IN ('natural', 'user_ended', 'timeout', 'error')),
            livekit_room_name text NOT NULL UNIQUE,
            score_overall numeric(3,1),
            summary text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        -- Supabase's users. A plain PostgreSQL has no such table.
        IF to_regclass('auth.users') IS NOT NULL THEN
            ALTER TABLE public.interview_sessions ADD CONSTRAINT interview_sessions_user_id_fkey
                FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE;
        END IF;
    END IF;

    IF to_regclass('public.idx_interview_sessions_user') IS NULL THEN
        CREATE INDEX idx_interview_sessions_user ON public.interview_sessions (user_id);
    END IF;
    IF to_regclass('public.idx_interview_sessions_status') IS NULL THEN
        CREATE INDEX idx_interview_sessions_status ON public.interview_sessions (status);
    END IF;
    IF to_regclass('public.idx_interview_sessions_active') IS NULL THEN
        CREATE INDEX idx_interview_sessions_active ON public.interview_sessions (status, server_end_time)
            WHERE status = 'active';
    END IF;
END
$$;

-- One row, which every start reads: all nodes judge by the same limits.
CREATE TABLE convoke.session_limits (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    max_concurrent integer NOT NULL CHECK (max_concurrent > 0),
    max_per_user integer NOT NULL CHECK (max_per_user > 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
