//! The loop that joins the parts: threads that accept, read hellos, reach endpoints and move bytes.

mod admission;
mod connection;
mod events;
mod handle;
mod hello;
mod mtls;
mod options;
mod queue;
mod reach;
mod relay;
mod run;
mod serve;
mod shared;
mod slab;
mod stream;
mod thread;
mod timers;

pub use events::{Event, Outcome, Report};
pub use handle::{Bound, Engine};
pub use options::{Limits, ListenerKind, ListenerSpec, Options};
