use super::connection::{Way, Which};
use super::side::Side;
use super::stream::{Buffers, Gone, flush, pass_on, receive};
use crate::net::{self, PipePool};

/// How one direction stands after it was moved on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moved {
    /// For one of the two sockets: the next edge goes on.
    Waiting,
    /// For its turn: there is more to move, and others have waited.
    Yielded,
    /// Its end has been passed on.
    Ended,
    /// A side is gone, and the stream with it.
    Broken(Which, Gone),
}

/// A read of so much says that a direction is bulky; two in a row, that splicing pays.
const BULKY_BYTES: usize = 32 * 1024;
const BULKY_READS: u8 = 2;
/// Bytes of one direction before others have their turn.
const TURN_BYTES: u64 = 512 * 1024;
/// And reads, each of which may bring very little.
const TURN_READS: usize = 16;

/// One direction, and the other one, by which answers of TLS's own go back.
pub struct Ways<'a> {
    pub way: &'a mut Way,
    pub back: &'a mut Way,
    pub from: &'a mut Side,
    pub to: &'a mut Side,
    /// The side that it comes from.
    pub which: Which,
}

/// Moves one direction on as far as both sockets go: what is owed first, then what can be read; its end once everything is out. Whatever it
/// says, a flag is cleared only when the kernel has said so: the next edge will set it again.
pub fn move_on(ways: Ways<'_>, buffers: &mut Buffers, pipes: &mut PipePool) -> Moved {
    let Ways { way, back, from, to, which } = ways;
    let to_which = if which == Which::Down { Which::Up } else { Which::Down };
    let begun = way.bytes;
    for _ in 0..TURN_READS {
        if way.bytes - begun >= TURN_BYTES {
            break;
        }
        match flush(way, to) {
            Ok(true) => {}
            // A caller that broke off meanwhile has no reader to wait for. What an endpoint has sent before it did so is still delivered.
            Ok(false) if which == Which::Down && from.broken && !from.ended && from.cut.is_none() => {
                from.broken = false;
                return match net::pending_error(from.fd_raw()) {
                    Some(error) => Moved::Broken(which, Gone::System(error)),
                    // It was said of the socket before this one.
                    None => Moved::Waiting,
                };
            }
            Ok(false) => return Moved::Waiting,
            Err(gone) => return Moved::Broken(to_which, gone),
        }
        if from.ended {
            give_back(way, pipes);
            return pass_end(way, from.shut, to, to_which);
        }
        if !from.readable {
            calm(way, pipes);
            return Moved::Waiting;
        }
        if from.urgent {
            give_back(way, pipes);
        }
        let before = way.bytes;
        let moved = if way.pipe.is_some() { fill(way, from, pipes) } else { copy(way, back, from, to, buffers, pipes) };
        buffers.moved += way.bytes - before;
        match moved {
            Ok(()) => {}
            Err((Broken::From, gone)) => return Moved::Broken(which, gone),
            Err((Broken::To, gone)) => return Moved::Broken(to_which, gone),
        }
    }
    Moved::Yielded
}

enum Broken {
    From,
    To,
}

/// By the thread's buffers; memory of its own is made for what did not fit alone.
fn copy(
    way: &mut Way,
    back: &mut Way,
    from: &mut Side,
    to: &mut Side,
    buffers: &mut Buffers,
    pipes: &mut PipePool,
) -> Result<(), (Broken, Gone)> {
    let count = receive(from, back, buffers).map_err(|gone| (Broken::From, gone))?;
    if !back.owed.is_empty() && from.tls.is_some() {
        flush(back, from).map_err(|gone| (Broken::From, gone))?;
    }
    if count == 0 {
        return Ok(());
    }
    pass_on(way, from, to, buffers, count).map_err(|gone| (Broken::To, gone))?;
    way.bulky = if count >= BULKY_BYTES { way.bulky.saturating_add(1) } else { 0 };
    if way.bulky >= BULKY_READS && !from.urgent && from.tls.is_none() && to.tls.is_none() {
        way.bulky = 0;
        way.pipe = pipes.take();
    }
    Ok(())
}

/// By a pipe, without a copy. It is empty here, so EAGAIN is the socket's. Whether nothing at all is the end, a read will say: it may be an urgent
/// mark.
fn fill(way: &mut Way, from: &mut Side, pipes: &mut PipePool) -> Result<(), (Broken, Gone)> {
    let Some(pipe) = way.pipe.as_mut() else { return Ok(()) };
    match pipe.fill(from.fd_raw()) {
        Ok(0) => give_back(way, pipes),
        Ok(count) => {
            way.bytes += count as u64;
            way.progress += count as u64;
            way.bulky = if count < BULKY_BYTES { way.bulky.saturating_add(1) } else { 0 };
        }
        Err(error) if error.would_block() => from.readable = false,
        Err(error) if error.interrupted() => {}
        Err(error) => return Err((Broken::From, Gone::System(error))),
    }
    Ok(())
}

/// A pipe through which little comes is better used by somebody else.
fn calm(way: &mut Way, pipes: &mut PipePool) {
    if way.pipe.is_some() && way.bulky >= BULKY_READS {
        give_back(way, pipes);
    }
}

pub fn give_back(way: &mut Way, pipes: &mut PipePool) {
    if let Some(pipe) = way.pipe.take() {
        pipes.give_back(pipe);
        way.bulky = 0;
    }
}

/// Only after the last byte is out: of TLS close_notify, then FIN.
fn pass_end(way: &mut Way, last: bool, to: &mut Side, to_which: Which) -> Moved {
    if to.shut {
        return Moved::Ended;
    }
    if let Some(tls) = to.tls.as_mut() {
        tls.close();
        let goodbye = tls.outgoing();
        let length = goodbye.len();
        way.owed.extend_from_slice(goodbye);
        tls.sent(length);
        match flush(way, to) {
            Ok(true) => {}
            Ok(false) => return Moved::Waiting,
            Err(gone) => return Moved::Broken(to_which, gone),
        }
    }
    to.shut = true;
    // Both are closed at once, which says it as well.
    if last {
        return Moved::Ended;
    }
    match net::shutdown_write(to.fd_raw()) {
        Ok(()) => Moved::Ended,
        Err(error) => Moved::Broken(to_which, Gone::System(error)),
    }
}
