//! `soak`: connections of random sizes, pauses and endings through a proxy to an origin in this same process; every byte is checked at both ends.

mod book;
mod driver;
mod end;
mod plan;
mod random;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Instant;

use crate::args::Args;
use crate::phases::Line;
use book::Book;
use driver::Driver;
use plan::Endings;

pub const KNOWN: &[&str] = &["target", "sni", "routes", "origin-port", "connections", "concurrency", "seed", "endings"];

/// Says `done` with its counts and the first failures; wrong when there is one.
pub fn run(args: &Args) -> Result<(), String> {
    let target = args.target()?;
    let port = args.number("origin-port", 0_u16)?;
    if port == 0 {
        return Err("--origin-port is missing: the port on 127.0.0.1 that the proxy leads to, where the soak listens".to_owned());
    }
    let connections = args.number("connections", 1_000_u64)?;
    let concurrency = args.number("concurrency", 200_usize)?.max(1);
    let endings = match args.text("endings").unwrap_or("all") {
        "all" => Endings::All,
        "resets" => Endings::Resets,
        "clean" => Endings::Clean,
        other => return Err(format!("--endings {other}: one of all, resets, clean")),
    };
    let book = Book::new(args.number("seed", 1_u64)?, endings);
    let begun = Instant::now();
    let origin = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let driver = Driver::new(target, origin, book, connections).map_err(|error| format!("listen on {origin}: {error}"))?;
    let (book, bytes) = driver.run(concurrency).map_err(|error| format!("soak: {error}"))?;
    let summary = book.close();
    Line::new("done")
        .number("connections", connections)
        .number("clean", summary.clean)
        .number("resets", summary.resets)
        .number("failed", summary.failed)
        .number("truncated", summary.truncated)
        .number("unnamed", book.unnamed)
        .number("bytes", bytes)
        .micros("wallUs", begun.elapsed().as_nanos() as u64)
        .texts("failures", &summary.failures)
        .say()?;
    if summary.failed == 0 { Ok(()) } else { Err(format!("{} of {connections} connections failed", summary.failed)) }
}
