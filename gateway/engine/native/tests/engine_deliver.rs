//! Connections of which the embedder has one end by a socket pair, through an engine of one thread, with rustls at the far end.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use isthmus_engine::engine::{Engine, Event};
use rustls::{ClientConnection, StreamOwned};
use serde_json::json;
use support::{Cluster, DOMAIN, Mesh, pipe, set_now};

type Caller = StreamOwned<ClientConnection, TcpStream>;

struct World {
    engine: Engine,
    port: u16,
    east: Cluster,
    _alone: MutexGuard<'static, ()>,
}

/// Descriptors are the process's.
static ALONE: Mutex<()> = Mutex::new(());

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const NAME: &str = "orders.shop";

impl World {
    fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        set_now(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64);
        let mesh = Mesh::new();
        let east = mesh.cluster("east");
        let options = json!({ "limits": { "maxConnections": 100, "maxConnectionsPerSource": 100, "maxHelloBytes": 16384, "helloTimeoutMs": 5000,
            "quietMs": 1000, "handshakeTimeoutMs": 10000, "idleTimeoutMs": 0, "halfCloseTimeoutMs": 0, "maxAttempts": 3 }, "threads": 1, "seed": 1,
            "keepAliveS": 15, "maxPipes": 16, "resume": true });
        let engine = Engine::start(serde_json::from_value(options).unwrap(), Box::new(|| {})).unwrap();
        let own = east.svid("orders");
        let rule = json!({ "mode": "terminate", "cluster": "c", "anySubset": false, "handOver": false, "unknown": false,
            "end": { "namespace": "shop", "service": "orders" }, "deliver": { "protocol": "http", "onlyHttp2": false, "nameless": false },
            "rules": [{ "action": "allow", "name": "all", "principals": [], "namespaces": [], "clusters": [] }] });
        let trust = json!({ "trustDomain": DOMAIN, "roots": [hex(mesh.root())], "intermediates": [], "deniedSerials": [], "others": [] });
        let identity = json!({ "chain": own.chain.iter().map(|der| hex(der)).collect::<Vec<_>>(), "key": hex(&own.key), "trust": trust });
        engine.apply(serde_json::from_value(json!({ "sni": { NAME: rule }, "identity": identity })).unwrap()).unwrap();
        let spec = json!({ "name": "in", "address": "127.0.0.1", "port": 0, "kind": "sni" });
        let port = engine.listen(serde_json::from_value(spec).unwrap()).unwrap().port;
        Self { engine, port, east, _alone: alone }
    }

    /// A caller that stands, and the end that the embedder gets.
    fn call(&self) -> (Caller, u64, UnixStream) {
        let config = pipe::with_certificate(&self.east.svid("caller"), &[&rustls::version::TLS13]);
        let mut caller = StreamOwned::new(
            ClientConnection::new(config, NAME.try_into().unwrap()).unwrap(),
            TcpStream::connect(("127.0.0.1", self.port)).unwrap(),
        );
        caller.sock.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        caller.write_all(b"?").unwrap();
        let (number, fd) = self.wait(|event| match event {
            Event::Delivered(delivered) => Some((delivered.number, delivered.fd)),
            _ => None,
        });
        let mut ours = own(fd);
        let mut first = [0];
        ours.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"?");
        (caller, number, ours)
    }

    fn wait<Found>(&self, mut look: impl FnMut(&Event) -> Option<Found>) -> Found {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let (events, _) = self.engine.take_events();
            if let Some(found) = events.iter().find_map(&mut look) {
                return found;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("waited 20 s for an event");
    }

    /// Its reason.
    fn ended(&self) -> &'static str {
        self.wait(|event| match event {
            Event::Ended(report) => Some(report.reason),
            _ => None,
        })
    }
}

fn own(fd: i32) -> UnixStream {
    // SAFETY: the event owned it, and nobody else has it.
    let stream = UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn block(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 / 8) as u8).collect()
}

const MUCH: usize = 2 << 20;

#[test]
fn each_direction_has_its_own_end() {
    let world = World::new();
    for first in ["caller", "ours"] {
        let (mut caller, _, mut ours) = world.call();
        let sent = block(MUCH);
        let answer: Vec<u8> = sent.iter().rev().copied().collect();
        let (theirs, back) = (sent.clone(), answer.clone());
        let server = thread::spawn(move || {
            let mut heard = Vec::new();
            if first == "caller" {
                ours.read_to_end(&mut heard).unwrap();
                ours.write_all(&back).unwrap();
            } else {
                ours.write_all(&back).unwrap();
                ours.shutdown(Shutdown::Write).unwrap();
                ours.read_to_end(&mut heard).unwrap();
            }
            assert!(heard == theirs, "what the caller has sent");
        });
        let mut heard = Vec::new();
        if first == "ours" {
            caller.read_to_end(&mut heard).unwrap();
        }
        caller.write_all(&sent).unwrap();
        caller.conn.send_close_notify();
        caller.flush().unwrap();
        if first == "caller" {
            caller.read_to_end(&mut heard).unwrap();
        }
        assert!(heard == answer, "what the caller is answered, with close_notify");
        caller.sock.shutdown(Shutdown::Write).unwrap();
        server.join().unwrap();
        assert_eq!(world.ended(), "");
    }
}

