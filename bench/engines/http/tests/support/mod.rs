//! The prototype in a thread, before an origin that a test writes.
#![allow(dead_code)]

use std::io::{PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread::JoinHandle;
use std::time::Duration;

use isthmus_engine::net::{KeepAlive, listen};
use isthmus_http_prototype::routes::Tables;
use isthmus_http_prototype::run::Worker;

/// Long enough for a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Proxy {
    pub address: SocketAddr,
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Everything to one endpoint. `protocol`: `http` or `http2`.
    pub fn before(origin: SocketAddr, protocol: &str) -> Self {
        let text = format!(
            r#"{{"allow":["127.0.0.0/8"],"routing":{{"virtualHosts":[{{"name":"all","domains":["*"],"rules":[
                {{"name":"closed","matches":[{{"path":{{"type":"exact","value":"/closed"}},"headers":[],"query":[],"sourceLabels":{{}}}}],"action":{{"type":"direct","status":403}}}},
                {{"name":"rest","matches":[],"action":{{"type":"route","destinations":[{{"destination":{{"cluster":"c"}},"weight":1}}],"mirrors":[]}}}}]}}],"l4":[]}},
                "clusters":[{{"name":"c","protocol":"{protocol}","endpoints":[{{"address":"127.0.0.1","port":{}}}]}}]}}"#,
            origin.port()
        );
        let tables = Tables::compile(serde_json::from_str(&text).unwrap()).unwrap();
        let listening = listen("127.0.0.1:0".parse().unwrap(), 1, KeepAlive { after_s: 60 }).unwrap();
        let (stopped, stop) = std::io::pipe().unwrap();
        let address = listening.address;
        let thread = std::thread::spawn(move || {
            let mut worker = Worker::new(tables, 1).unwrap();
            worker.run(&listening.sockets[0], stopped.as_raw_fd()).unwrap();
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop = None;
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the proxy's thread panicked");
        }
    }
}

/// An origin whose connections are handed to `serve`, each in a thread of its own.
pub fn origin(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// An origin of HTTP/1.1 that answers each request with what it read of it: head and, where it has a length, body.
pub fn mirror(mut stream: TcpStream) {
    let mut held = Vec::new();
    loop {
        let Some(end) = held.windows(4).position(|each| each == b"\r\n\r\n") else {
            let mut buffer = [0; 65_536];
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(read) => held.extend_from_slice(&buffer[..read]),
            }
            continue;
        };
        let head: Vec<u8> = held.drain(..end + 4).collect();
        let text = String::from_utf8_lossy(&head).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
        while held.len() < length {
            let mut buffer = [0; 65_536];
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(read) => held.extend_from_slice(&buffer[..read]),
            }
        }
        let body: Vec<u8> = head.into_iter().chain(held.drain(..length)).collect();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

/// Reads until there is so much, or the other side has ended.
pub fn read_until(stream: &mut TcpStream, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 65_536];
    while !enough(&all) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}; read so far: {}", String::from_utf8_lossy(&all)),
        }
    }
    all
}

/// Repeatable.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }

    /// Some bytes of it changed, cut out, doubled or put in.
    pub fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(all.len() + 1);
            match self.below(5) {
                0 if at < all.len() => all[at] = self.below(256) as u8,
                1 if at < all.len() => all[at] ^= 1 << self.below(8),
                2 => drop(all.drain(at..(at + self.below(9)).min(all.len()))),
                3 => all.insert(at, self.below(256) as u8),
                _ => {
                    let end = (at + self.below(40)).min(all.len());
                    let copy = all[at..end].to_vec();
                    all.splice(at..at, copy);
                }
            }
        }
        all
    }
}
