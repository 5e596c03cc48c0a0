//! From path and method to a handler. Static segments win over parameters.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;

use super::guards::Context;
use super::{HttpError, Shape};
use crate::engineio::Body;
use crate::net::body::{BodyError, Read, Reader};
use crate::net::{Budget, Patience};

pub type Answer = Result<Response<Body>, HttpError>;
type Future = Pin<Box<dyn std::future::Future<Output = Answer> + Send>>;
type Handler = Arc<dyn Fn(Call) -> Future + Send + Sync>;

/// A request on its way to its handler.
pub struct Call {
    pub context: Context,
    /// How its route says no.
    pub shape: Shape,
    pub headers: HeaderMap,
    pub path: Box<str>,
    query: Box<str>,
    params: Vec<(Box<str>, String)>,
    body: Incoming,
    bodies: Bodies,
}

/// How bodies are read.
#[derive(Clone, Debug)]
pub struct Bodies {
    /// Bytes of one.
    pub limit: usize,
    pub patience: Patience,
    pub budget: Arc<Budget>,
}

impl Call {
    /// A part of the path, decoded. Empty if the route has none of this name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(param, _)| **param == *name).map_or("", |(_, value)| value)
    }

    /// The first value of each parameter of the query, decoded.
    pub fn query(&self) -> BTreeMap<String, String> {
        let mut query = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            query.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        query
    }

    /// The body, text that is valid JSON. One that is empty counts as `{}`.
    ///
    /// # Errors
    /// `TooLarge`, `BodyTimeout`, `UnsupportedMediaType`, `NotJson`.
    pub async fn json(self) -> Result<String, HttpError> {
        let is_json = self.headers.get(CONTENT_TYPE).is_some_and(is_json);
        let is_encoded = self.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
        if self.body.is_end_stream() {
            return Ok("{}".into());
        }
        let body = self.read().await?;
        let body = &body.bytes;
        if body.is_empty() {
            return Ok("{}".into());
        }
        if !is_json || is_encoded {
            return Err(HttpError::UnsupportedMediaType);
        }
        let text = std::str::from_utf8(body).map_err(|_| HttpError::NotJson)?;
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|_| HttpError::NotJson)?;
        Ok(text.to_owned())
    }

    /// The body as it came, to the byte.
    ///
    /// # Errors
    /// `TooLarge`, `BodyTimeout`; `NotJson` if the client goes away in the middle of it.
    pub async fn bytes(self) -> Result<Bytes, HttpError> {
        self.read().await.map(|read| read.bytes)
    }

    /// Reads the body and looks at nothing of it but its size.
    ///
    /// # Errors
    /// `TooLarge`, `BodyTimeout`.
    pub async fn ignore_body(self) -> Result<(), HttpError> {
        if self.body.is_end_stream() {
            return Ok(());
        }
        match self.read().await {
            // A body that broke off: its client will not hear of it.
            Ok(_) | Err(HttpError::NotJson) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn read(mut self) -> Result<Read, HttpError> {
        let Bodies { limit, patience, budget } = &self.bodies;
        let reader = Reader { limit: *limit, patience: *patience, budget, address: self.context.address };
        match reader.read(&mut self.body, || ()).await {
            Ok(read) => Ok(read),
            Err(BodyError::TooLarge) => Err(HttpError::TooLarge { limit: *limit }),
            Err(BodyError::TooSlow) => Err(HttpError::BodyTimeout),
            Err(BodyError::NoMemory) => Err(HttpError::Unavailable),
            // The client is gone, most likely; nobody will read this.
            Err(BodyError::Broken) => Err(HttpError::NotJson),
        }
    }
}

/// The type without its parameters; empty if it is no text.
pub fn media_type(content_type: &HeaderValue) -> &str {
    let content_type = content_type.to_str().unwrap_or_default();
    content_type.split_once(';').map_or(content_type, |(media, _)| media).trim()
}

fn is_json(content_type: &HeaderValue) -> bool {
    let Ok(content_type) = content_type.to_str() else { return false };
    let (media, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameters = parameters.to_ascii_lowercase();
    let utf8 = parameters.split(';').filter_map(|parameter| parameter.trim().strip_prefix("charset="));
    let mut charsets = utf8.map(|charset| charset.trim_matches('"'));
    media.trim().eq_ignore_ascii_case("application/json")
        && charsets.all(|charset| matches!(charset, "utf-8" | "utf8" | "us-ascii"))
}

/// The path of the route that answered, as it was declared: an extension of the response, for metrics.
#[derive(Clone, Copy, Debug)]
pub struct Matched(pub &'static str);

/// The handlers of a path.
#[derive(Default)]
struct Methods(Vec<(Method, Shape, Handler)>);

impl Methods {
    fn find(&self, method: &Method) -> Option<(Shape, &Handler)> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.iter().find(|(own, ..)| own == method).map(|(_, shape, handler)| (*shape, handler))
    }

    /// How the path says no to a method that it does not know.
    fn shape(&self) -> Shape {
        self.0.first().map(|(_, shape, _)| *shape).unwrap_or_default()
    }

    /// As in the header `Allow`.
    fn allow(&self) -> String {
        let mut names: Vec<_> = self.0.iter().map(|(method, ..)| method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.sort_unstable();
        names.join(", ")
    }
}

/// The table of all routes.
pub struct Router {
    table: matchit::Router<usize>,
    routes: Vec<(&'static str, Methods)>,
    /// Beginnings of paths, each with the shape of what is no route there.
    unknown: Vec<(&'static str, Shape)>,
    bodies: Bodies,
}

impl Router {
    pub fn new(bodies: Bodies) -> Self {
        Self { table: matchit::Router::new(), routes: Vec::new(), unknown: Vec::new(), bodies }
    }

    /// Below this path (`/v9`, without a final slash) a path that is no route is refused in this shape.
    pub fn unknown_below(&mut self, path: &'static str, shape: Shape) {
        self.unknown.push((path, shape));
    }

    /// How a path that is no route is refused.
    fn shape_of_unknown(&self, path: &str) -> Shape {
        let is_below = |above: &str| path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.unknown.iter().find(|(above, _)| is_below(above)).map(|(_, shape)| *shape).unwrap_or_default()
    }

    /// Adds a route that says no in this shape; `{name}` in the path is one segment, `{*name}` all that follow.
    ///
    /// # Panics
    /// If the path is malformed or contradicts another one: a fault in the source, found by any test that starts a hub.
    pub fn route<F>(
        &mut self,
        method: Method,
        path: &'static str,
        shape: Shape,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) where
        F: std::future::Future<Output = Answer> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |call| Box::pin(handler(call)));
        let index = self.routes.iter().position(|(known, _)| *known == path).unwrap_or_else(|| {
            if let Err(error) = self.table.insert(path, self.routes.len()) {
                panic!("route {path}: {error}");
            }
            self.routes.push((path, Methods::default()));
            self.routes.len() - 1
        });
        self.routes[index].1.0.push((method, shape, handler));
    }

    /// Answers a request.
    pub async fn call(&self, request: Request<Incoming>, context: Context) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let Some((route, params)) = self.find(path) else {
            return HttpError::NotFound { path: path.into() }.response(self.shape_of_unknown(path));
        };
        let (declared, methods) = route;
        let mut response = if parts.method == Method::OPTIONS {
            options(&methods.allow())
        } else if let Some((shape, handler)) = methods.find(&parts.method) {
            let query = parts.uri.query().unwrap_or_default().into();
            let (path, bodies) = (path.into(), self.bodies.clone());
            let headers = parts.headers;
            let call = params.map(|params| Call { context, shape, path, query, params, headers, body, bodies });
            let answer = match call {
                Ok(call) => handler(call).await,
                Err(()) => Err(HttpError::InvalidPath),
            };
            answer.unwrap_or_else(|error| error.response(shape))
        } else {
            HttpError::MethodNotAllowed { allow: methods.allow() }.response(methods.shape())
        };
        response.extensions_mut().insert(Matched(declared));
        response
    }

    /// The route of a path and its decoded parameters. One final slash more changes nothing.
    #[allow(clippy::type_complexity)]
    fn find(&self, path: &str) -> Option<(&(&'static str, Methods), Result<Vec<(Box<str>, String)>, ()>)> {
        let bare = path.strip_suffix('/').filter(|bare| !bare.is_empty() && !bare.ends_with('/'));
        let found = self.table.at(path).ok().or_else(|| self.table.at(bare?).ok())?;
        let decode = |(name, value): (&str, &str)| match percent_decode_str(value).decode_utf8() {
            Ok(value) => Ok((name.into(), value.into_owned())),
            Err(_) => Err(()),
        };
        Some((&self.routes[*found.value], found.params.iter().map(decode).collect()))
    }
}

/// The answer to `OPTIONS`; the guards add what a browser wants to know.
pub fn options(allow: &str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(paths: &[&'static str]) -> Router {
        let bodies = Bodies { limit: 1024, patience: Patience::default(), budget: Arc::default() };
        let mut router = Router::new(bodies);
        for path in paths {
            router.route(Method::GET, path, Shape::Envelope, |_| async { Err(HttpError::InvalidPath) });
        }
        router
    }

    #[test]
    fn static_segments_win_over_parameters() {
        let router = router(&["/rooms", "/rooms/init", "/rooms/{id}/close", "/rooms/{id}/members/{user}", "/demo/{*file}"]);
        for (path, expected) in [
            ("/rooms", Some("/rooms")),
            ("/rooms/", Some("/rooms")),
            ("/rooms/init", Some("/rooms/init")),
            // A room may be called so.
            ("/rooms/init/close", Some("/rooms/{id}/close")),
            ("/rooms/init/members/u", Some("/rooms/{id}/members/{user}")),
            ("/rooms/a/close/", Some("/rooms/{id}/close")),
            ("/rooms/a", None),
            ("/rooms//close", None),
            ("/rooms/a/close//", None),
            ("/demo/a/b.js", Some("/demo/{*file}")),
            ("/demo", None),
            ("/", None),
        ] {
            assert_eq!(router.find(path).map(|((declared, _), _)| *declared), expected, "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let router = router(&["/users/{user}/presence"]);
        let user = |path: &str| router.find(path).unwrap().1.map(|params| params[0].1.clone());
        assert_eq!(user("/users/a%2Fb%20%C3%A9+c/presence"), Ok("a/b é+c".into()));
        assert_eq!(user("/users/%FF/presence"), Err(()));
    }

    #[test]
    fn allow_names_every_method_of_the_path() {
        let mut router = router(&["/a"]);
        router.route(Method::POST, "/a", Shape::Envelope, |_| async { Err(HttpError::InvalidPath) });
        assert_eq!(router.find("/a").unwrap().0.1.allow(), "GET, HEAD, OPTIONS, POST");
        assert!(router.find("/a").unwrap().0.1.find(&Method::HEAD).is_some());
        assert!(router.find("/a").unwrap().0.1.find(&Method::PUT).is_none());
    }

    #[test]
    fn below_a_path_what_is_no_route_has_the_shape_that_was_said() {
        let mut router = router(&["/v9/rooms"]);
        router.unknown_below("/v9", Shape::Typed);
        for path in ["/v9", "/v9/", "/v9/rooms/a/b", "/v9//rooms"] {
            assert_eq!(router.shape_of_unknown(path), Shape::Typed, "{path}");
        }
        for path in ["/", "/v", "/v99", "/v90/rooms", "/a/v9"] {
            assert_eq!(router.shape_of_unknown(path), Shape::Envelope, "{path}");
        }
    }

    #[test]
    fn json_is_recognised_by_its_content_type() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\"", "application/json; a=b"]
        {
            assert!(is_json(&HeaderValue::from_static(good)), "{good}");
        }
        for bad in
            ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
        {
            assert!(!is_json(&HeaderValue::from_static(bad)), "{bad}");
        }
    }
}
