//! Pages that were built in `web/` and are part of this binary.

use hyper::Response;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use rust_embed::EmbeddedFile;

use crate::http::Body;
use crate::http::cached::{self, ASK_EACH_TIME, NEVER_CHANGES};
use crate::http::router::Call;

/// A file of a page, under what its policy allows.
pub fn serve(name: &str, file: &EmbeddedFile, call: &Call, policy: &HeaderValue) -> Response<Body> {
    let mut media = file.metadata.mimetype().to_owned();
    if media.starts_with("text/") || media.ends_with("javascript") || media.ends_with("json") {
        media.push_str("; charset=utf-8");
    }
    // The build puts a hash of its content into the name of everything under assets/.
    let cache = if name.starts_with("assets/") { NEVER_CHANGES } else { ASK_EACH_TIME };
    let tag = cached::tag(&file.metadata.sha256_hash());
    let mut response = cached::answer(&call.headers, &tag, &media, cache, || file.data.to_vec().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
