use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::Serialize;

use crate::identity::Peer;
use crate::tables::MeshEnd;

/// How far a connection came.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Forward,
    Deliver,
    Refused,
}

/// What happened, for TypeScript: taken in batches, in this order for each connection.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Event {
    /// An endpoint was tried. `endpoint`: TypeScript's handle.
    #[serde(rename_all = "camelCase")]
    Attempt {
        cluster: Box<str>,
        endpoint: u32,
        result: &'static str,
        count: u32,
    },
    /// It is carried on to an endpoint from here.
    Forward(Box<Report>),
    Ended(Box<Report>),
    /// Somebody has proven who they are, on either side; once in a batch for each certificate.
    Peer(PeerOf),
    /// A socket for TypeScript to serve, with what was read of it; its place among the connections is held until `release` is told of its number.
    #[serde(rename_all = "camelCase")]
    Handed {
        number: u64,
        listener: Box<str>,
        fd: i32,
        /// Source and destination, where a PROXY header has named them.
        told: Option<[SocketAddr; 2]>,
        preface: Hex,
    },
    /// Requests of somebody whose TLS ends here: one end of a socket pair. Its connection goes on, and ends by `ended`.
    Delivered(Box<Delivered>),
    /// What became of a dial.
    Dialled(Box<Dialled>),
    /// The other side of what TypeScript has one end of is gone, and not by an end: a break is to be seen there. `kept` is closed after that has
    /// been taken, so that nobody takes it for an end before.
    Broken {
        number: u64,
        #[serde(skip)]
        kept: Option<OwnedFd>,
    },
    /// A state of the engine that its operator has to know of.
    #[serde(rename_all = "camelCase")]
    Trouble {
        what: &'static str,
        detail: String,
    },
}

/// gateway/engine/connection-contract.ts DeliveredConnection.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    pub number: u64,
    pub listener: Box<str>,
    pub fd: i32,
    pub cluster: Box<str>,
    pub protocol: Box<str>,
    pub nameless: bool,
    pub sni: Box<str>,
    pub alpn: String,
    pub tls_version: &'static str,
    #[serde(serialize_with = "peer")]
    pub peer: Option<Arc<Peer>>,
    pub end: MeshEnd,
    /// No request of it may be allowed, and why.
    pub denied: Option<String>,
    pub source: SocketAddr,
    pub destination: Option<SocketAddr>,
}

/// gateway/engine/contract.ts DialResult.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dialled {
    pub number: u64,
    /// None: it failed.
    pub fd: Option<i32>,
    #[serde(serialize_with = "peer")]
    pub peer: Option<Arc<Peer>>,
    pub alpn: String,
    /// AttemptFailure.
    pub failure: &'static str,
    pub reason: String,
}

/// gateway/engine/connection-contract.ts ConnectionReport: of one connection, or of `count` that were alike; bytes and times are sums then, and the
/// rest is that of the first.
#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub count: u32,
    pub number: u64,
    pub listener: Box<str>,
    pub source: SocketAddr,
    pub destination: Option<SocketAddr>,
    pub outcome: Outcome,
    pub sni: Box<str>,
    pub cluster: Box<str>,
    pub endpoint: Option<u32>,
    #[serde(serialize_with = "peer")]
    pub peer: Option<Arc<Peer>>,
    pub end: Option<MeshEnd>,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub duration_ms: u64,
    pub attempts: u32,
    pub flags: Vec<&'static str>,
    pub reason: &'static str,
    pub detail: Box<str>,
}

/// Written as the contract's PeerIdentity.
#[derive(Serialize)]
pub struct PeerOf {
    #[serde(serialize_with = "peer")]
    pub peer: Option<Arc<Peer>>,
}

fn peer<S: serde::Serializer>(peer: &Option<Arc<Peer>>, serializer: S) -> Result<S::Ok, S::Error> {
    peer.as_deref().serialize(serializer)
}

pub struct Hex(pub Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use std::fmt::Write;
        let mut text = String::with_capacity(self.0.len() * 2);
        for byte in &self.0 {
            write!(text, "{byte:02x}").expect("a string takes everything");
        }
        serializer.serialize_str(&text)
    }
}

impl Event {
    pub fn close_handed(self) {
        let fd = match self {
            Event::Handed { fd, .. } => Some(fd),
            Event::Delivered(delivered) => Some(delivered.fd),
            Event::Dialled(dialled) => dialled.fd,
            _ => None,
        };
        if let Some(fd) = fd {
            // SAFETY: the event owns the descriptor until TypeScript adopts it, which it does of events that it took alone.
            drop(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
        }
    }
}
