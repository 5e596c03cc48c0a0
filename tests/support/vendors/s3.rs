//! As much of S3 as storing and presigned reading needs. It takes every key and secret, but nothing that is not signed.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED};
use hyper::http::request::Parts;
use hyper::{Method, Response};

use super::{Answer, StorageFault, Vendors, hang, respond};

/// Bytes of all files together.
const ROOM: u64 = 256 << 20;

/// What was stored, by `bucket/key`.
#[derive(Default)]
pub struct Files(BTreeMap<String, (HeaderValue, Bytes)>);

impl Files {
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.0.get(key).map(|(_, file)| file.clone())
    }

    pub fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

pub async fn answer(vendors: &Vendors, head: &Parts, body: Bytes) -> Answer {
    let key = head.uri.path().trim_start_matches("/s3/").to_owned();
    if !is_signed(head) {
        return Ok(error(403, "AccessDenied"));
    }
    let fault = vendors.faults().storage;
    if head.method == Method::PUT && fault != StorageFault::None {
        vendors.state().seen.storage.failed += 1;
        return match fault {
            StorageFault::Status(507) => Ok(error(507, "XMinioStorageFull")),
            StorageFault::Status(status) => Ok(error(status, "SlowDown")),
            StorageFault::None | StorageFault::Hang => hang().await,
        };
    }
    let mut state = vendors.state();
    match head.method {
        Method::PUT => {
            if state.seen.storage.bytes + body.len() as u64 > ROOM {
                return Ok(error(507, "XMinioStorageFull"));
            }
            let kind = head.headers.get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static("application/octet-stream"));
            state.files.0.insert(key, (kind, body));
            state.seen.storage.puts += 1;
            state.seen.storage.files = state.files.0.len() as u64;
            state.seen.storage.bytes = state.files.0.values().map(|(_, file)| file.len() as u64).sum();
            let mut response = respond(200, "application/xml", "");
            response.headers_mut().insert(ETAG, HeaderValue::from_static("\"stand-in\""));
            Ok(response)
        }
        Method::GET | Method::HEAD => {
            state.seen.storage.gets += 1;
            let Some((kind, file)) = state.files.0.get(&key) else { return Ok(error(404, "NoSuchKey")) };
            let mut response = respond(200, "application/xml", file.clone());
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, kind.clone());
            headers.insert(ETAG, HeaderValue::from_static("\"stand-in\""));
            headers.insert(LAST_MODIFIED, HeaderValue::from_static("Mon, 30 Nov 2026 05:00:00 GMT"));
            Ok(response)
        }
        _ => Ok(error(405, "MethodNotAllowed")),
    }
}

/// By a header, or in the address, as presigned ones are.
fn is_signed(head: &Parts) -> bool {
    let header = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = head.uri.query().unwrap_or_default();
    header.starts_with("AWS4-HMAC-SHA256 Credential=") || (query.contains("X-Amz-Signature=") && query.contains("X-Amz-Expires="))
}

fn error(status: u16, code: &str) -> Response<http_body_util::Full<Bytes>> {
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>");
    respond(status, "application/xml", xml)
}
