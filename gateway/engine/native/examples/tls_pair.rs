//! What mTLS costs without sockets: two ends in memory on one thread. `cargo run --release --example tls_pair`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use isthmus_engine::tls::{ClientContext, ServerContext, TlsEnd, sealed_room};
use support::counting::{Counting, live};
use support::scene::{Scene, target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// CPU seconds of this process.
fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours, which lives through the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

const BUFFER: usize = 256 * 1024;

/// The buffers that a thread of an engine has for all of its connections.
struct Buffers {
    sealed: Vec<u8>,
    plaintext: Vec<u8>,
}

impl Buffers {
    /// What `from` says reaches `to`; returns the bytes that came out.
    fn pass(&mut self, from: &mut TlsEnd, to: &mut TlsEnd, said: &[u8]) -> usize {
        let sealed = from.seal(said, &mut self.sealed).unwrap();
        assert_eq!(sealed.taken, said.len());
        to.open(&mut self.sealed[..sealed.written], &mut self.plaintext).unwrap().plaintext
    }

    fn shake_hands(&mut self, client: &mut TlsEnd, server: &mut TlsEnd) {
        while !(client.outgoing().is_empty() && server.outgoing().is_empty()) {
            self.pass(client, server, &[]);
            self.pass(server, client, &[]);
        }
    }
}

fn pair(client: &ClientContext, server: &Arc<ServerContext>, buffers: &mut Buffers) -> [TlsEnd; 2] {
    let target = client.target(&target("orders")).unwrap();
    let mut ends = [TlsEnd::client(&target).unwrap(), TlsEnd::server(server, |_| false).unwrap()];
    let [client, server] = &mut ends;
    buffers.shake_hands(client, server);
    assert!(client.peer().is_some() && server.peer().is_some());
    ends
}

fn main() {
    let scene = Scene::new();
    let server = scene.server(&scene.east.svid("orders"), &[]);
    let caller = scene.east.svid("caller");
    let client = scene.client(&caller);
    let mut buffers = Buffers { sealed: vec![0; sealed_room(BUFFER)], plaintext: vec![0; sealed_room(BUFFER)] };

    let [mut up, mut down] = pair(&client, &server, &mut buffers);
    for size in [16 * 1024, 128 * 1024, BUFFER] {
        let said = vec![7; size];
        let (start, rounds) = (cpu(), 1_000_000_000 / size);
        for _ in 0..rounds {
            assert_eq!(buffers.pass(&mut up, &mut down, &said), size);
        }
        println!("one way, {:3} KB at a time: {:.3} CPU s/GB", size / 1024, (cpu() - start) / (rounds * size) as f64 * 1e9);
    }

    let (start, rounds) = (cpu(), 100_000);
    for _ in 0..rounds {
        buffers.pass(&mut up, &mut down, &[1; 64]);
        buffers.pass(&mut down, &mut up, &[1; 64]);
    }
    println!("64-byte round trip: {:.2} µs", (cpu() - start) / f64::from(rounds) * 1e6);

    let rounds = 2_000;
    // A context that knows no session for each, made beforehand.
    let fresh: Vec<_> = (0..rounds).map(|_| scene.client(&caller)).collect();
    let start = cpu();
    for client in &fresh {
        assert!(!pair(client, &server, &mut buffers)[0].is_resumed());
    }
    println!("full handshake: {:.0} µs", (cpu() - start) / f64::from(rounds) * 1e6);

    let strangers: Vec<_> = (0..500).map(|n| scene.client(&scene.east.svid(&format!("caller-{n}")))).collect();
    let start = cpu();
    for client in &strangers {
        pair(client, &server, &mut buffers);
    }
    println!("full handshake with whom the server has not seen before: {:.0} µs", (cpu() - start) / strangers.len() as f64 * 1e6);

    let start = cpu();
    for _ in 0..rounds {
        assert!(pair(&client, &server, &mut buffers)[0].is_resumed());
    }
    println!("resumed handshake: {:.0} µs", (cpu() - start) / f64::from(rounds) * 1e6);

    let before = live();
    let mut idle: Vec<[TlsEnd; 2]> = Vec::with_capacity(1_000);
    for _ in 0..1_000 {
        let mut ends = pair(&client, &server, &mut buffers);
        let [up, down] = &mut ends;
        buffers.pass(up, down, &[1; 5_000]);
        buffers.pass(down, up, &[1; 50_000]);
        idle.push(ends);
    }
    let both = (live() - before) / idle.len();
    println!("idle, both ends: {both} bytes; a TlsEnd is {} of each", size_of::<TlsEnd>());
}
