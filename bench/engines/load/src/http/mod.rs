//! HTTP/1.1 and HTTP/2 in the clear, no more of them than a load and its origin need: what is measured is the proxy between the two.

mod client1;
mod client2;
mod frames;
mod origin;
mod origin1;
mod origin2;

pub use client1::{KNOWN as CLIENT1, run as http1};
pub use client2::{KNOWN as CLIENT2, run as http2};
pub use origin::{KNOWN as ORIGIN, run as origin};

use std::time::Duration;

use crate::args::Args;
use crate::histogram::Histogram;
use crate::phases::Line;

/// What requests ask for.
const HOST: &str = "orders.shop.mesh.internal";
const PATH: &str = "/orders/1";
const AGENT: &str = "bench/1.0";
/// What a read takes at most.
const READ: usize = 262_144;

/// What a load counts.
struct Counted {
    took: Histogram,
    bytes: u64,
}

impl Counted {
    fn new() -> Self {
        Self { took: Histogram::new(), bytes: 0 }
    }

    fn say(&self, wall: Duration) -> Result<(), String> {
        Line::new("done")
            .number("count", self.took.count())
            .number("bytes", self.bytes)
            .micros("wallUs", wall.as_nanos() as u64)
            .micros("p50Us", self.took.quantile(0.5))
            .micros("p99Us", self.took.quantile(0.99))
            .micros("p999Us", self.took.quantile(0.999))
            .micros("maxUs", self.took.max())
            .say()
    }
}

fn window(args: &Args) -> Result<Duration, String> {
    Ok(Duration::from_millis(args.number("ms", 1_000_u64)?))
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{what}: {error}")
}
