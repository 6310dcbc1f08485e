//! The native engine: what moves bytes for `gateway/engine`. TypeScript decides and writes its decisions as plain tables; threads of this
//! crate look them up for each new connection and call nobody per byte. Nothing of JavaScript runs on these threads.
//!
//! `parse`, `policy`, `pick` and `identity` are pure; `net` holds the system calls; `engine` is the loop that joins them; `node_api` is the door
//! to Node.

pub mod engine;
pub mod identity;
#[cfg(feature = "node")]
mod memory;
pub mod net;
#[cfg(feature = "node")]
mod node_api;
pub mod parse;
pub mod pick;
pub mod policy;
pub mod tables;
pub mod tls;
