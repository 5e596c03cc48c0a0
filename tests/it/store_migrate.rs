//! The schema and the limits, on databases in whatever state an operator may have them.

use std::process::{Command, Output};

use convoke::features::bookings::store::{Limits, PrepareError, Verdict};
use convoke::features::interviews::store::InterviewStore;
use convoke::store::{MigrateError, StoreError};
use futures_util::future::join_all;
use uuid::Uuid;

use super::store_bookings::{count_of, expire, start, started, until};
use super::support::postgres::{LIMITS, database, migrate, prepared, server, sql, store, value};

/// What a project on Supabase has before the hub comes: users of the identity provider, a table of its own for them, the seed's
/// DDL as it stands there, row level security; all of it owned by a role that is no superuser.
const SUPABASE: &str = "
    CREATE SCHEMA auth;
    CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
    CREATE TABLE public.users (
        id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
        email text NOT NULL, full_name text NOT NULL, resume_id uuid, created_at timestamptz NOT NULL DEFAULT now()
    );
    ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
    CREATE TABLE IF NOT EXISTS public.interview_sessions (
      id text PRIMARY KEY,
      user_id uuid NOT NULL REFERENCES auth.users(id) ON DELETE CASCADE,
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
    CREATE INDEX idx_interview_sessions_user ON interview_sessions(user_id);
    CREATE INDEX idx_interview_sessions_status ON interview_sessions(status);
    CREATE INDEX idx_interview_sessions_active ON interview_sessions(status, server_end_time)
      WHERE status = 'active';
    ALTER TABLE public.users
      ADD COLUMN IF NOT EXISTS completed_interviews_count integer DEFAULT 0;
    ALTER TABLE public.interview_sessions ENABLE ROW LEVEL SECURITY;";

const INDEX: &str = "SELECT to_regclass('public.interview_sessions_one_active') IS NOT NULL";

/// A role that is no superuser, and the URL with which it reaches this database.
async fn role(url: &str) -> (String, String) {
    let role = format!("role_{}", Uuid::new_v4().simple());
    sql(url, &format!("CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")).await;
    let its_url = url.replacen("postgres://postgres", &format!("postgres://{role}"), 1);
    (role, its_url)
}

#[tokio::test]
async fn before_the_tables_are_there_everything_is_unavailable_rather_than_broken() {
    let store = store(&database().await);
    let interviews = InterviewStore::new(store.postgres().clone());
    let interview = interviews.get(Uuid::new_v4()).await;
    assert!(matches!(interview, Err(StoreError::Unavailable(_))), "{interview:?}");
    let session = store.get("ABC-123-XYZ", Uuid::new_v4()).await;
    assert!(matches!(session, Err(StoreError::Unavailable(_))), "{session:?}");
    store.prepare(LIMITS).await.expect("the schema");
    assert!(store.get("ABC-123-XYZ", Uuid::new_v4()).await.expect("an answer").is_none());
    assert!(interviews.get(Uuid::new_v4()).await.expect("an answer").is_none());
}

#[tokio::test]
async fn the_schema_is_made_for_all_features_and_without_any_of_them() {
    let store = store(&database().await);
    store.postgres().prepare().await.expect("the schema");
    let interviews = InterviewStore::new(store.postgres().clone());
    assert!(interviews.get(Uuid::new_v4()).await.expect("an answer").is_none());
    assert_eq!(store.limits().await.expect("an answer"), None, "the limits are their feature's");
    store.postgres().prepare().await.expect("once more changes nothing");
    assert_eq!(store.prepare(LIMITS).await.expect("limits"), LIMITS);
}

#[tokio::test]
async fn from_nothing_everything_is_made_once() {
    let url = database().await;
    let store = store(&url);
    let (applied, written) = migrate(&store, LIMITS).await.unwrap();
    assert!(applied[0].contains("interview_sessions"), "{applied:?}");
    assert_eq!((written.before, written.completed), (None, 0));
    let (applied, written) = migrate(&store, LIMITS).await.unwrap();
    assert_eq!((applied.len(), written.before, written.completed), (0, Some(LIMITS), 0));
    assert_eq!(store.prepare(LIMITS).await.unwrap(), LIMITS);
    sql(&url, "DROP INDEX public.interview_sessions_one_active").await;
    migrate(&store, LIMITS).await.unwrap();
    assert_eq!(value(&url, INDEX).await, "t");
    let indexes = "SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'interview_sessions'";
    assert_eq!(
        value(&url, indexes).await,
        "idx_interview_sessions_active idx_interview_sessions_status idx_interview_sessions_user \
         interview_sessions_livekit_room_name_key interview_sessions_one_active interview_sessions_pkey"
    );
    started(&store, "AAA-111-AAA").await;
}

#[tokio::test]
async fn the_seeds_tables_on_supabase_go_on_working_for_the_role_that_owns_them() {
    let url = database().await;
    let (role, its_url) = role(&url).await;
    let name = url.rsplit('/').next().unwrap();
    sql(&url, &format!("GRANT CREATE ON DATABASE {name} TO {role}; GRANT ALL ON SCHEMA public TO {role}")).await;
    sql(&its_url, SUPABASE).await;
    let (user, resume) = (Uuid::new_v4(), Uuid::new_v4());
    sql(
        &its_url,
        &format!(
            "INSERT INTO auth.users VALUES ('{user}', 'ann@example.com');
             INSERT INTO public.users (id, email, full_name, resume_id) VALUES ('{user}', 'ann@example.com', 'Ann', '{resume}')"
        ),
    )
    .await;
    let store = prepared(&its_url).await;
    let standing = store.standing(user).await.unwrap();
    assert_eq!(standing.user.unwrap().resume_id, Some(resume.to_string()));
    assert!(matches!(start(&store, user, "A").await, Verdict::Started { .. }));
    expire(&its_url, "A").await;
    assert_eq!(store.complete_expired(10).await.unwrap().len(), 1);
    assert!(matches!(start(&store, user, "B").await, Verdict::Started { .. }));
    assert!(store.end("B", user).await.unwrap().is_some());
    assert_eq!(count_of(&url, user).await, "2");
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'public.users'::regclass AND attnum > 0";
    assert_eq!(value(&url, types).await, "uuid text text uuid timestamp with time zone integer");
}

#[tokio::test]
async fn without_an_identity_providers_table_there_is_no_foreign_key() {
    let count = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'public.interview_sessions'::regclass";
    let plain = database().await;
    prepared(&plain).await;
    assert_eq!(value(&plain, count).await, "0");
    let supabase = database().await;
    sql(&supabase, "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY)").await;
    prepared(&supabase).await;
    assert_eq!(value(&supabase, count).await, "1");
}

#[tokio::test]
async fn a_users_table_without_our_columns_gets_them() {
    let url = database().await;
    sql(&url, "CREATE TABLE public.users (id uuid UNIQUE, nick text)").await;
    started(&prepared(&url).await, "A").await;
}

#[tokio::test]
async fn tables_that_cannot_serve_are_refused_and_left_alone() {
    let cases = [
        ("id text PRIMARY KEY", "public.users has no column id of type uuid"),
        ("name text", "public.users has no column id of type uuid"),
        ("id uuid", "the column id of public.users is not unique"),
    ];
    for (columns, expected) in cases {
        let url = database().await;
        sql(&url, &format!("CREATE TABLE public.users ({columns})")).await;
        match store(&url).prepare(LIMITS).await {
            Err(PrepareError::Migrate(MigrateError::Migration(text))) => assert!(text.contains(expected), "{columns}: {text}"),
            other => panic!("{columns}: {other:?}"),
        }
        assert_eq!(value(&url, "SELECT to_regclass('public.interview_sessions') IS NULL").await, "t");
    }
}

#[tokio::test]
async fn a_role_that_may_make_nothing_uses_what_another_has_made() {
    let url = database().await;
    prepared(&url).await;
    let (role, its_url) = role(&url).await;
    sql(
        &url,
        &format!(
            "GRANT USAGE ON SCHEMA convoke TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA convoke TO {role};
             GRANT SELECT, INSERT, UPDATE ON public.users, public.interview_sessions TO {role}"
        ),
    )
    .await;
    let store = prepared(&its_url).await;
    let (user, _) = started(&store, "A").await;
    assert!(store.end("A", user).await.unwrap().is_some());
    let refused = migrate(&store, Limits { max_concurrent: 6, ..LIMITS }).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_that_start_at_once_make_one_schema() {
    let url = database().await;
    let limits = |n: u32| Limits { max_concurrent: 10 + n, max_per_user: 1 + n % 2 };
    let starts = (0..3).map(|n| {
        let store = store(&url);
        tokio::spawn(async move { store.prepare(limits(n)).await })
    });
    let told: Vec<Limits> = join_all(starts).await.into_iter().map(|told| told.unwrap().unwrap()).collect();
    assert!(told.iter().all(|limits| *limits == told[0]), "{told:?}");
    let twice = "SELECT count(*) FROM convoke.schema_history GROUP BY version HAVING count(*) > 1";
    assert!(sql(&url, twice).await.is_empty());
    assert_eq!(value(&url, INDEX).await, if told[0].max_per_user == 1 { "t" } else { "f" });
}

#[tokio::test]
async fn a_node_waits_for_the_one_that_migrates() {
    let url = database().await;
    let (holder, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let holding = tokio::spawn(connection);
    holder.batch_execute("SELECT pg_advisory_lock(1668247158, 1)").await.unwrap();
    let waiting = tokio::spawn({
        let store = store(&url);
        async move { store.prepare(LIMITS).await }
    });
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";
    until(&url, waits, "1").await;
    assert!(!waiting.is_finished());
    holding.abort();
    assert_eq!(waiting.await.unwrap().unwrap(), LIMITS);
}

#[tokio::test]
async fn limits_are_changed_by_migrate_alone() {
    let url = database().await;
    let store = prepared(&url).await;
    let two = Limits { max_concurrent: 9, max_per_user: 2 };
    assert_eq!(store.prepare(two).await.unwrap(), LIMITS, "a start finds some");
    assert_eq!(migrate(&store, two).await.unwrap().1.before, Some(LIMITS));
    assert_eq!(value(&url, INDEX).await, "f");
    assert_eq!(store.prepare(LIMITS).await.unwrap(), two);

    let (user, _) = started(&store, "A").await;
    assert!(matches!(start(&store, user, "B").await, Verdict::Started { .. }));
    let refused = migrate(&store, LIMITS).await.unwrap_err();
    assert!(matches!(refused, PrepareError::TooManyActive), "{refused}");
    assert_eq!(store.prepare(LIMITS).await.unwrap(), two, "as before");

    expire(&url, "A").await;
    let (_, written) = migrate(&store, LIMITS).await.unwrap();
    assert_eq!((written.before, written.completed), (Some(two), 1));
    assert_eq!(count_of(&url, user).await, "1");
    assert_eq!(value(&url, INDEX).await, "t");
    // Whoever writes rows past the hub is held to it too.
    let row = format!("('C', '{user}', now() + interval '1 hour', 'R-C')");
    let insert = format!("INSERT INTO public.interview_sessions (id, user_id, server_end_time, livekit_room_name) VALUES {row}");
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    assert!(client.batch_execute(&insert).await.is_err());
}

#[tokio::test]
async fn changing_limits_waits_for_endings_and_loses_none() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, _) = started(&store, "A").await;
    // An ending that is under way holds its session's row, and wants the user's next.
    let (mut holder, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let held = holder.transaction().await.unwrap();
    held.execute("UPDATE public.interview_sessions SET status = 'completed' WHERE id = 'A'", &[]).await.unwrap();
    let changing = tokio::spawn({
        let store = store.clone();
        async move { migrate(&store, Limits { max_concurrent: 7, ..LIMITS }).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until(&url, waits, "1").await;
    held.execute("UPDATE public.users SET completed_interviews_count = 1", &[]).await.unwrap();
    held.commit().await.unwrap();
    assert_eq!(changing.await.unwrap().unwrap().1.completed, 0);
    assert_eq!(count_of(&url, user).await, "1");
}

fn convoke(environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convoke"));
    command.arg("migrate").env_clear().envs(environment.iter().copied()).output().unwrap()
}

#[tokio::test]
async fn the_command_tells_what_it_did() {
    let url = database().await;
    let lines = |environment: &[(&str, &str)]| {
        let output = convoke(environment);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let first = lines(&[("DATABASE_URL", &url)]);
    assert!(first.starts_with("applied V1__interview_sessions\n"), "{first}");
    assert!(first.ends_with("limits: MAX_CONCURRENT_INTERVIEWS=5 MAX_ACTIVE_SESSIONS_PER_USER=1\n"), "{first}");
    let second = lines(&[("DATABASE_URL", &url), ("MAX_CONCURRENT_INTERVIEWS", "50")]);
    let expected = "the schema is up to date\nlimits: MAX_CONCURRENT_INTERVIEWS=50 MAX_ACTIVE_SESSIONS_PER_USER=1 \
                    (before: MAX_CONCURRENT_INTERVIEWS=5 MAX_ACTIVE_SESSIONS_PER_USER=1)\n";
    assert_eq!(second, expected);
}

#[tokio::test]
async fn the_command_fails_without_showing_the_password() {
    let nobody = server().url("no_such_database").replacen("postgres@", "postgres:hush@", 1);
    for (url, expected) in [
        (&*nobody, "does not exist"),
        ("postgres://u:hush@127.0.0.1:1/d", "error connecting to server"),
        ("", "DATABASE_URL is not set"),
    ] {
        let output = convoke(&[("DATABASE_URL", url)]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(expected) && !told.contains("hush"), "{told}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told_from_a_schema_that_is_wrong() {
    let store = store("postgres://u@127.0.0.1:1/d");
    let patience = crate::support::DEADLINE;
    let told = tokio::time::timeout(patience, store.prepare(LIMITS)).await.expect("it does not hang");
    assert!(matches!(told, Err(PrepareError::Migrate(MigrateError::Store(StoreError::Unavailable(_))))), "{told:?}");
}
