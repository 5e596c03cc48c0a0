//! Audio in an S3-compatible bucket, with presigned addresses, or in a folder that the hub itself serves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Attribute, Attributes, ClientOptions, ObjectStore, PutOptions, RetryConfig};
use reqwest::Method;
use tokio::time::timeout;

use super::media::{ADDRESS_LASTS, Links};
use super::{AudioStorage, StorageError, is_key};
use crate::core::error::chain;
use crate::features::interviews::providers::{SetupError, count, http};
use crate::features::interviews::settings::{Audio, S3};
use crate::settings::Secret;
use crate::telemetry::due;

/// For one upload with its repetitions: an answer of ten minutes has 19 MB.
const PUT_DEADLINE: Duration = Duration::from_secs(30);
/// For one request of it.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// For an address: credentials of a machine's role may have to be fetched.
const URL_DEADLINE: Duration = Duration::from_secs(5);

/// A store of objects, and how they are addressed.
pub struct ObjectAudio {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    addresses: Addresses,
    put_deadline: Duration,
}

enum Addresses {
    Presigned(Arc<AmazonS3>),
    Served(Arc<Links>),
}

impl ObjectAudio {
    /// Looks for no bucket: it may be away. A folder is made if it is not there.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: &Audio, secret: Option<&Secret>) -> Result<Self, SetupError> {
        match settings {
            Audio::S3(s3) => Self::bucket(s3),
            Audio::Folder { path, public_url } => {
                let folder = |error: &dyn std::error::Error| SetupError::Folder(chain(error));
                std::fs::create_dir_all(path).map_err(|error| folder(&error))?;
                let store = LocalFileSystem::new_with_prefix(path).map_err(|error| folder(&error))?;
                Ok(Self::served(Arc::new(store), public_url, secret))
            }
        }
    }

    /// Audio that is gone with the process: for tests.
    pub fn in_memory(public_url: &str, secret: &Secret) -> Self {
        Self::served(Arc::new(InMemory::new()), public_url, Some(secret))
    }

    fn served(store: Arc<dyn ObjectStore>, public_url: &str, secret: Option<&Secret>) -> Self {
        let addresses = Addresses::Served(Arc::new(Links::new(store.clone(), public_url, secret)));
        Self { store, prefix: Path::default(), addresses, put_deadline: PUT_DEADLINE }
    }

    fn bucket(s3: &S3) -> Result<Self, SetupError> {
        let is_plain = s3.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let options =
            ClientOptions::new().with_connect_timeout(http::CONNECT).with_timeout(REQUEST_DEADLINE).with_allow_http(is_plain);
        let retry = RetryConfig { max_retries: 2, retry_timeout: PUT_DEADLINE, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&*s3.bucket)
            .with_region(&*s3.region)
            .with_client_options(options)
            .with_retry(retry);
        if let Some(endpoint) = &s3.endpoint {
            builder = builder.with_endpoint(&**endpoint);
        }
        if let Some(known) = &s3.credentials {
            builder = builder.with_access_key_id(&*known.id).with_secret_access_key(known.secret.expose());
            if let Some(session) = &known.session {
                builder = builder.with_token(session.expose());
            }
        }
        let store = Arc::new(builder.build().map_err(|error| SetupError::Bucket(chain(&error)))?);
        let (prefix, addresses) = (Path::from(&*s3.prefix), Addresses::Presigned(store.clone()));
        Ok(Self { store, prefix, addresses, put_deadline: PUT_DEADLINE })
    }

    /// With another deadline for one upload.
    #[must_use]
    pub fn within(self, put_deadline: Duration) -> Self {
        Self { put_deadline, ..self }
    }

    /// The addresses of what the hub serves itself; `None` if it does not.
    pub fn links(&self) -> Option<Arc<Links>> {
        match &self.addresses {
            Addresses::Served(links) => Some(links.clone()),
            Addresses::Presigned(_) => None,
        }
    }

    fn path(&self, key: &str) -> Result<Path, StorageError> {
        if !is_key(key) {
            return Err(StorageError::Key);
        }
        Ok(self.prefix.parts().chain(Path::from(key).parts()).collect())
    }

    async fn write(&self, key: &str, content_type: &'static str, audio: Bytes) -> Result<(), StorageError> {
        let path = self.path(key)?;
        let attributes = match &self.addresses {
            Addresses::Presigned(_) => Attributes::from_iter([(Attribute::ContentType, content_type)]),
            // A folder has no place for them; there the key's ending says it.
            Addresses::Served(_) => Attributes::new(),
        };
        let options = PutOptions { attributes, ..PutOptions::default() };
        let put = timeout(self.put_deadline, self.store.put_opts(&path, audio.into(), options)).await;
        put.map_err(|_| StorageError::TimedOut)?.map_err(|error| StorageError::Unavailable(chain(&error)))?;
        Ok(())
    }

    async fn address(&self, key: &str) -> Result<String, StorageError> {
        let path = self.path(key)?;
        let store = match &self.addresses {
            Addresses::Presigned(store) => store,
            Addresses::Served(links) => return Ok(links.address(key)),
        };
        let signed = timeout(URL_DEADLINE, store.signed_url(Method::GET, &path, ADDRESS_LASTS)).await;
        let url = signed.map_err(|_| StorageError::TimedOut)?.map_err(|error| StorageError::Unavailable(chain(&error)))?;
        Ok(url.into())
    }
}

