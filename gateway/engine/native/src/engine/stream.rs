use std::fmt;

use super::connection::{Side, Way};
use crate::net::{self, Errno};
use crate::tls::{TlsFault, sealed_room};

/// What one read may bring, and what one write takes: a bulky stream moves so much by each call.
const BUFFER_BYTES: usize = 256 * 1024;
/// Of what a peer's protocol messages (key updates) may make us owe it: whoever sends them and reads nothing is no peer.
const MOST_ANSWERS: usize = 1 << 20;

/// A thread's own; nothing stays in them from one connection to the next.
pub struct Buffers {
    /// What was read: as it came, or ciphertext.
    pub read: Box<[u8]>,
    /// What was made of ciphertext.
    pub plain: Box<[u8]>,
    /// Ciphertext to be sent.
    sealed: Box<[u8]>,
}

impl Buffers {
    pub fn new() -> Self {
        let of = |length: usize| vec![0; length].into_boxed_slice();
        Self { read: of(BUFFER_BYTES), plain: of(BUFFER_BYTES), sealed: of(sealed_room(BUFFER_BYTES)) }
    }
}

/// Why a side is no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gone {
    System(Errno),
    Tls(TlsFault),
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::Tls(fault) => fault.fmt(f),
        }
    }
}

/// Reads once. How many bytes of plaintext came, in `buffers.read` of a side without TLS and in `buffers.plain` of one with it; 0 says nothing by
/// itself: the side's flags do. `back`: the way towards this side, to which answers of TLS's own are added.
pub fn receive(side: &mut Side, back: &mut Way, buffers: &mut Buffers) -> Result<usize, Gone> {
    let Some(tls) = side.tls.as_mut() else {
        return match net::read(side.fd_raw(), &mut buffers.read) {
            Ok(0) => {
                side.ended = true;
                Ok(0)
            }
            Ok(count) => {
                side.noted(count < buffers.read.len());
                Ok(count)
            }
            Err(error) => side.nothing(error),
        };
    };
    let fd = std::os::fd::AsRawFd::as_raw_fd(&side.fd);
    let (mut read, mut room_for) = (Err(Errno(libc::EAGAIN)), 0);
    let opened = tls.open_with(&mut buffers.read, &mut buffers.plain, |room| {
        room_for = room.len();
        read = net::read(fd, room);
        read.unwrap_or(0)
    });
    let closing = if read == Ok(0) { tls.end_of_input() } else { Ok(()) };
    let answers = tls.outgoing();
    if !answers.is_empty() {
        back.owed.extend_from_slice(answers);
        let length = answers.len();
        tls.sent(length);
    }
    if back.owed.len() - back.owed_from > MOST_ANSWERS + BUFFER_BYTES {
        return Err(Gone::Tls(TlsFault::Handshake("it asks for more answers than it reads".into())));
    }
    let opened = opened.map_err(Gone::Tls)?;
    closing.map_err(Gone::Tls)?;
    if opened.closed || read == Ok(0) {
        side.ended = true;
    }
    match read {
        Ok(0) => {}
        Ok(count) => side.noted(count < room_for),
        Err(error) => {
            side.nothing(error)?;
        }
    }
    Ok(opened.plaintext)
}

/// The bytes that `receive` said are there.
pub fn received<'a>(side: &Side, buffers: &'a Buffers, count: usize) -> &'a [u8] {
    if side.tls.is_some() { &buffers.plain[..count] } else { &buffers.read[..count] }
}

/// Moves what `from` has brought on to `to`: written at once as far as it goes, owed otherwise.
pub fn pass_on(way: &mut Way, from: &Side, to: &mut Side, buffers: &mut Buffers, count: usize) -> Result<(), Gone> {
    way.bytes += count as u64;
    way.progress += count as u64;
    let Buffers { read, plain, sealed } = buffers;
    let bytes = if from.tls.is_some() { &plain[..count] } else { &read[..count] };
    send(way, to, bytes, sealed)
}

/// The same of bytes that were kept.
pub fn send_kept(way: &mut Way, to: &mut Side, bytes: &[u8], buffers: &mut Buffers) -> Result<(), Gone> {
    way.bytes += bytes.len() as u64;
    send(way, to, bytes, &mut buffers.sealed)
}

fn send(way: &mut Way, to: &mut Side, mut bytes: &[u8], sealed: &mut [u8]) -> Result<(), Gone> {
    if to.tls.is_none() {
        return write_or_owe(way, to, bytes);
    }
    while !bytes.is_empty() {
        let Some(tls) = to.tls.as_mut() else { return Ok(()) };
        let made = tls.seal(bytes, sealed).map_err(Gone::Tls)?;
        if made.taken == 0 && made.written == 0 {
            return Err(Gone::Tls(TlsFault::Handshake("nothing more can be encrypted".into())));
        }
        write_or_owe(way, to, &sealed[..made.written])?;
        bytes = &bytes[made.taken..];
    }
    Ok(())
}

fn write_or_owe(way: &mut Way, to: &mut Side, bytes: &[u8]) -> Result<(), Gone> {
    let mut sent = 0;
    while sent < bytes.len() && to.writable && way.owed.is_empty() {
        match net::write(to.fd_raw(), &bytes[sent..]) {
            Ok(moved) => {
                sent += moved;
                way.progress += moved as u64;
            }
            Err(error) if error.would_block() => to.writable = false,
            Err(error) if error.interrupted() => {}
            Err(error) => return Err(Gone::System(error)),
        }
    }
    way.owed.extend_from_slice(&bytes[sent..]);
    Ok(())
}

/// Whether nothing is owed to `to` any more.
pub fn flush(way: &mut Way, to: &mut Side) -> Result<bool, Gone> {
    while way.owed_from < way.owed.len() {
        if !to.writable {
            return Ok(false);
        }
        match net::write(to.fd_raw(), &way.owed[way.owed_from..]) {
            Ok(count) => {
                way.owed_from += count;
                way.progress += count as u64;
            }
            Err(error) if error.would_block() => to.writable = false,
            Err(error) if error.interrupted() => {}
            Err(error) => return Err(Gone::System(error)),
        }
    }
    if way.owed.capacity() > 0 {
        (way.owed, way.owed_from) = (Vec::new(), 0);
    }
    let Some(pipe) = way.pipe.as_mut() else { return Ok(true) };
    while pipe.held() > 0 {
        if !to.writable {
            return Ok(false);
        }
        match pipe.empty(to.fd_raw()) {
            Ok(0) => return Err(Gone::System(Errno(libc::EPIPE))),
            Ok(count) => way.progress += count as u64,
            Err(error) if error.would_block() => to.writable = false,
            Err(error) if error.interrupted() => {}
            Err(error) => return Err(Gone::System(error)),
        }
    }
    Ok(true)
}

impl Side {
    /// The kernel has no more, so the next byte is a new edge; but an end that was announced already makes none.
    fn noted(&mut self, short: bool) {
        if short && !self.ending && !self.urgent {
            self.readable = false;
        }
    }

    fn nothing(&mut self, error: Errno) -> Result<usize, Gone> {
        if error.would_block() {
            self.readable = false;
        } else if !error.interrupted() {
            return Err(Gone::System(error));
        }
        Ok(0)
    }
}
