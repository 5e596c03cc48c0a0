//! Descriptions of routes for those who call them. A description stands beside its handler; [`openapi`](super::openapi) makes one
//! document of all of them. Its refusals are made of the errors that the route itself uses.

use hyper::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::guards::{INTERNAL, TooManyRequests};
use super::{HttpError, Shape};
use crate::protocol::fields::Bad;

pub(super) const JSON: &str = "application/json";
/// The default of `HTTP_BODY_LIMIT`, in bytes.
const BODY_LIMIT: usize = 102_400;

/// A chapter of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub name: &'static str,
    pub about: &'static str,
}

/// A credential that a request may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The name of the credential in the document.
    pub name: &'static str,
    /// The header that carries it. `None`: `Authorization: Bearer …`.
    pub header: Option<&'static str>,
    pub about: &'static str,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
}

impl Place {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

pub(super) type SchemaOf = Box<dyn Fn(&mut SchemaGenerator) -> Schema + Send>;

pub(super) struct Parameter {
    pub name: &'static str,
    pub place: Place,
    pub about: &'static str,
    pub required: bool,
    pub schema: Value,
}

/// A body of a request or of an answer.
pub(super) struct Content {
    pub media: &'static str,
    pub schema: SchemaOf,
}

pub(super) struct Reply {
    pub status: StatusCode,
    pub about: &'static str,
    pub contents: Vec<Content>,
}

/// The description of a route.
pub struct Doc {
    pub(super) id: &'static str,
    pub(super) tag: Tag,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    /// One of these is enough. `None`: a request needs no credential.
    pub(super) credentials: Vec<Option<Credential>>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Option<Content>,
    pub(super) replies: Vec<Reply>,
    pub(super) refusals: Vec<HttpError>,
    pub(super) is_counted: bool,
}

impl Doc {
    /// `id` names the operation in generated clients. It is unique in the hub.
    pub fn new(id: &'static str, tag: Tag, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            about: "",
            credentials: Vec::new(),
            parameters: Vec::new(),
            query: None,
            body: None,
            replies: Vec::new(),
            refusals: Vec::new(),
            is_counted: false,
        }
    }

    /// Markdown.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// A request needs one of these.
    pub fn accepts(mut self, credentials: impl IntoIterator<Item = Credential>) -> Self {
        self.credentials.extend(credentials.into_iter().map(Some));
        self
    }

    /// A request may also come without a credential.
    pub fn open(mut self) -> Self {
        self.credentials.push(None);
        self
    }

    /// A route for the company's own services.
    pub(super) fn internal(self) -> Self {
        self.accepts([INTERNAL])
            .too_many()
            .refuses([HttpError::InvalidToken, HttpError::NotConfigured { setting: "INTERNAL_AUTH_TOKEN" }])
    }

    /// The requests of a caller are limited, and every answer says how many are left. An address that fails too often is refused
    /// too.
    pub fn counted(mut self) -> Self {
        self.is_counted = true;
        self.too_many().unavailable()
    }

    fn too_many(self) -> Self {
        let wait = std::time::Duration::from_secs(1);
        self.refuses([HttpError::RateLimited(TooManyRequests { limit: 1, retry_after: wait, reset: wait })])
    }

    /// A system that the answer needs may be away.
    pub fn unavailable(self) -> Self {
        self.refuses([HttpError::Unavailable])
    }

    /// Without this setting the route answers 501.
    pub fn needs(self, setting: &'static str) -> Self {
        self.refuses([HttpError::NotConfigured { setting }])
    }

    /// A parameter of the path.
    pub fn path(mut self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameters.push(Parameter { name, place: Place::Path, about, required: true, schema });
        self.refuses([HttpError::InvalidPath])
    }

    /// A header that only this route reads.
    pub fn header(mut self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameters.push(Parameter { name, place: Place::Header, about, required: false, schema });
        self
    }

    /// Parameters of the query: the fields of an object.
    pub fn query<T: JsonSchema + 'static>(self) -> Self {
        self.loose_query::<T>().refuses([invalid()])
    }

    /// Parameters of the query. The route refuses none of them as invalid.
    pub fn loose_query<T: JsonSchema + 'static>(mut self) -> Self {
        self.query = Some(Box::new(SchemaGenerator::subschema_for::<T>));
        self
    }

    /// A body in JSON, read field by field.
    pub fn body<T: JsonSchema + 'static>(self) -> Self {
        self.json::<T>().refuses([invalid()])
    }

    /// A body in JSON. The route refuses none of its fields as invalid.
    pub fn json<T: JsonSchema + 'static>(mut self) -> Self {
        self.body = Some(Content { media: JSON, schema: Box::new(SchemaGenerator::subschema_for::<T>) });
        self.reads().refuses([HttpError::UnsupportedMediaType, HttpError::NotJson])
    }

    /// A body that is not JSON.
    pub fn raw_body(mut self, media: &'static str, schema: Schema) -> Self {
        self.body = Some(Content { media, schema: Box::new(move |_| schema.clone()) });
        self.reads().refuses([HttpError::UnsupportedMediaType])
    }

    /// It reads a body, within the limits of all bodies. This alone is for a route that does not use the body.
    pub fn reads(self) -> Self {
        self.unavailable().refuses([HttpError::TooLarge { limit: BODY_LIMIT }, HttpError::BodyTimeout])
    }

    /// A success with a body in JSON.
    pub fn answers<T: JsonSchema + 'static>(self, status: StatusCode, about: &'static str) -> Self {
        self.reply(status, about, JSON, Box::new(SchemaGenerator::subschema_for::<T>))
    }

    /// A success with a body that is not JSON.
    pub fn answers_as(self, status: StatusCode, about: &'static str, media: &'static str, schema: Schema) -> Self {
        self.reply(status, about, media, Box::new(move |_| schema.clone()))
    }

    /// A success without a body.
    pub fn answers_nothing(mut self, status: StatusCode, about: &'static str) -> Self {
        self.replies.push(Reply { status, about, contents: Vec::new() });
        self
    }

    fn reply(mut self, status: StatusCode, about: &'static str, media: &'static str, schema: SchemaOf) -> Self {
        let content = Content { media, schema };
        match self.replies.iter_mut().find(|reply| reply.status == status) {
            Some(reply) => reply.contents.push(content),
            None => self.replies.push(Reply { status, about, contents: vec![content] }),
        }
        self
    }

    /// Refusals, beside those that follow from the other methods.
    pub fn refuses<E: Into<HttpError>>(mut self, errors: impl IntoIterator<Item = E>) -> Self {
        for error in errors {
            let error = error.into();
            if !self.refusals.contains(&error) {
                self.refusals.push(error);
            }
        }
        self
    }
}

/// The refusal of fields that do not fit.
fn invalid() -> HttpError {
    HttpError::Invalid(vec![Bad::new("field", "is what it must not be")])
}

/// Whether and how a route is in the document.
pub enum Listing {
    Described(Box<Doc>),
    /// It is not part of the hub's API: a page, or a route of the demo.
    Unlisted,
}

/// A route as the document sees it.
pub struct Listed {
    pub method: Method,
    pub path: &'static str,
    pub(super) shape: Shape,
    /// `None`: it has no description. A test fails then.
    pub listing: Option<Listing>,
}
