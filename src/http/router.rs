//! The table of all routes, of which axum's router is made. Static segments win over parameters. The answers that axum would give
//! by itself (to a wrong method, an unknown path, a path that is not text) are given here, in the shape of the route.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::IntoResponse as _;
use axum::routing::{MethodFilter, MethodRouter, on, options};
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tower_service::Service as _;

use super::Body;
use super::call::{Asked, Site, matched};
use super::docs::{Doc, Listed, Listing};
use super::{HttpError, Shape};

pub use super::call::{Bodies, Call, Matched, media_type};

pub type Answer = Result<Response<Body>, HttpError>;

/// One method of a path.
struct Route {
    listed: Listed,
    handler: MethodRouter,
}

/// A route that was added. It needs a description; a test fails without one.
#[must_use = "a route needs its description"]
pub struct Added<'a> {
    listed: &'a mut Listed,
    /// It is for the company's own services.
    is_internal: bool,
}

impl Added<'_> {
    pub(super) fn internal(mut self) -> Self {
        self.is_internal = true;
        self
    }

    /// Describes the route. What follows from the way in which it was added need not be described.
    pub fn described(self, doc: Doc) {
        let doc = if self.is_internal { doc.internal() } else { doc };
        self.listed.listing = Some(Listing::Described(Box::new(doc)));
    }

    /// It is not part of the hub's API: a page, or a route of the demo.
    pub fn unlisted(self) {
        self.listed.listing = Some(Listing::Unlisted);
    }
}

/// The table of all routes.
pub struct Router {
    routes: Vec<Route>,
    /// Beginnings of paths, each with the shape in which unknown paths below it are refused.
    unknown: Vec<(&'static str, Shape)>,
    bodies: Bodies,
}

impl Router {
    pub fn new(bodies: Bodies) -> Self {
        Self { routes: Vec::new(), unknown: Vec::new(), bodies }
    }

    /// Below this path (such as `/v9`, without a final slash) an unknown path is refused in this shape.
    pub fn unknown_below(&mut self, path: &'static str, shape: Shape) {
        self.unknown.push((path, shape));
    }

    /// Adds a route that refuses in this shape. `{name}` in the path is one segment, `{*name}` is all that follow.
    ///
    /// # Panics
    /// If axum does not know the method. Any test that starts a hub finds such a fault.
    pub fn route<F>(
        &mut self,
        method: Method,
        path: &'static str,
        shape: Shape,
        handler: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Added<'_>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let Ok(filter) = MethodFilter::try_from(method.clone()) else { panic!("route {path}: {method}") };
        let handler = Arc::new(handler);
        let answer = move |call: Call| {
            let answer = handler(call);
            async move { matched(path, answer.await.unwrap_or_else(|error| error.response(shape))) }
        };
        let handler = on(filter, answer).with_state(Site { path, shape, bodies: self.bodies.clone() });
        self.routes.push(Route { listed: Listed { method, path, shape, listing: None }, handler });
        let last = self.routes.len() - 1;
        Added { listed: &mut self.routes[last].listed, is_internal: false }
    }

    /// All routes that were added.
    pub fn listed(&self) -> impl Iterator<Item = &Listed> {
        self.routes.iter().map(|route| &route.listed)
    }

