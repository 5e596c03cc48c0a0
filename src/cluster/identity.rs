//! The identity of this node: its name in the cluster, and the tag in the session ids that it creates.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::core::ids;

/// The node's name is its label and a random incarnation. A node that was declared dead and lives on takes a new incarnation;
/// its tag stays, so that its sessions are still found.
#[derive(Debug)]
pub struct NodeIdentity {
    label: Box<str>,
    tag: Arc<str>,
    node: ArcSwap<Arc<str>>,
}

impl NodeIdentity {
    /// `node_id` as the operator gave it, unique in the cluster.
    pub fn new(node_id: &str) -> Arc<Self> {
        let label: Box<str> = ids::node_label(node_id).into();
        let node = incarnation(&label);
        Arc::new(Self { label, tag: ids::random(6).into(), node: ArcSwap::from_pointee(node) })
    }

    /// The node id, as it may stand in keys.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Eight characters of base64url, the same for the life of the process.
    pub fn tag(&self) -> &Arc<str> {
        &self.tag
    }

    /// `<label>.<incarnation>`, without spaces.
    pub fn node(&self) -> Arc<str> {
        Arc::clone(&self.node.load())
    }

    /// Takes a new incarnation; returns the new name.
    pub fn renew(&self) -> Arc<str> {
        let node = incarnation(&self.label);
        self.node.store(Arc::new(node.clone()));
        node
    }
}

/// The label in a node's name.
pub fn label_of(node: &str) -> &str {
    node.rsplit_once('.').map_or(node, |(label, _)| label)
}

fn incarnation(label: &str) -> Arc<str> {
    format!("{label}.{}", ids::random(6)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_incarnation_keeps_label_and_tag() {
        let identity = NodeIdentity::new("pod-1.example");
        let (node, tag) = (identity.node(), identity.tag().clone());
        assert_eq!(identity.label(), "pod-1-example");
        assert_eq!((label_of(&node), tag.len()), ("pod-1-example", 8));
        assert_ne!(identity.renew(), node);
        assert_eq!((label_of(&identity.node()), identity.tag()), ("pod-1-example", &tag));
    }
}
