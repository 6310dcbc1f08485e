//! The loop that joins the parts: threads that accept, read hellos, reach endpoints and move bytes.

mod accept;
mod admission;
mod captured;
mod connection;
mod deliver;
mod described;
mod dial;
mod events;
mod exposed;
mod give_up;
mod handle;
mod hello;
mod listeners;
mod look;
mod mtls;
mod obey;
mod options;
mod proxied;
mod queue;
mod reach;
mod relay;
#[cfg(test)]
mod relay_tests;
mod run;
mod say;
mod say_who;
mod serve;
mod shared;
mod side;
mod slab;
mod stream;
mod thread;
mod timers;
mod waiting;

pub use events::{Event, Outcome, Report};
pub use handle::{Bound, Engine};
pub use options::{Limits, ListenerKind, ListenerSpec, Options};
