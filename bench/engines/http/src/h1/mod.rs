//! HTTP/1.1 on the wire (RFC 9112): heads and bodies, both ways. Pure.

mod body;
mod head;
mod write;

pub use body::{BodyReader, Piece};
pub use head::{Parsed, request, request_body, response, response_body};
pub use write::{Framing, reason, write_data, write_end, write_request, write_response};
