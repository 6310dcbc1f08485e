//! Which rule a request falls under and where that leads, by tables that TypeScript writes: `Routing` of `core/traffic`, as it is.

mod by_domain;
mod compile;
mod message;
mod request;
mod rules;

pub use compile::{Action, Rule, Tables, Target, VirtualHosts};
pub use message::{Protocol, RoutingMessage, TablesMessage};
pub use request::Request;
