//! What mTLS costs without sockets: two ends in memory on one thread. `cargo run --release --example tls_pair`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use isthmus_engine::tls::{ClientContext, ServerContext, TlsEnd};
use support::scene::{Scene, target};

/// Counts what is allocated and not freed.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is System's own; the counter beside it touches no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of GlobalAlloc, which is System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; the pointer came from System.
        unsafe { System.dealloc(pointer, layout) }
    }
}

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
    let mut buffers = Buffers {
        sealed: vec![0; BUFFER],
        plaintext: vec![0; BUFFER],
    };

    let [mut up, mut down] = pair(&client, &server, &mut buffers);
    for size in [16 * 1024, 128 * 1024, 240 * 1024] {
        let said = vec![7; size];
        let (start, rounds) = (cpu(), 1_000_000_000 / size);
        for _ in 0..rounds {
            assert_eq!(buffers.pass(&mut up, &mut down, &said), size);
        }
        println!(
            "one way, {:3} KB at a time: {:.3} CPU s/GB",
            size / 1024,
            (cpu() - start) / (rounds * size) as f64 * 1e9
        );
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
    println!(
        "full handshake with whom the server has not seen before: {:.0} µs",
        (cpu() - start) / strangers.len() as f64 * 1e6
    );

    let start = cpu();
    for _ in 0..rounds {
        assert!(pair(&client, &server, &mut buffers)[0].is_resumed());
    }
    println!("resumed handshake: {:.0} µs", (cpu() - start) / f64::from(rounds) * 1e6);

    let before = LIVE.load(Relaxed);
    let mut idle: Vec<[TlsEnd; 2]> = Vec::with_capacity(1_000);
    for _ in 0..1_000 {
        let mut ends = pair(&client, &server, &mut buffers);
        let [up, down] = &mut ends;
        buffers.pass(up, down, &[1; 5_000]);
        buffers.pass(down, up, &[1; 50_000]);
        idle.push(ends);
    }
    let both = (LIVE.load(Relaxed) - before) / idle.len();
    idle.iter_mut()
        .for_each(|[client, _]| *client = TlsEnd::server(&server, |_| false).unwrap());
    println!("idle, both ends: {both} bytes; a TlsEnd is {} of each", size_of::<TlsEnd>());
}
