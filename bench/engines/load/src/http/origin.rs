//! `http-origin`: answers every request with a body of one size.

use std::net::{SocketAddrV4, TcpListener};

use super::READ;
use super::origin1::Peer1;
use super::origin2::Peer2;
use crate::args::Args;
use crate::pattern::Pattern;
use crate::phases::Line;
use crate::sys::{self, Interest, Poll};

pub const KNOWN: &[&str] = &["address", "speaks", "size"];
const LISTENER: usize = usize::MAX;
const STDIN: usize = usize::MAX - 1;

/// One connection. An error closes it.
pub trait Peer {
    fn on_event(&mut self, readable: bool, pattern: &Pattern, buffer: &mut [u8]) -> std::io::Result<Interest>;
}

type Make = fn(std::net::TcpStream, usize) -> Box<dyn Peer>;

struct Open {
    fd: std::net::TcpStream,
    watched: Interest,
    peer: Box<dyn Peer>,
}

/// Says `ready` with its port, and serves until standard input ends.
pub fn run(args: &Args) -> Result<(), String> {
    let text = args.text("address").unwrap_or("127.0.0.1:0");
    let address: SocketAddrV4 = text.parse().map_err(|_| format!("--address {text}: not an IPv4 address and port"))?;
    let size = args.number("size", 64_usize)?;
    let make: Make = match args.text("speaks").unwrap_or("http1") {
        "http1" => |stream, size| Box::new(Peer1::new(stream, size)),
        "http2" => |stream, size| Box::new(Peer2::new(stream, size)),
        other => return Err(format!("--speaks {other}: http1 or http2")),
    };
    let listener = sys::listen(address).map_err(|error| format!("listen on {address}: {error}"))?;
    let port = listener.local_addr().map_err(|error| format!("listen: {error}"))?.port();
    Line::new("ready").number("port", u64::from(port)).say()?;
    serve(&listener, make, size).map_err(|error| format!("origin: {error}"))
}

fn serve(listener: &TcpListener, make: Make, size: usize) -> std::io::Result<()> {
    let mut poll = Poll::new()?;
    poll.add(listener, LISTENER, Interest::READ)?;
    poll.add(&std::io::stdin(), STDIN, Interest::READ)?;
    let pattern = Pattern::new();
    let mut buffer = vec![0; READ];
    let mut open: Vec<Option<Open>> = Vec::new();
    loop {
        for (token, readable, _) in poll.wait(-1)? {
            if token == STDIN {
                return Ok(());
            }
            if token == LISTENER {
                accept(listener, &poll, &mut open, make, size)?;
                continue;
            }
            let Some(place) = open.get_mut(token) else { continue };
            let Some(Open { fd, watched, peer }) = place else { continue };
            match peer.on_event(readable, &pattern, &mut buffer) {
                Ok(interest) if interest == *watched => {}
                Ok(interest) => {
                    *watched = interest;
                    poll.change(fd, token, interest)?;
                }
                Err(_) => *place = None,
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, open: &mut Vec<Option<Open>>, make: Make, size: usize) -> std::io::Result<()> {
    for _ in 0..64 {
        let fd = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if sys::would_block(&error) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        fd.set_nonblocking(true)?;
        fd.set_nodelay(true)?;
        let slot = open.iter().position(Option::is_none).unwrap_or_else(|| {
            open.push(None);
            open.len() - 1
        });
        poll.add(&fd, slot, Interest::READ)?;
        let peer = make(fd.try_clone()?, size);
        open[slot] = Some(Open { fd, watched: Interest::READ, peer });
    }
    Ok(())
}

/// Writes from the front of `out`; whether all of it went.
pub fn flush(mut stream: &std::net::TcpStream, out: &mut Vec<u8>) -> std::io::Result<bool> {
    use std::io::Write;
    while !out.is_empty() {
        match stream.write(out) {
            Ok(wrote) => drop(out.drain(..wrote)),
            Err(error) if sys::would_block(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
