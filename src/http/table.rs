//! The routes of one feature: what all of them need, and the checks before a request reaches its handler.

use std::sync::Arc;

use hyper::Method;

use super::guards::InternalDoor;
use super::router::{Added, Answer, Call, Router};
use super::{HttpError, Shape};
use crate::store::as_one_call;

/// What the routes of a feature need.
pub trait Api: Send + Sync + 'static {
    /// The check before its routes for the company's own services.
    fn door(&self) -> &InternalDoor;
}

/// Adds the routes of one feature. All calls of a request to PostgreSQL together may take as long as one call may take.
pub struct Table<'a, A> {
    router: &'a mut Router,
    shape: Shape,
    api: Result<Arc<A>, &'static str>,
}

impl<'a, A: Api> Table<'a, A> {
    /// Routes that refuse in this shape. `Err`: this setting is missing, so that the feature is off and all of them answer 501.
    pub fn new(router: &'a mut Router, shape: Shape, api: Result<A, &'static str>) -> Self {
        Self { router, shape, api: api.map(Arc::new) }
    }

    /// A route whose handler decides who may use it.
    pub fn add<F>(
        &mut self,
        method: Method,
        path: &'static str,
        handler: impl Fn(Arc<A>, Call) -> F + Send + Sync + 'static,
    ) -> Added<'_>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        self.add_shaped(method, path, self.shape, handler)
    }

    /// [`Table::add`] for a route that refuses in another shape.
    pub fn add_shaped<F>(
        &mut self,
        method: Method,
        path: &'static str,
        shape: Shape,
        handler: impl Fn(Arc<A>, Call) -> F + Send + Sync + 'static,
    ) -> Added<'_>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let api = self.api.clone();
        self.router.route(method, path, shape, move |call| {
            let handled = match &api {
                Ok(api) => Ok(handler(api.clone(), call)),
                Err(setting) => Err(HttpError::NotConfigured { setting }),
            };
            async move { as_one_call(handled?).await }
        })
    }

    /// A route for the company's own services. `X-Internal-Token` is checked before anything else.
    pub fn add_internal<F>(&mut self, method: Method, path: &'static str, handler: fn(Arc<A>, Call) -> F) -> Added<'_>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        self.add(method, path, move |api: Arc<A>, call| async move {
            api.door().admit(&call)?;
            handler(api, call).await
        })
        .internal()
    }
}
