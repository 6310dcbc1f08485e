//! What the engine looks up for each new connection: decisions of TypeScript as plain, immutable data. A change is a new `Tables` that shares
//! what did not change; connections keep what they were admitted with.

mod apply;
mod captured;
mod cluster;
mod dial;
mod identity;
mod latency;
mod message;
mod places;
mod sharded;

pub use captured::{CaptureRule, Captured};
pub use cluster::{Cluster, Counted, Endpoint, Released, Standing};
pub use identity::{Identity, OwnSvid, Tickets};
pub use latency::{BOUNDS_MS, Latency, Spread};
pub use message::{
    ClusterMessage, Delivery, DialMessage, L4MatchMessage, L4RuleMessage, MeshEnd, MtlsMode, PlanMessage, Policy, RoutingMessage,
    TablesMessage,
};
pub use places::{Place, PlaceNews, Places, Watched};
pub use sharded::Sharded;

use std::collections::HashMap;
use std::sync::Arc;

use crate::pick::Routing;
use crate::policy::authz::CompiledRules;
use crate::policy::cidr::SourceRanges;

/// By SNI.
#[derive(Clone)]
pub enum SniRule {
    /// To this cluster, as it is.
    Passthrough { cluster: Arc<str> },
    /// The end of mTLS: whoever may call is led to this cluster, or delivered.
    Terminate(Arc<Terminate>),
    /// Something else, that TypeScript serves: the connection is handed over with what was read of it. `any_subset`: see findSniRule.
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
    /// Names what is shown in place of the identity's.
    pub svid: Option<Box<str>>,
    /// Its requests are TypeScript's. None: it carries bytes.
    pub deliver: Option<Delivery>,
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

/// By listener.
pub enum PlainRule {
    Forward {
        cluster: Arc<str>,
        allow: SourceRanges,
    },
    /// To one of several clusters.
    Split {
        allow: SourceRanges,
        routing: Routing,
    },
    /// Requests have to be seen: the connection is handed over.
    Node,
}

/// By listener: a service's own port.
pub struct Exposed {
    pub mode: MtlsMode,
    /// The service's.
    pub port: u16,
    /// Its requests have to be seen.
    pub http: bool,
    /// Who may call in the clear, and where that leads.
    pub end: Arc<Terminate>,
}

/// All of them at one moment.
#[derive(Clone, Default)]
pub struct Tables {
    pub sni: Sharded<SniRule>,
    pub plain: Sharded<PlainRule>,
    /// By listener; few.
    pub captured: Arc<HashMap<Box<str>, Arc<CaptureRule>>>,
    pub exposed: Sharded<Exposed>,
    pub clusters: Sharded<Cluster>,
    pub identity: Option<Arc<Identity>>,
    /// By the names that rules call them; few.
    pub svids: Arc<HashMap<Box<str>, OwnSvid>>,
    /// Another number whenever peers of running connections may have to be judged again.
    pub judgement: u64,
}