/// Once a minute.
fn tell<T>(outcome: &Result<T, StorageError>) {
    if let Err(error) = outcome
        && let Some(times) = due("audio cannot be stored")
    {
        tracing::warn!(%error, times, "audio cannot be stored");
    }
}

impl AudioStorage for ObjectAudio {
    fn put<'a>(&'a self, key: &'a str, content_type: &'static str, audio: Bytes) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            let outcome = self.write(key, content_type, audio).await;
            count("storage", &outcome, StorageError::word);
            tell(&outcome);
            outcome
        })
    }

    fn url<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<String, StorageError>> {
        Box::pin(async move {
            let outcome = self.address(key).await;
            tell(&outcome);
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::interviews::settings::Credentials;

    #[test]
    fn a_key_cannot_lead_out_of_its_place() {
        for good in ["a", "interviews/0b/answer-1.wav", "a.b/_c"] {
            assert!(is_key(good), "{good}");
        }
        let long = "x".repeat(513);
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a b", "a\\b", "ä", "a%2Fb", "a?b", &long] {
            assert!(!is_key(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn an_address_at_s3_is_presigned_for_a_day_and_shows_no_secret() {
        let s3 = S3 {
            bucket: "audio".into(),
            prefix: "of/interviews".into(),
            region: "eu-central-1".into(),
            endpoint: Some("http://127.0.0.1:9".into()),
            credentials: Some(Credentials { id: "id".into(), secret: Secret::new("a secret"), session: None }),
        };
        let store = ObjectAudio::new(&Audio::S3(s3), None).unwrap();
        let url = store.url("i-1/answer-1.wav").await.unwrap();
        assert!(url.starts_with("http://127.0.0.1:9/audio/of/interviews/i-1/answer-1.wav?"), "{url}");
        assert!(url.contains("X-Amz-Expires=86400") && url.contains("X-Amz-Signature=") && !url.contains("secret"), "{url}");
        assert_eq!(store.url("../other").await, Err(StorageError::Key));
        assert!(store.links().is_none());
    }

    #[tokio::test]
    async fn what_is_put_into_a_folder_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Audio::Folder { path: folder.path().join("new/audio"), public_url: "https://hub.example".into() };
        let store = ObjectAudio::new(&settings, None).unwrap();
        for audio in [&b"first"[..], b"second"] {
            store.put("i-1/a.wav", "audio/wav", Bytes::copy_from_slice(audio)).await.unwrap();
        }
        assert_eq!(std::fs::read(folder.path().join("new/audio/i-1/a.wav")).unwrap(), b"second");
        let url = store.url("i-1/a.wav").await.unwrap();
        assert!(url.starts_with("https://hub.example/media/i-1/a.wav?exp="), "{url}");
        std::fs::remove_dir_all(folder.path().join("new")).unwrap();
        std::fs::write(folder.path().join("new"), "a file where the folder was").unwrap();
        let lost = store.put("i-2/a.wav", "audio/wav", Bytes::from_static(b"x")).await;
        assert!(matches!(lost, Err(StorageError::Unavailable(_))), "{lost:?}");
    }
}
