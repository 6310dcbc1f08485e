//! Both ends of mTLS over rustls, without sockets and without a clock of its own: bytes go in and out by the caller's buffers, Unix ms come
//! from a function that it hands over. Who the peer is, is judged by `identity`, on every handshake and on every resumption.

mod client_context;
mod client_verifier;
mod conversation;
mod crypto;
mod end;
mod fault;
mod output;
mod own_identity;
mod server_context;
mod server_verifier;
mod sessions;
mod target;
mod tickets;

pub use client_context::ClientContext;
pub use crypto::Clock;
pub use end::{Opened, TlsEnd};
pub use fault::TlsFault;
pub use output::Sealed;
pub use own_identity::OwnIdentity;
pub use server_context::ServerContext;
pub use target::{Target, TargetContext};
pub use tickets::TicketKeys;
