use std::fmt;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::{HandshakeKind, ProtocolVersion};

use super::conversation::{Conversation, Step};
use super::fault::TlsFault;
use super::server_context::ServerContext;
use super::target::TargetContext;
use crate::identity::{Expectation, Peer, verify_peer};

/// One end of an mTLS connection. It touches no socket: whoever drives it reads ciphertext into a buffer of its own, has it opened, and sends what
/// `outgoing` and `seal` give. Between calls it holds no more than a record that is not whole yet and protocol messages that were not sent
/// yet, and nothing at all when it is idle. Back-pressure is the caller's: what it does not read and does not seal is buffered nowhere.
///
/// No byte of plaintext goes either way before the peer was judged, also where a session was resumed.
pub struct TlsEnd {
    pub(super) conversation: Conversation,
    context: Context,
    /// Input that is no whole record or message yet.
    pub(super) partial: Vec<u8>,
    /// Protocol messages: handshakes, tickets, key updates, alerts.
    pub(super) outbox: Vec<u8>,
    pub(super) peer: Option<Arc<Peer>>,
    peer_closed: bool,
    pub(super) closed: bool,
    pub(super) fault: Option<TlsFault>,
}

enum Context {
    Server(Arc<ServerContext>),
    Client(Arc<TargetContext>),
}

/// What came of some input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Bytes at the front of the buffer for plaintext.
    pub plaintext: usize,
    /// The handshake was completed by this call, and the peer judged.
    pub handshaken: bool,
    /// close_notify has come, now or earlier: there will be no more plaintext.
    pub closed: bool,
}

/// A record and a handshake message that are both not whole.
const MAX_PARTIAL: usize = 80 * 1024;
/// The same of who has not proven yet who it is: chains are a few KiB, and callers who say half of one are many.
const MAX_UNPROVEN: usize = 24 * 1024;

impl TlsEnd {
    /// The server's end. `offers`: whether the client's hello names an application protocol; without a common one it goes on without.
    pub fn server(context: &Arc<ServerContext>, offers: impl Fn(&[u8]) -> bool) -> Result<Self, TlsFault> {
        let connection = UnbufferedServerConnection::new(context.config(offers))?;
        Ok(Self::new(Conversation::Server(connection), Context::Server(context.clone())))
    }

    /// The client's end: its hello is in `outgoing` at once.
    pub fn client(target: &Arc<TargetContext>) -> Result<Self, TlsFault> {
        let connection = UnbufferedClientConnection::new(target.config.clone(), target.name.clone())?;
        let mut end = Self::new(Conversation::Client(connection), Context::Client(target.clone()));
        end.open(&mut [], &mut [])?;
        Ok(end)
    }

    fn new(conversation: Conversation, context: Context) -> Self {
        Self { conversation, context, partial: Vec::new(), outbox: Vec::new(), peer: None, peer_closed: false, closed: false, fault: None }
    }

    /// Has ciphertext received into `buffer` behind what is left of earlier input, and opens all of it: saves `open` a copy where a record came in
    /// parts. `receive` is called once, with a part of the buffer, and says how much it filled: 0 where nothing came, which changes nothing.
    /// Both buffers are to be of one length, and longer than 80 KiB.
    pub fn open_with(
        &mut self,
        buffer: &mut [u8],
        plaintext: &mut [u8],
        receive: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<Opened, TlsFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let kept = self.partial.len();
        let small = || TlsFault::Handshake("the buffer is smaller than what is kept".into());
        let (front, rest) = buffer.split_at_mut_checked(kept).ok_or_else(small)?;
        front.copy_from_slice(&self.partial);
        let received = receive(rest).min(rest.len());
        if received == 0 {
            return Ok(Opened { closed: self.peer_closed, ..Opened::default() });
        }
        self.partial = Vec::new();
        let opened = self.open_all(buffer.get_mut(..kept + received).unwrap_or_default(), plaintext);
        self.remember(opened)
    }

    /// Bytes of input that are no whole message yet: `open_with` begins with them.
    pub fn kept(&self) -> usize {
        self.partial.len()
    }

