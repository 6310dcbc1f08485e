//! HTTP/2 on the wire (RFC 9113).

mod control;
mod fields;
mod flow;
pub mod frame;
pub mod hpack;
mod send;
mod session;
mod stream;

pub use fields::{Fault, content_length};
pub use frame::PREFACE;
pub use session::{Happened, Role, Session};
pub use stream::Stream;
