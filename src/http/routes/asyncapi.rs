//! `GET /asyncapi.json`: the document of the Socket.IO events. It is made once, at the start.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use schemars::json_schema;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::http::Shape;
use crate::http::cached::{self, ASK_EACH_TIME};
use crate::http::docs::Doc;
use crate::http::router::Router;

use super::health::HUB;

/// Adds the route.
pub fn routes(router: &mut Router, document: &Value) {
    let text = Bytes::from(document.to_string());
    let tag = cached::tag(&Sha256::digest(&text).into());
    let doc = Doc::new("getAsyncApi", HUB, "Read the document of the Socket.IO events")
        .about(
            "Every event of every namespace, both ways: payload, acknowledgement, codes, who may send it and who gets it. Made for programs; \
             `/docs/asyncapi` shows it to people.",
        )
        .open().answers_as(
        StatusCode::OK,
        "AsyncAPI 3.",
        "application/json",
        json_schema!({
            "type": "object",
            "required": ["asyncapi", "info", "channels", "operations"],
            "properties": {
                "asyncapi": {"type": "string"},
                "info": {"type": "object"},
                "channels": {"type": "object"},
                "operations": {"type": "object"},
            },
        }),
    );
    let doc = doc.answers_nothing(StatusCode::NOT_MODIFIED, "The client has it already (`If-None-Match`).");
    router
        .route(Method::GET, "/asyncapi.json", Shape::Envelope, move |call| {
            let answer = cached::answer(&call.headers, &tag, "application/json", ASK_EACH_TIME, || text.clone());
            std::future::ready(Ok(answer))
        })
        .described(doc);
}
