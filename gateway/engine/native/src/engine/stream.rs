use std::fmt;
use std::sync::atomic::Ordering;

use super::connection::Way;
use super::side::Side;
use crate::net::{self, Errno};
use crate::tls::{TlsFault, sealed_room};

/// What one read may bring, and what one write takes: a bulky stream moves so much by each call.
const BUFFER_BYTES: usize = 256 * 1024;
/// What one read may bring while many readers stand still; enough for a record of TLS, and for a stream to turn bulky.
const SCARCE_BYTES: usize = 32 * 1024;
/// Owed to readers by all threads together, before reads become small: 256 readers that stand still in the middle of whole reads.
const MOST_OWED: usize = 64 << 20;
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
    /// Bytes of streams that the thread has moved since it began.
    pub moved: u64,
    /// Bytes of `read` that one read may fill.
    room: usize,
    /// Kept for readers by all connections of the thread.
    owed: usize,
    /// Its share of `MOST_OWED`.
    most_owed: usize,
    /// Memory is short.
    short: bool,
}

impl Buffers {
    /// `threads`: that there are.
    pub fn new(threads: usize) -> Self {
        let of = |length: usize| vec![0; length].into_boxed_slice();
        Self {
            read: of(BUFFER_BYTES),
            plain: of(BUFFER_BYTES),
            sealed: of(sealed_room(BUFFER_BYTES)),
            moved: 0,
            room: BUFFER_BYTES,
            owed: 0,
            most_owed: MOST_OWED / threads.max(1),
            short: false,
        }
    }

    /// What a connection keeps has become `now` bytes, of `before`. All of them together keep 64 MB, and 32 KB for each direction beyond that: what
    /// readers that stand still cost has a bound, however many they are.
    pub fn count_owed(&mut self, before: usize, now: usize) {
        self.owed = (self.owed + now).saturating_sub(before);
        self.set_room();
    }

    /// While memory is short nothing large is kept for anybody.
    pub fn set_short(&mut self, short: bool) {
        self.short = short;
        self.set_room();
    }

    fn set_room(&mut self) {
        self.room = if self.owed < self.most_owed && !self.short { BUFFER_BYTES } else { SCARCE_BYTES };
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
    if side.tls.is_none() {
        return receive_some(side, buffers, BUFFER_BYTES);
    }
    receive_sealed(side, back, buffers)
}

/// The same of a side without TLS, and no more than so many bytes: what is kept of it has a bound then.
pub fn receive_some(side: &mut Side, buffers: &mut Buffers, most: usize) -> Result<usize, Gone> {
    let room = buffers.room.min(most.max(1));
    match net::read(side.fd_raw(), &mut buffers.read[..room]) {
        Ok(0) => side.over(),
        // It was closed with something unread, as whoever wants no more does: all that it has said has come.
        Err(Errno(libc::ECONNRESET)) if side.cut.is_some() => side.over(),
        Ok(count) => {
            side.noted(count < room);
            Ok(count)
        }
        Err(error) => side.nothing(error),
    }
}

fn receive_sealed(side: &mut Side, back: &mut Way, buffers: &mut Buffers) -> Result<usize, Gone> {
    let Some(tls) = side.tls.as_mut() else { return Ok(0) };
    let fd = std::os::fd::AsRawFd::as_raw_fd(&side.fd);
    let (mut read, mut room_for) = (Err(Errno(libc::EAGAIN)), 0);
    let room = buffers.read.len().min(tls.kept() + buffers.room);
    let opened = tls.open_with(&mut buffers.read[..room], &mut buffers.plain, |room| {
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
    let Buffers { read, plain, sealed, .. } = buffers;
    let bytes = if from.tls.is_some() { &plain[..count] } else { &read[..count] };
    send(way, to, bytes, sealed)
}

/// The same of bytes that were kept.
pub fn send_kept(way: &mut Way, to: &mut Side, bytes: &[u8], buffers: &mut Buffers) -> Result<(), Gone> {
    way.bytes += bytes.len() as u64;
    send(way, to, bytes, &mut buffers.sealed)
}

/// What each endpoint that is tried gets: it counts once one has taken it.
pub fn send_preface(way: &mut Way, to: &mut Side, bytes: &[u8], buffers: &mut Buffers) -> Result<(), Gone> {
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

/// As far as it goes at once; what does not is owed.
pub fn write_or_owe(way: &mut Way, to: &mut Side, bytes: &[u8]) -> Result<(), Gone> {
    let mut sent = 0;
    while sent < bytes.len() && to.writable && way.owed.is_empty() {
        to.speaks();
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
        to.speaks();
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
        to.speaks();
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

    fn over(&mut self) -> Result<usize, Gone> {
        if self.cut.as_ref().is_some_and(|cut| cut.load(Ordering::Acquire)) {
            return Err(Gone::System(Errno(libc::ECONNRESET)));
        }
        self.ended = true;
        Ok(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_become_small_while_much_is_owed_and_large_again_when_it_is_taken() {
        let mut buffers = Buffers::new(2);
        let reader = BUFFER_BYTES;
        let mut readers = 0;
        while buffers.room == BUFFER_BYTES {
            buffers.count_owed(0, reader);
            readers += 1;
        }
        assert_eq!((readers * reader, buffers.room), (MOST_OWED / 2, SCARCE_BYTES), "a thread of two has half");
        buffers.count_owed(reader, SCARCE_BYTES);
        assert_eq!(buffers.room, BUFFER_BYTES);
        buffers.count_owed(SCARCE_BYTES, 0);
        for _ in 1..readers {
            buffers.count_owed(reader, 0);
        }
        assert_eq!(buffers.owed, 0);
    }

    #[test]
    fn reads_are_small_while_memory_is_short_whatever_is_owed() {
        let mut buffers = Buffers::new(1);
        buffers.set_short(true);
        buffers.count_owed(0, 1);
        assert_eq!(buffers.room, SCARCE_BYTES);
        buffers.set_short(false);
        assert_eq!(buffers.room, BUFFER_BYTES);
    }
}
