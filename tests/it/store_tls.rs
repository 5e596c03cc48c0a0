//! PostgreSQL over TLS: whose certificate is believed.

use std::path::Path;

use convoke::store::{SetupError, Store, StoreError};

use super::support::postgres::{PASSWORD, Server, certificate, settings, store_with};

/// The outcome of a call with this `sslmode` and CA file.
async fn ping(url: &str, ca_file: Option<&Path>) -> Result<(), StoreError> {
    let ca_file = ca_file.map_or("", |path| path.to_str().expect("a path of ours"));
    store_with(url, &[("DATABASE_CA_FILE", ca_file)]).postgres().ping().await
}

#[tokio::test]
async fn a_certificate_is_believed_as_far_as_the_url_asks() {
    let (server, ours) = Server::start_with_tls();
    let wrong = certificate().join("server.crt");
    let url = server.url("postgres");
    // The certificate is for the address alone.
    let by_name = url.replacen("127.0.0.1", "localhost", 1);
    let cases = [
        (&url, "", Some(&ours), true),
        (&url, "", Some(&wrong), false),
        (&url, "", None, true),
        (&url, "?sslmode=disable", None, false),
        (&url, "?sslmode=prefer", None, true),
        (&url, "?sslmode=require", Some(&ours), true),
        (&url, "?sslmode=require", Some(&wrong), false),
        (&url, "?sslmode=require", None, false),
        (&url, "?sslmode=verify-full", Some(&ours), true),
        (&url, "?sslmode=verify-full", Some(&wrong), false),
        (&by_name, "?sslmode=verify-full", Some(&ours), false),
        (&by_name, "?sslmode=verify-ca", Some(&ours), true),
        (&by_name, "?sslmode=verify-ca", Some(&wrong), false),
    ];
    for (url, mode, ca_file, expected) in cases {
        let outcome = ping(&format!("{url}{mode}"), ca_file.map(|path| path.as_path())).await;
        assert_eq!(outcome.is_ok(), expected, "{mode} {ca_file:?}: {outcome:?}");
        if let Err(error) = outcome {
            let told = format!("{error} {error:?}");
            assert!(matches!(error, StoreError::Unavailable(_)), "{told}");
            assert!(!told.contains(PASSWORD) && !told.contains("%3Apassword"), "{told}");
        }
    }
    let in_the_url = format!("{url}?sslmode=verify-full&sslrootcert={}", ours.display());
    assert!(ping(&in_the_url, None).await.is_ok());
}

#[tokio::test]
async fn a_refused_certificate_is_named_and_a_wrong_password_is_not_shown() {
    let (server, ours) = Server::start_with_tls();
    let url = server.url("postgres");
    let untrusted = ping(&format!("{url}?sslmode=require"), None).await.unwrap_err().to_string();
    assert!(untrusted.contains("certificate"), "{untrusted}");
    let wrong = url.replacen("of%20the%20tests", "hush", 1);
    let refused = ping(&wrong, Some(&ours)).await.unwrap_err().to_string();
    assert!(refused.contains("password authentication failed") && !refused.contains("hush"), "{refused}");
}

#[test]
fn a_ca_file_that_cannot_be_used_is_named() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let of = |path: &Path| {
        let path = path.to_str().unwrap();
        Store::new(&settings("postgres://u:hush@h/d", &[("DATABASE_CA_FILE", path)])).err().expect("an error")
    };
    let missing = of(Path::new("/nowhere/ca.pem"));
    assert!(matches!(missing, SetupError::CaFile(..)) && missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
    assert!(matches!(of(empty.path()), SetupError::NoCertificate(_)));
}
