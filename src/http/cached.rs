//! Answers that a client may keep. It asks by their `ETag` whether they have changed.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{Response, StatusCode};

use super::Body;
use super::respond;

/// A client must ask each time whether the content has changed.
pub const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");
/// The content never changes under this name.
pub const NEVER_CHANGES: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The `ETag` of a content: its hash.
pub fn tag(hash: &[u8; 32]) -> String {
    let hex: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// The content, or 304 if the client has it already.
pub fn answer(
    headers: &HeaderMap,
    tag: &str,
    media: &str,
    cache: HeaderValue,
    content: impl FnOnce() -> Bytes,
) -> Response<Body> {
    let known = headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*");
    let mut response = match is_known {
        true => respond(StatusCode::NOT_MODIFIED, "text/plain", ""),
        false => respond(StatusCode::OK, "text/plain", content()),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, cache);
    if let (Ok(media), Ok(tag)) = (HeaderValue::from_str(media), HeaderValue::from_str(tag)) {
        headers.insert(CONTENT_TYPE, media);
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_sent_to_those_who_do_not_have_it() {
        let tag = tag(&[7; 32]);
        for (known, status) in [
            (None, 200),
            (Some("\"else\""), 200),
            (Some(&*tag), 304),
            (Some("\"else\", W/\"070707070707070707070707\""), 304),
            (Some("*"), 304),
        ] {
            let known = known.map(|known| (IF_NONE_MATCH, HeaderValue::from_str(known).unwrap()));
            let response = answer(&known.into_iter().collect(), &tag, "text/html", ASK_EACH_TIME, || "hello".into());
            assert_eq!((response.status().as_u16(), response.headers()[ETAG].to_str().unwrap()), (status, &*tag));
        }
    }
}
