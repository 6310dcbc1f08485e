//! Both ends of mTLS over rustls, without sockets and without a clock of its own: bytes go in and out by the caller's buffers, Unix ms come
//! from a function that it hands over. Who the peer is, is judged by `identity`, on every handshake and on every resumption.
//!
//! How a loop drives an end: what the socket gives goes through `open_with` (what was read before, a ClientHello, through `open`); `outgoing` is
//! sent whenever it is not empty, and `sent` says how much went; once `peer` is there, plaintext goes through `seal` into a buffer of
//! `sealed_room` and on to the socket, and is read from its source only when all of it was sent. FIN is `end_of_input`; the end of our own
//! direction is `close`, whose close_notify is in `outgoing`, before FIN. After a fault `outgoing` is tried once, and the socket is reset.

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
pub use output::{Sealed, sealed_room};
pub use own_identity::OwnIdentity;
pub use server_context::ServerContext;
pub use target::{Target, TargetContext};
pub use tickets::TicketKeys;
