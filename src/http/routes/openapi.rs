//! `GET /openapi.json`: the document of all routes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::{Method, StatusCode};
use schemars::json_schema;
use sha2::{Digest as _, Sha256};

use crate::http::cached::{self, ASK_EACH_TIME};
use crate::http::docs::Doc;
use crate::http::router::Router;
use crate::http::{Shape, openapi};

use super::health::HUB;

/// Adds the route, after all others.
pub fn routes(router: &mut Router) {
    let made = Arc::new(OnceLock::<(Bytes, String)>::new());
    let served = made.clone();
    let doc = Doc::new("getOpenApi", HUB, "Read this document")
        .about("Every route of the hub, whatever is switched on. Made for programs; `/docs/openapi` shows it to people.")
        .open()
        .answers_as(
            StatusCode::OK,
            "OpenAPI 3.1.",
            "application/json",
            json_schema!({
                "type": "object",
                "required": ["openapi", "info", "paths"],
                "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}},
            }),
        );
    let doc = doc.answers_nothing(StatusCode::NOT_MODIFIED, "The client has it already (`If-None-Match`).");
    let answer = move |headers: &_| {
        let (text, tag) = served.get_or_init(Default::default);
        cached::answer(headers, tag, "application/json", ASK_EACH_TIME, || text.clone())
    };
    router
        .route(Method::GET, "/openapi.json", Shape::Envelope, move |call| std::future::ready(Ok(answer(&call.headers))))
        .described(doc);
    let text = Bytes::from(openapi::document(router.listed()).to_string());
    let tag = cached::tag(&Sha256::digest(&text).into());
    let _ = made.set((text, tag));
}
