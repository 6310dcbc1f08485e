//! Readers and writers of what crosses the network before any byte is relayed: the ClientHello, the PROXY protocol's header, the mesh's
//! server names. Pure: no clock, no I/O, no unsafe; whatever bytes come, they answer and never panic.

pub mod client_hello;
mod cursor;
pub mod find_rule;
mod hello_message;
pub mod proxy_protocol;
pub mod sni_name;
