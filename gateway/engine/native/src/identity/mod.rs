//! Who is at the other end: X.509-SVIDs (SPIFFE X.509-SVID) verified against trust bundles, by the rules of core/pki and in its words. Shared
//! vectors (test/vectors/peer-verification.json) hold both to the same verdicts. Pure: time is an argument, Unix ms.

mod bundle;
mod certificate;
mod der;
mod extensions;
mod foreign;
mod foreign_constraints;
pub mod hex;
mod leaf_use;
mod oids;
mod path;
mod peer;
mod peer_json;
mod remembered;
mod signature;
mod spiffe_id;
mod time_text;
mod verify;

pub use bundle::{CompiledBundle, IntermediateEntry, TrustBundle};
pub use certificate::{Certificate, parse_certificate};
pub use peer::{Expectation, Peer, verify_peer};