    /// # Panics
    /// If a path is malformed, contradicts another one, or has the same method twice. Any test that starts a hub finds such a
    /// fault.
    pub fn build(self) -> axum::Router {
        let mut router = axum::Router::new();
        let mut rest = self.routes;
        while let Some(Route { listed: Listed { path, shape, .. }, .. }) = rest.first() {
            let (path, shape) = (*path, *shape);
            let (same, others): (Vec<_>, _) = rest.into_iter().partition(|route| route.listed.path == path);
            rest = others;
            let allow = allow(&same);
            let told = allow.clone();
            let wrong = move || async move { matched(path, HttpError::MethodNotAllowed { allow }.response(shape)) };
            let methods = options(move || async move { matched(path, options_answer(&told)) }).fallback(wrong);
            router = router.route(path, same.into_iter().fold(methods, |methods, route| methods.merge(route.handler)));
        }
        let unknown = Arc::new(self.unknown);
        let nowhere = unknown.clone();
        let routes = router.fallback(move |request: Request| std::future::ready(not_found(&unknown, request)));
        // axum takes an empty part of a path for a parameter. Here such a path is no route, whatever its method.
        axum::Router::new().fallback(move |request: Request| {
            let (mut routes, nowhere) = (routes.clone(), nowhere.clone());
            async move {
                if request.uri().path().contains("//") {
                    return not_found(&nowhere, request);
                }
                let Ok(response) = routes.call(request).await;
                response
            }
        })
    }
}

/// The answer on a path that is no route: in the shape of what it stands below.
fn not_found(unknown: &[(&'static str, Shape)], request: Request) -> axum::response::Response {
    let path = Asked::of(&mut request.into_parts().0);
    let is_below = |above: &str| path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let shape = unknown.iter().find(|(above, _)| is_below(above)).map(|(_, shape)| *shape).unwrap_or_default();
    HttpError::NotFound { path: path.into() }.response(shape).into_response()
}

/// All methods of a path, as in the header `Allow`.
fn allow(routes: &[Route]) -> String {
    let mut names: Vec<_> = routes.iter().map(|route| route.listed.method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.join(", ")
}

/// The answer to `OPTIONS`. The guards add the headers for browsers.
pub fn options_answer(allow: &str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http_body_util::BodyExt as _;

    use super::super::guards::{Context, Page};
    use super::*;
    use crate::net::Patience;
    use crate::telemetry::RequestId;

    fn router(paths: &[&'static str]) -> Router {
        let mut router = Router::new(Bodies { limit: 1024, patience: Patience::default(), budget: Arc::default() });
        for path in paths {
            router
                .route(Method::GET, path, Shape::Envelope, |call| async move {
                    let mut response = Response::new(Body::default());
                    response.extensions_mut().insert(call.param("user").to_owned());
                    Ok(response)
                })
                .unlisted();
        }
        router
    }

    async fn ask(router: Router, method: Method, path: &str) -> axum::response::Response {
        let mut request = Request::builder().method(method).uri(path).body(axum::body::Body::empty()).unwrap();
        request.extensions_mut().insert(Context {
            request_id: RequestId::take_or_make(None),
            address: IpAddr::from([1, 1, 1, 1]),
            origin: Page::None,
        });
        let Ok(response) = router.build().call(request).await;
        response
    }

    #[tokio::test]
    async fn static_segments_win_over_parameters() {
        for (path, expected) in [
            ("/rooms", Some("/rooms")),
            ("/rooms/init", Some("/rooms/init")),
            // A room may have such a name.
            ("/rooms/init/close", Some("/rooms/{id}/close")),
            ("/rooms/init/members/u", Some("/rooms/{id}/members/{user}")),
            ("/rooms/a", None),
            ("/rooms//close", None),
            ("/rooms/a/close//", None),
            ("/demo/a/b.js", Some("/demo/{*file}")),
            ("/demo", None),
            ("/", None),
        ] {
            let router = router(&["/rooms", "/rooms/init", "/rooms/{id}/close", "/rooms/{id}/members/{user}", "/demo/{*file}"]);
            let response = ask(router, Method::GET, path).await;
            assert_eq!(response.status(), if expected.is_some() { 200 } else { 404 }, "{path}");
            let found = response.extensions().get().filter(|_| expected.is_some()).map(|Matched(path)| *path);
            assert_eq!(found, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn a_path_with_an_empty_part_is_no_route_for_any_method() {
        for path in ["/rooms//close", "//rooms", "//", "/rooms//", "/demo//a.js", "/v9//close", "/rooms//members/u"] {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::TRACE] {
                let mut router =
                    router(&["/rooms", "/rooms/{id}/close", "/rooms/{id}/members/{user}", "/demo/{*file}", "/v9/{id}/close"]);
                router.unknown_below("/v9", Shape::Typed);
                let response = ask(router, method.clone(), path).await;
                assert_eq!((response.status().as_u16(), response.headers().get(ALLOW)), (404, None), "{method} {path}");
                assert!(response.extensions().get::<Matched>().is_none(), "{method} {path}");
                let body = response.into_body().collect().await.unwrap().to_bytes();
                if method != Method::HEAD {
                    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(body["error"].is_object(), path.starts_with("/v9"), "{method} {path}: {body}");
                }
            }
        }
    }

    #[tokio::test]
    async fn parameters_are_decoded() {
        let user = async |path: &str| {
            let response = ask(router(&["/users/{user}/presence"]), Method::GET, path).await;
            (response.status().as_u16(), response.extensions().get::<String>().cloned())
        };
        assert_eq!(user("/users/a%2Fb%20%C3%A9+c/presence").await, (200, Some("a/b é+c".into())));
        assert_eq!(user("/users/%FF/presence").await, (400, None));
    }

    #[tokio::test]
    async fn every_method_of_a_path_is_named_to_one_who_asks_for_another() {
        for (method, status) in [(Method::PUT, 405), (Method::OPTIONS, 204), (Method::HEAD, 200), (Method::POST, 404)] {
            let mut router = router(&["/a"]);
            router
                .route(
                    Method::POST,
                    "/a",
                    Shape::Coded,
                    |call| async move { Err(HttpError::NotFound { path: call.path.into() }) },
                )
                .unlisted();
            let response = ask(router, method, "/a").await;
            assert_eq!(response.status(), status);
            let allow = response.headers().get(ALLOW).map(|allow| allow.to_str().unwrap());
            assert_eq!(allow, matches!(status, 204 | 405).then_some("GET, HEAD, OPTIONS, POST"));
            assert_eq!(response.extensions().get().map(|Matched(path)| *path), Some("/a"));
        }
    }

    #[tokio::test]
    async fn below_a_path_what_is_no_route_has_the_shape_that_was_said() {
        for (path, is_typed) in [
            ("/v9", true),
            ("/v9/", true),
            ("/v9/rooms/a/b", true),
            ("/v9//rooms", true),
            ("/", false),
            ("/v", false),
            ("/v99", false),
            ("/v90/rooms", false),
            ("/a/v9", false),
        ] {
            let mut router = router(&["/v9/rooms"]);
            router.unknown_below("/v9", Shape::Typed);
            let body = ask(router, Method::GET, path).await.into_body();
            let body = body.collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"].is_object(), is_typed, "{path}: {body}");
        }
    }
}
