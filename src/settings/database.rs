//! The URL of PostgreSQL, as libpq writes it. What our client does not know of it (`sslmode=verify-full`, `sslrootcert`) is
//! taken out here and told apart. Pure.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// Whether connections to PostgreSQL are encrypted, and whose certificate is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseTls {
    /// `sslmode=disable`.
    Off,
    /// `sslmode=prefer`, the default: where the server offers it. The certificate is not looked at: who can change the traffic
    /// could take the offer out as well.
    IfOffered,
    /// `sslmode=verify-ca`: an authority that we trust has signed the certificate, for whatever host.
    SignedByAuthority,
    /// `sslmode=verify-full`, and `require` too, which libpq takes less seriously: signed for this very host.
    SignedForHost,
}

/// A URL taken apart. It may hold a password, so none of it is shown.
pub(super) struct DatabaseUrl {
    /// What our client understands; `sslmode` is in `tls`.
    pub url: String,
    pub tls: DatabaseTls,
    /// `sslrootcert`, unless it is `system`.
    pub ca_file: Option<PathBuf>,
}

/// Parameters that our client understands (the list is tokio-postgres').
const KNOWN: [&str; 17] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

/// Takes a URL apart. An error reads on from the variable's name and never shows the URL.
pub(super) fn database_url(text: &str) -> Result<DatabaseUrl, String> {
    let not_a_url = || "must be a postgres:// URL".to_owned();
    if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err(not_a_url());
    }
    // A password may hold a question mark.
    let host = text.find('@').map_or(0, |at| at + 1);
    let (base, query) = match text[host..].split_once('?') {
        Some((before, query)) => (&text[..host + before.len()], query),
        None => (text, ""),
    };
    let mut parts = DatabaseUrl { url: String::new(), tls: DatabaseTls::IfOffered, ca_file: None };
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(not_a_url)?;
        let value = percent_decode_str(value).decode_utf8().map_err(|_| not_a_url())?;
        match key {
            "sslmode" => parts.tls = mode(&value).ok_or("has an sslmode that is none")?,
            "sslrootcert" => parts.ca_file = (value != "system").then(|| PathBuf::from(&*value)),
            "sslcert" | "sslkey" => return Err("asks for a client certificate, which is not supported".into()),
            key if KNOWN.contains(&key) => kept.push(pair),
            // Only names of ASCII letters can be shown: anything else may be a piece of a password.
            key if key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_') => {
                return Err(format!("has the parameter {key}, which is not supported"));
            }
            _ => return Err(not_a_url()),
        }
    }
    parts.url = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let config: tokio_postgres::Config = parts.url.parse().map_err(|_| not_a_url())?;
    if is_transaction_pooler(&config) {
        return Err("names Supabase's transaction pooler (port 6543), which cannot hold locks: use port 5432".into());
    }
    Ok(parts)
}

fn mode(text: &str) -> Option<DatabaseTls> {
    match text {
        "disable" => Some(DatabaseTls::Off),
        "allow" | "prefer" => Some(DatabaseTls::IfOffered),
        "verify-ca" => Some(DatabaseTls::SignedByAuthority),
        "require" | "verify-full" => Some(DatabaseTls::SignedForHost),
        _ => None,
    }
}

/// Locks that outlive a transaction, and prepared statements, belong to a connection; that pooler gives each transaction another.
fn is_transaction_pooler(config: &tokio_postgres::Config) -> bool {
    let of_supabase = |host: &tokio_postgres::config::Host| match host {
        tokio_postgres::config::Host::Tcp(name) => name.ends_with(".supabase.com") || name.ends_with(".supabase.co"),
        tokio_postgres::config::Host::Unix(_) => false,
    };
    config.get_ports().contains(&6543) && config.get_hosts().iter().any(of_supabase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_tls_are_taken_out() {
        let cases = [
            ("postgres://u:p@h/d", "postgres://u:p@h/d", DatabaseTls::IfOffered, None),
            ("postgresql://u:p@h/d?sslmode=disable", "postgresql://u:p@h/d", DatabaseTls::Off, None),
            ("postgres://u@h/d?sslmode=require&user=x", "postgres://u@h/d?user=x", DatabaseTls::SignedForHost, None),
            ("postgres://u:a?b@h/d?sslmode=verify-ca", "postgres://u:a?b@h/d", DatabaseTls::SignedByAuthority, None),
            (
                "postgres://h/d?sslmode=verify-full&sslrootcert=%2Fca.pem",
                "postgres://h/d",
                DatabaseTls::SignedForHost,
                Some("/ca.pem"),
            ),
            ("postgres://h/d?sslrootcert=system", "postgres://h/d", DatabaseTls::IfOffered, None),
        ];
        for (text, url, tls, ca_file) in cases {
            let parts = database_url(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!((&*parts.url, parts.tls), (url, tls), "{text}");
            assert_eq!(parts.ca_file, ca_file.map(PathBuf::from), "{text}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_without_showing_the_url() {
        let cases = [
            ("mysql://u:hush@h/d", "must be a postgres:// URL"),
            ("postgres://u:hush@h/d?sslmode=hush", "has an sslmode that is none"),
            ("postgres://u:hush@h/d?sslcert=/hush", "asks for a client certificate, which is not supported"),
            ("postgres://u:hush@h/d?pgbouncer=true", "has the parameter pgbouncer, which is not supported"),
            ("postgres://u:hush@h:port/d", "must be a postgres:// URL"),
            ("postgres://u:x?hu-sh=1/d", "must be a postgres:// URL"),
        ];
        for (text, expected) in cases {
            assert_eq!(database_url(text).err().as_deref(), Some(expected), "{text}");
        }
        for host in ["aws-0-eu-west-1.pooler.supabase.com", "db.abc.supabase.co"] {
            let fault = database_url(&format!("postgres://u:hush@{host}:6543/postgres")).err().unwrap_or_default();
            assert!(fault.contains("use port 5432"), "{fault}");
            assert!(database_url(&format!("postgres://u:hush@{host}:5432/postgres")).is_ok());
        }
    }
}
