//! What a route is, for those who call it. The description stands beside the handler; [`openapi`](super::openapi) makes the
//! document of all of them. What it says of refusals is read from the very errors that the route answers with.

use hyper::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::guards::{INTERNAL, TooManyRequests};
use super::{HttpError, Shape};
use crate::protocol::fields::Bad;

pub(super) const JSON: &str = "application/json";
/// The default of `HTTP_BODY_LIMIT`, bytes.
const BODY_LIMIT: usize = 102_400;

/// A chapter of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub name: &'static str,
    pub about: &'static str,
}

/// What a request shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name in the document.
    pub name: &'static str,
    /// `None`: `Authorization: Bearer …`. Else a header of this name.
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
    /// One of them is enough. `None`: a request may come without any.
    pub(super) credentials: Vec<Option<Credential>>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Option<Content>,
    pub(super) replies: Vec<Reply>,
    pub(super) refusals: Vec<HttpError>,
    pub(super) is_counted: bool,
}

impl Doc {
    /// `id` names the operation in generated clients, once in the whole hub.
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

    /// Any one of these lets a request in.
    pub fn accepts(mut self, credentials: impl IntoIterator<Item = Credential>) -> Self {
        self.credentials.extend(credentials.into_iter().map(Some));
        self
    }

    /// A request may come without a credential too.
    pub fn open(mut self) -> Self {
        self.credentials.push(None);
        self
    }

    /// A route behind the door for the company's own services.
    pub(super) fn internal(self) -> Self {
        self.accepts([INTERNAL])
            .too_many()
            .refuses([HttpError::InvalidToken, HttpError::NotConfigured { setting: "INTERNAL_AUTH_TOKEN" }])
    }

    /// Requests of one caller are counted, and every answer tells how many are left. An address that fails too often is refused too.
    pub fn counted(mut self) -> Self {
        self.is_counted = true;
        self.too_many().unavailable()
    }

    fn too_many(self) -> Self {
        let wait = std::time::Duration::from_secs(1);
        self.refuses([HttpError::RateLimited(TooManyRequests { limit: 1, retry_after: wait, reset: wait })])
    }

    /// Something that the answer depends on may be away.
    pub fn unavailable(self) -> Self {
        self.refuses([HttpError::Unavailable])
    }

    /// Without this setting the route is there and answers 501.
    pub fn needs(self, setting: &'static str) -> Self {
        self.refuses([HttpError::NotConfigured { setting }])
    }

    /// A part of the path.
    pub fn path(mut self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameters.push(Parameter { name, place: Place::Path, about, required: true, schema });
        self.refuses([HttpError::InvalidPath])
    }

    /// A header that means something to this route alone.
    pub fn header(mut self, name: &'static str, about: &'static str, schema: Value) -> Self {
        self.parameters.push(Parameter { name, place: Place::Header, about, required: false, schema });
        self
    }

    /// Parameters of the query: the fields of an object.
    pub fn query<T: JsonSchema + 'static>(self) -> Self {
        self.loose_query::<T>().refuses([invalid()])
    }

    /// Parameters of the query of which none is refused by its name alone.
    pub fn loose_query<T: JsonSchema + 'static>(mut self) -> Self {
        self.query = Some(Box::new(SchemaGenerator::subschema_for::<T>));
        self
    }

    /// A body in JSON, read field by field.
    pub fn body<T: JsonSchema + 'static>(self) -> Self {
        self.json::<T>().refuses([invalid()])
    }

    /// A body in JSON of which no field is refused by its name alone.
    pub fn json<T: JsonSchema + 'static>(mut self) -> Self {
        self.body = Some(Content { media: JSON, schema: Box::new(SchemaGenerator::subschema_for::<T>) });
        self.reads().refuses([HttpError::UnsupportedMediaType, HttpError::NotJson])
    }

    /// A body of another kind.
    pub fn raw_body(mut self, media: &'static str, schema: Schema) -> Self {
        self.body = Some(Content { media, schema: Box::new(move |_| schema.clone()) });
        self.reads().refuses([HttpError::UnsupportedMediaType])
    }

    /// It reads a body, within the limits of every body. That alone if the body means nothing to it.
    pub fn reads(self) -> Self {
        self.unavailable().refuses([HttpError::TooLarge { limit: BODY_LIMIT }, HttpError::BodyTimeout])
    }

    /// What a success is, in JSON.
    pub fn answers<T: JsonSchema + 'static>(self, status: StatusCode, about: &'static str) -> Self {
        self.reply(status, about, JSON, Box::new(SchemaGenerator::subschema_for::<T>))
    }

    /// What a success is, in some other form.
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

    /// What it may refuse with, beside what follows from all of the above.
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

/// Fields that do not fit.
fn invalid() -> HttpError {
    HttpError::Invalid(vec![Bad::new("field", "is what it must not be")])
}

/// How a route stands in the document.
pub enum Listing {
    Described(Box<Doc>),
    /// It is no part of the hub's API: a page, or what only a demo has.
    Unlisted,
}

/// A route as the document sees it.
pub struct Listed {
    pub method: Method,
    pub path: &'static str,
    pub(super) shape: Shape,
    /// `None`: nothing was said of it, which a test does not let pass.
    pub listing: Option<Listing>,
}