#[test]
fn a_reader_that_stands_still_holds_the_writer_back() {
    let world = World::new();
    let (mut caller, _, mut ours) = world.call();
    let soon = Some(Duration::from_millis(20));
    caller.sock.set_write_timeout(soon).unwrap();
    // What cannot be written has rustls look whether something has come.
    caller.sock.set_read_timeout(soon).unwrap();
    let chunk = block(64 * 1024);
    let mut sent = 0;
    let stopped = loop {
        match caller.write(&chunk) {
            Ok(count) => sent += count,
            Err(error) => break error,
        }
        assert!(sent < 64 << 20, "{sent} bytes are kept somewhere");
    };
    assert_eq!(stopped.kind(), ErrorKind::WouldBlock);
    let reader = thread::spawn(move || {
        let mut heard = Vec::new();
        ours.read_to_end(&mut heard).unwrap();
        heard.len()
    });
    caller.sock.set_write_timeout(None).unwrap();
    caller.sock.set_read_timeout(None).unwrap();
    caller.conn.send_close_notify();
    caller.flush().unwrap();
    caller.sock.shutdown(Shutdown::Write).unwrap();
    assert!(reader.join().unwrap() >= sent);
}

#[test]
fn an_end_that_is_closed_says_all_that_it_has_said_and_takes_no_more() {
    let world = World::new();
    let (mut caller, _, mut ours) = world.call();
    // More comes than is read: closing does not take back what was answered.
    caller.write_all(b"unread").unwrap();
    let answer = block(MUCH);
    let said = answer.clone();
    let server = thread::spawn(move || {
        ours.write_all(&said).unwrap();
        drop(ours);
    });
    let mut heard = vec![0; answer.len()];
    caller.read_exact(&mut heard).unwrap();
    assert!(heard == answer);
    server.join().unwrap();
    assert_eq!(caller.read(&mut heard).unwrap(), 0, "close_notify");
    assert_eq!(world.ended(), "");
}

#[test]
fn an_end_that_is_cut_is_seen_as_a_reset() {
    let world = World::new();
    let (mut caller, number, mut ours) = world.call();
    ours.write_all(b"half an ans").unwrap();
    let mut heard = [0; 11];
    caller.read_exact(&mut heard).unwrap();
    world.engine.cut(number);
    drop(ours);
    assert_eq!(caller.read(&mut heard).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(world.ended(), "");
    // It is over: nothing is remembered of it.
    world.engine.cut(number);
}

#[test]
fn a_caller_that_breaks_off_is_told_of_before_its_end_closes() {
    let world = World::new();
    for truncated in [false, true] {
        let (caller, number, mut ours) = world.call();
        if truncated {
            // TCP's end without TLS's.
            caller.sock.shutdown(Shutdown::Write).unwrap();
        } else {
            reset(&caller.sock);
        }
        drop(caller);
        ours.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let waited = ours.read(&mut [0; 8]).unwrap_err();
        assert_eq!(waited.kind(), ErrorKind::WouldBlock, "no end is seen before it was told");
        let broken = world.wait(|event| match event {
            Event::Broken { number, .. } => Some(*number),
            _ => None,
        });
        assert_eq!(broken, number);
        // What kept it open was dropped with the events.
        assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
    }
}

fn reset(socket: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    let fd = std::os::fd::AsRawFd::as_raw_fd(socket);
    // SAFETY: a value that lives through the call, and its size.
    unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size) };
}

#[test]
fn what_nobody_takes_is_closed_with_the_engine() {
    let world = World::new();
    let before = descriptors();
    let mut callers = Vec::new();
    for _ in 0..20 {
        let config = pipe::with_certificate(&world.east.svid("caller"), &[&rustls::version::TLS13]);
        let mut caller = StreamOwned::new(
            ClientConnection::new(config, NAME.try_into().unwrap()).unwrap(),
            TcpStream::connect(("127.0.0.1", world.port)).unwrap(),
        );
        caller.write_all(b"?").unwrap();
        callers.push(caller);
    }
    let begun = Instant::now();
    // The callers' own, the engine's of TCP, and both ends of the pairs.
    while descriptors() < before + 80 && begun.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(descriptors(), before + 80);
    world.engine.stop();
    world.engine.discard();
    drop(callers);
    assert!(descriptors() <= before, "{} of {before}", descriptors());
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
