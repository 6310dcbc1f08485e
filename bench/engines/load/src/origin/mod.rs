//! `origin`: what stands behind the proxies: echoes, counts, or floods, as each connection asks.

mod peer;

use std::net::{SocketAddrV4, TcpListener};

use crate::args::Args;
use crate::pattern::Pattern;
use crate::phases::Line;
use crate::sys::{self, Interest, Poll};
use peer::{Next, Peer};

pub const KNOWN: &[&str] = &["address"];
const LISTENER: usize = usize::MAX;
const STDIN: usize = usize::MAX - 1;

/// Says `ready` with its port, and serves until standard input ends.
pub fn run(args: &Args) -> Result<(), String> {
    let text = args.text("address").unwrap_or("127.0.0.1:0");
    let address: SocketAddrV4 = text.parse().map_err(|_| format!("--address {text}: not an IPv4 address and port"))?;
    let listener = sys::listen(address).map_err(|error| format!("listen on {address}: {error}"))?;
    let port = listener.local_addr().map_err(|error| format!("listen: {error}"))?.port();
    Line::new("ready").number("port", u64::from(port)).say()?;
    serve(&listener).map_err(|error| format!("origin: {error}"))
}

fn serve(listener: &TcpListener) -> std::io::Result<()> {
    let mut poll = Poll::new()?;
    poll.add(listener, LISTENER, Interest::READ)?;
    poll.add(&std::io::stdin(), STDIN, Interest::READ)?;
    let pattern = Pattern::new();
    let mut buffer = vec![0; 262_144];
    let mut peers: Vec<Option<Peer>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    loop {
        for (token, readable, writable) in poll.wait(-1)? {
            if token == STDIN {
                return Ok(());
            }
            if token == LISTENER {
                accept(listener, &poll, &mut peers, &mut free)?;
                continue;
            }
            let Some(place) = peers.get_mut(token) else { continue };
            let Some(peer) = place else { continue };
            match peer.on_event(readable, writable, &pattern, &mut buffer) {
                Next::Watch(interest) if interest == peer.watched => {}
                Next::Watch(interest) => {
                    peer.watched = interest;
                    poll.change(&peer.stream, token, interest)?;
                }
                Next::Close => {
                    *place = None;
                    free.push(token);
                }
                Next::Reset(why) => {
                    eprintln!("origin: {why}");
                    if let Some(peer) = place.take() {
                        sys::reset(peer.stream);
                    }
                    free.push(token);
                }
            }
        }
    }
}

/// As many as wait, up to a batch: the others have their turn in between.
fn accept(listener: &TcpListener, poll: &Poll, peers: &mut Vec<Option<Peer>>, free: &mut Vec<usize>) -> std::io::Result<()> {
    for _ in 0..64 {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if sys::would_block(&error) => return Ok(()),
            // A caller that has gone again is nobody's fault.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let slot = free.pop().unwrap_or_else(|| {
            peers.push(None);
            peers.len() - 1
        });
        poll.add(&stream, slot, Interest::READ)?;
        peers[slot] = Some(Peer::new(stream));
    }
    Ok(())
}
