//! What this feature says of itself to the application.

use std::sync::Arc;

use super::door::Door;
use super::metrics;
use super::namespace::Operators;
use super::settings::{self, Settings};
use super::show::Show;
use super::source::Source;
use super::viewer::Viewer;
use super::{NAMESPACE, peers};
use crate::feature::{Clients, Configured, Feature, Parts, Running, World};
use crate::settings::table::Group;
use crate::settings::{Reader, Settings as Base};
use crate::telemetry::metrics::Metric;

/// The feature.
pub const ADMIN: &dyn Feature = &OperatorsView;

struct OperatorsView;

struct Set(Settings);

struct AtWork(Arc<Source>);

impl Feature for OperatorsView {
    fn settings(&self) -> &'static [Group] {
        settings::GROUPS
    }

    fn metrics(&self) -> &'static [Metric] {
        metrics::METRICS
    }

    fn read(&self, _: &Base, read: &mut Reader<'_>) -> Box<dyn Configured> {
        Box::new(Set(Settings::read(read)))
    }
}

impl Configured for Set {
    fn notices(&self, _: &Base) -> Vec<String> {
        let Settings { credentials, view, .. } = &self.0;
        let is_on = credentials.is_some();
        let notices = [
            (is_on, format!("the operator's view is on: namespace {NAMESPACE}")),
            (is_on && view.has_sockets() && view.payloads, "operators see what events carry: ADMIN_PAYLOADS is true".into()),
            (is_on && !view.readonly, "operators may disconnect sockets: ADMIN_READONLY is false".into()),
        ];
        notices.into_iter().filter(|(holds, _)| *holds).map(|(_, notice)| notice).collect()
    }

    fn build(&self, world: &World) -> anyhow::Result<Parts> {
        let Settings { credentials, session, view, connections } = &self.0;
        let Some(credentials) = credentials.clone() else { return Ok(Parts::default()) };
        let (node, view) = (&world.node, *view);
        let door = Arc::new(Door::new(credentials, *session));
        let show = Show { node: node.identity.label().into(), door: door.clone(), payloads: view.payloads };
        let source = Source::new(show, view.has_sockets(), view.events_per_second);
        peers::answer(&node.peers, &source);
        let viewer = Viewer::new(view, source.clone(), node.registry.clone(), node.identity.tag().clone());
        let operators = Arc::new(Operators { door, viewer, view, most: *connections });
        Ok(Parts { namespaces: vec![operators.namespace()], running: Arc::new(AtWork(source)), ..Parts::default() })
    }
}

impl Running for AtWork {
    fn clients(&self, clients: &Clients) {
        self.0.look_at(clients);
    }
}
