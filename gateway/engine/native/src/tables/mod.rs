//! What the engine looks up for each new connection: decisions of TypeScript as plain, immutable data. A change is a new `Tables` that shares
//! what did not change; connections keep what they were admitted with.

mod apply;
mod cluster;
mod message;
mod sharded;

pub use cluster::{Cluster, Counted, Endpoint, Released};
pub use message::{ClusterMessage, PlanMessage, Policy, TablesMessage};
pub use sharded::Sharded;

use std::sync::Arc;

use crate::policy::cidr::SourceRanges;

/// By SNI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SniRule {
    /// To this cluster, as it is.
    Passthrough { cluster: Arc<str> },
    /// The end of mTLS, or something else that TypeScript serves: the connection is handed over with what was read of it. `any_subset`: see findSniRule.
    Node { any_subset: bool },
}

/// By listener.
pub enum PlainRule {
    Forward {
        cluster: Arc<str>,
        allow: SourceRanges,
    },
    /// Requests have to be seen: the connection is handed over.
    Node,
}

/// All of them at one moment.
#[derive(Clone, Default)]
pub struct Tables {
    pub sni: Sharded<SniRule>,
    pub plain: Sharded<PlainRule>,
    pub clusters: Sharded<Cluster>,
}
