//! What only raw sockets can do to a stream, through an engine of one thread.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;

use isthmus_engine::engine::Engine;

fn engine_to(port: u16) -> (Engine, u16) {
    let options = r#"{"limits":{"maxConnections":100,"maxConnectionsPerSource":100,"maxHelloBytes":16384,"helloTimeoutMs":5000,"quietMs":1000,"handshakeTimeoutMs":10000,
        "idleTimeoutMs":0,"halfCloseTimeoutMs":0,"maxAttempts":3},"threads":1,"seed":1,"keepAliveS":15,"maxPipes":16,"resume":true}"#;
    let engine = Engine::start(serde_json::from_str(options).unwrap(), Box::new(|| {})).unwrap();
    let change = format!(
        r#"{{"plain":{{"in":{{"mode":"forward","cluster":"c","allow":"any"}}}},"clusters":{{"c":{{"connectTimeoutMs":5000,"policy":"round-robin",
        "endpoints":[{{"key":"e","id":1,"address":"127.0.0.1","port":{port}}}],
        "plan":{{"pools":[{{"load":100,"localities":[{{"weight":1,"hosts":[[0,1]]}}]}}]}}}}}}}}"#
    );
    engine.apply(serde_json::from_str(&change).unwrap()).unwrap();
    let spec = r#"{"name":"in","address":"127.0.0.1","port":0,"kind":"plain"}"#;
    let port = engine.listen(serde_json::from_str(spec).unwrap()).unwrap().port;
    (engine, port)
}

/// What the origin has read when the stream has ended in order.
fn through(send: impl FnOnce(&mut TcpStream) + Send + 'static) -> usize {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let (engine, port) = engine_to(origin.local_addr().unwrap().port());
    let sender = thread::spawn(move || {
        let mut caller = TcpStream::connect(("127.0.0.1", port)).unwrap();
        send(&mut caller);
        caller.shutdown(Shutdown::Write).unwrap();
        // Until the other side has ended, too.
        caller.read_to_end(&mut Vec::new()).unwrap();
    });
    let (mut accepted, _) = origin.accept().unwrap();
    let mut all = Vec::new();
    accepted.read_to_end(&mut all).unwrap();
    drop(accepted);
    sender.join().unwrap();
    engine.stop();
    all.len()
}

const BLOCK: usize = 1 << 20;

#[test]
fn what_follows_an_urgent_mark_arrives_however_bulky_the_stream_is() {
    let sent = through(|caller| {
        let block = vec![7u8; BLOCK];
        for _ in 0..32 {
            caller.write_all(&block).unwrap();
        }
        // SAFETY: one byte of a value that lives through the call.
        assert_eq!(unsafe { libc::send(caller.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) }, 1);
        for _ in 0..8 {
            caller.write_all(&block).unwrap();
        }
        caller.write_all(&[7; 1_000]).unwrap();
    });
    assert_eq!(sent, 40 * BLOCK + 1_000);
}

#[test]
fn a_bulky_stream_that_trickles_at_its_end_is_whole() {
    let sent = through(|caller| {
        let block = vec![7u8; BLOCK];
        for _ in 0..64 {
            caller.write_all(&block).unwrap();
        }
        caller.set_nodelay(true).unwrap();
        for _ in 0..2_000 {
            caller.write_all(&[7; 3]).unwrap();
        }
    });
    assert_eq!(sent, 64 * BLOCK + 6_000);
}
