//! `http-prototype --tables FILE [--address 127.0.0.1:0]`: says `{"port":N}` and serves until standard input ends.

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use isthmus_engine::net::{KeepAlive, listen};
use isthmus_http_prototype::routes::{Tables, TablesMessage};
use isthmus_http_prototype::run::Worker;

const KEEP_ALIVE: KeepAlive = KeepAlive { after_s: 60 };

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("http-prototype: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let (tables, address) = arguments()?;
    let text = std::fs::read(&tables).map_err(|error| format!("{tables}: {error}"))?;
    let message: TablesMessage = serde_json::from_slice(&text).map_err(|error| format!("{tables}: {error}"))?;
    let compiled = Tables::compile(message).map_err(|why| format!("{tables}: {why}"))?;
    let listening = listen(address, 1, KEEP_ALIVE).map_err(|error| format!("listen on {address}: {error}"))?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    let mut worker = Worker::new(compiled, seed).map_err(|error| format!("epoll: {error}"))?;
    println!("{{\"port\":{}}}", listening.address.port());
    std::io::stdout().flush().map_err(|error| format!("standard output: {error}"))?;
    let [listener] = listening.sockets.as_slice() else { return Err("one socket was asked for".to_owned()) };
    worker.run(listener, std::io::stdin().as_raw_fd()).map_err(|error| format!("epoll: {error}"))
}

fn arguments() -> Result<(String, SocketAddr), String> {
    let mut given = std::env::args().skip(1);
    let (mut tables, mut address) = (None, SocketAddr::from(([127, 0, 0, 1], 0)));
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name}: no value"))?;
        match name.as_str() {
            "--tables" => tables = Some(value),
            "--address" => address = value.parse().map_err(|_| format!("--address {value}: not an address and port"))?,
            _ => return Err(format!("{name}: neither --tables nor --address")),
        }
    }
    Ok((tables.ok_or("--tables FILE is missing")?, address))
}