    /// Takes ciphertext, which is overwritten, and gives its plaintext. `plaintext` must be as long as `input` and what was kept of earlier
    /// input, which is at most 80 KiB. Afterwards there may be something in `outgoing`, after a fault as well: an alert, which is sent if that can
    /// be had without waiting.
    pub fn open(&mut self, input: &mut [u8], plaintext: &mut [u8]) -> Result<Opened, TlsFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let opened = if self.partial.is_empty() {
            self.open_all(input, plaintext)
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(input);
            self.open_all(&mut whole, plaintext)
        };
        self.remember(opened)
    }

    pub(super) fn remember<Outcome>(&mut self, outcome: Result<Outcome, TlsFault>) -> Result<Outcome, TlsFault> {
        if let Err(fault) = &outcome {
            self.fault = Some(fault.clone());
            self.partial = Vec::new();
        }
        outcome
    }

    fn open_all(&mut self, input: &mut [u8], plaintext: &mut [u8]) -> Result<Opened, TlsFault> {
        let was_judged = self.peer.is_some();
        let (mut at, mut length) = (0, 0);
        loop {
            let rest = input.get_mut(at..).unwrap_or_default();
            let room = plaintext.get_mut(length..).unwrap_or_default();
            let (used, step) = self.conversation.step(rest, room, &mut self.outbox);
            at += used;
            if let Step::Failed(error) = step {
                self.collect_alert();
                return Err(error.into());
            }
            // Before anything that came with the end of the handshake counts.
            self.judge()?;
            match step {
                Step::Data(more) => length += more,
                Step::Progress => {}
                Step::PeerClosed => self.peer_closed = true,
                Step::Waiting | Step::Failed(_) => break,
            }
        }
        let left = input.get(at..).unwrap_or_default();
        let most = if self.peer.is_some() { MAX_PARTIAL } else { MAX_UNPROVEN };
        if left.len() > most {
            return Err(TlsFault::Handshake(format!("more than {most} bytes without an end of the message")));
        }
        if !self.peer_closed {
            self.partial = left.to_vec();
        }
        Ok(Opened { plaintext: length, handshaken: !was_judged && self.peer.is_some(), closed: self.peer_closed })
    }

    /// What the other side is to be told of a failure. rustls must not be shown the input again: it would panic over a second alert.
    fn collect_alert(&mut self) {
        while self.conversation.state().wants_write() {
            if !matches!(self.conversation.step(&mut [], &mut [], &mut self.outbox), (_, Step::Progress)) {
                return;
            }
        }
    }

    /// When the handshake is done: who is there? Of a full one the verifier has asked the same before, which costs nothing again; a resumed one
    /// brings the certificates of the first, which are judged by what is true now.
    fn judge(&mut self) -> Result<(), TlsFault> {
        let state = self.conversation.state();
        if self.peer.is_some() || state.is_handshaking() {
            return Ok(());
        }
        let chain: Vec<&[u8]> = state.peer_certificates().unwrap_or_default().iter().map(AsRef::as_ref).collect();
        let verdict = match &self.context {
            Context::Server(context) => verify_peer(&chain, &context.trust, (context.now)(), &Expectation::default()),
            Context::Client(target) => verify_peer(&chain, &target.trust, (target.now)(), &target.expectation),
        };
        match (verdict, &self.context) {
            (Ok(peer), Context::Client(target)) => {
                target.sessions.proven_until(peer.not_after_ms);
                self.peer = Some(peer);
            }
            (Ok(peer), Context::Server(_)) => self.peer = Some(peer),
            (Err(reason), context) => {
                if let Context::Client(target) = context {
                    target.sessions.forget();
                }
                // No ticket for whom is refused.
                self.outbox = Vec::new();
                return Err(TlsFault::Identity(reason));
            }
        }
        Ok(())
    }

    /// TCP's FIN: fine after close_notify, and a fault otherwise.
    pub fn end_of_input(&mut self) -> Result<(), TlsFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if self.peer_closed {
            return Ok(());
        }
        let fault = if self.is_handshaking() { TlsFault::Handshake("closed during the handshake".into()) } else { TlsFault::Truncated };
        self.fault = Some(fault.clone());
        Err(fault)
    }

    /// Also while the peer is not judged yet.
    pub fn is_handshaking(&self) -> bool {
        self.peer.is_none()
    }

    /// Who is there; `None` until the handshake is done.
    pub fn peer(&self) -> Option<&Arc<Peer>> {
        self.peer.as_ref()
    }

    /// Empty where none was agreed.
    pub fn alpn(&self) -> &[u8] {
        self.conversation.state().alpn_protocol().unwrap_or_default()
    }

    /// Whether the handshake took up an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.conversation.state().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// As OpenSSL writes it; empty before it is agreed.
    pub fn version(&self) -> &'static str {
        match self.conversation.state().protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "",
        }
    }

    /// Whether both sides have said close_notify, and ours was taken.
    pub fn is_closed(&self) -> bool {
        self.closed && self.peer_closed && self.outbox.is_empty()
    }
}

impl fmt::Debug for TlsEnd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if matches!(self.context, Context::Server(_)) { "server" } else { "client" };
        out.debug_struct("TlsEnd").field("side", &side).field("peer", &self.peer).field("fault", &self.fault).finish_non_exhaustive()
    }
}
