//! `connect`: new connections for a while: ClientHello, one echo, close; some at a time.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::connecting::{Opening, Until, open};
use crate::histogram::Histogram;
use crate::phases::{Line, told_to_go};
use crate::preface::Preface;

pub const KNOWN: &[&str] = &["target", "sni", "routes", "at-once", "per-second", "size", "ms"];

pub fn run(args: &Args) -> Result<(), String> {
    let target = args.target()?;
    let at_once = args.number("at-once", 16_usize)?.max(1);
    let size = args.number("size", 64_usize)?;
    let window = Duration::from_millis(args.number("ms", 1_000_u64)?);
    let payload: Vec<u8> = (0..size).map(|i| (i * 31 + 7) as u8).collect();
    let opening = Opening::new(&target, Preface::echo(), payload);
    // The first ones find out that the way is open, and are not counted.
    open(&target, &opening, at_once, &Until::Count(at_once), &mut Histogram::new(), drop)?;
    Line::new("ready").say()?;
    if !told_to_go() {
        return Ok(());
    }
    let mut took = Histogram::new();
    let begun = Instant::now();
    match args.number("per-second", 0_u64)? {
        0 => open(&target, &opening, at_once, &Until::Time(begun + window), &mut took, drop)?,
        rate => {
            // By turns of so many at once, each when its last one is due: who is late catches up.
            let all = (window.as_secs_f64() * rate as f64) as usize;
            let mut opened = 0;
            while opened < all {
                let turn = at_once.min(all - opened);
                if begun.elapsed().as_secs_f64() * rate as f64 >= (opened + turn) as f64 {
                    open(&target, &opening, turn, &Until::Count(turn), &mut took, drop)?;
                    opened += turn;
                } else {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }
    Line::new("done")
        .number("count", took.count())
        .micros("wallUs", begun.elapsed().as_nanos() as u64)
        .micros("p50Us", took.quantile(0.5))
        .micros("p99Us", took.quantile(0.99))
        .micros("p999Us", took.quantile(0.999))
        .micros("maxUs", took.max())
        .say()
}
