//! What the engine looks up for each new connection: decisions of TypeScript as plain, immutable data. A change is a new `Tables` that shares
//! what did not change; connections keep what they were admitted with.

mod apply;
mod cluster;
mod message;
mod places;
mod sharded;

pub use apply::Tickets;
pub use cluster::{Cluster, Counted, Endpoint, Released, Standing};
pub use message::{ClusterMessage, MeshEnd, PlanMessage, Policy, TablesMessage};
pub use places::{Place, PlaceNews, Places, Watched};
pub use sharded::Sharded;

use std::sync::Arc;

use crate::identity::CompiledBundle;
use crate::policy::authz::CompiledRules;
use crate::policy::cidr::SourceRanges;
use crate::tls::{ClientContext, ServerContext};

/// By SNI.
#[derive(Clone)]
pub enum SniRule {
    /// To this cluster, as it is.
    Passthrough { cluster: Arc<str> },
    /// The end of mTLS of a byte stream: whoever may call is led to this cluster.
    Terminate(Arc<Terminate>),
    /// The end of mTLS of requests, or something else that TypeScript serves: the connection is handed over with what was read of it. `any_subset`: see findSniRule.
    Node { any_subset: bool },
}

/// Who may call an mTLS end, and where it leads.
pub struct Terminate {
    pub cluster: Arc<str>,
    pub any_subset: bool,
    pub hand_over: bool,
    /// Nobody has said who may call: nobody new is let in, and nobody who is in is cut.
    pub unknown: bool,
    pub rules: CompiledRules,
    pub end: MeshEnd,
}

impl SniRule {
    pub fn terminate(&self) -> Option<&Arc<Terminate>> {
        match self {
            Self::Terminate(terminate) => Some(terminate),
            _ => None,
        }
    }

    /// Callers of a service's subsets are meant, too.
    pub fn any_subset(&self) -> bool {
        match self {
            Self::Passthrough { .. } => false,
            Self::Terminate(terminate) => terminate.any_subset,
            Self::Node { any_subset } => *any_subset,
        }
    }
}

/// What this process shows and believes. A renewed SVID or a changed bundle is another one; connections that run keep theirs.
pub struct Identity {
    pub trust: Arc<CompiledBundle>,
    pub server: Arc<ServerContext>,
    pub client: Arc<ClientContext>,
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
    pub identity: Option<Arc<Identity>>,
    /// Another number whenever peers of running connections may have to be judged again.
    pub judgement: u64,
}
