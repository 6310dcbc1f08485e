//! Load for proxies of bytes, the origin behind them, and checksummed streams. Every sub-command is one thread that prints lines of JSON.

mod args;
mod bulk;
mod connect;
mod connecting;
mod flow;
mod hello;
mod histogram;
mod http;
mod origin;
mod pattern;
mod phases;
mod ping_pong;
mod preface;
mod soak;
mod sys;

use std::process::ExitCode;

use args::Args;

const HELP: &str = "load origin    [--address 127.0.0.1:0]
load ping-pong --target 127.0.0.1:PORT [--sni NAME [--routes N]] [--connections 64] [--idle 0] [--size 64] [--ms 1000]
load connect   --target 127.0.0.1:PORT [--sni NAME [--routes N]] [--at-once 16] [--size 64] [--ms 1000]
load bulk      --target 127.0.0.1:PORT [--sni NAME [--routes N]] [--connections 1] [--direction up|down|both] [--ms 1000]
load http1     --target 127.0.0.1:PORT [--connections 64] [--size 64] [--ms 1000]
load http2     --target 127.0.0.1:PORT [--connections 8] [--streams 8] [--size 64] [--ms 1000]
load http-origin [--address 127.0.0.1:0] [--speaks http1|http2] [--size 64]
load soak      --target 127.0.0.1:PORT --origin-port PORT [--sni NAME [--routes N]] [--connections 1000] [--concurrency 200] [--seed 1]
               [--endings all|resets|clean]

All but origins and soak say {\"phase\":\"ready\"}, wait for a line on standard input, and say {\"phase\":\"done\", ...}. With --sni a ClientHello with that name goes
ahead, {} in it being the number of the route; without it the bytes are plain. soak is its own
origin: the proxy leads to --origin-port. Whatever comes back wrong ends with status 1.
";

type Command = fn(&Args) -> Result<(), String>;

fn main() -> ExitCode {
    let mut given = std::env::args().skip(1);
    let (run, known): (Command, &[&str]) = match given.next().as_deref() {
        Some("origin") => (origin::run, origin::KNOWN),
        Some("ping-pong") => (ping_pong::run, ping_pong::KNOWN),
        Some("connect") => (connect::run, connect::KNOWN),
        Some("bulk") => (bulk::run, bulk::KNOWN),
        Some("http1") => (http::http1, http::CLIENT1),
        Some("http2") => (http::http2, http::CLIENT2),
        Some("http-origin") => (http::origin, http::ORIGIN),
        Some("soak") => (soak::run, soak::KNOWN),
        Some("--help" | "help") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match Args::parse(given, known).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}
