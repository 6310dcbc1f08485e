use super::connection::{Side, Way, Which};
use crate::net::{self, Errno, PipePool};

/// How one direction stands after it was moved on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// For one of the two sockets: the next edge goes on.
    Waiting,
    /// For its turn: there is more to move, and others have waited.
    Yielded,
    /// Its end has been passed on.
    Ended,
    /// A side is gone, and the stream with it.
    Broken(Which, Errno),
}

/// A read of so much says that a direction is bulky; two in a row, that splicing pays.
const BULKY_BYTES: usize = 32 * 1024;
const BULKY_READS: u8 = 2;
/// Moves of one direction before others have their turn.
const TURNS: usize = 16;

/// Moves one direction on as far as both sockets go: what is owed first, then what can be read; its end once everything is out. Whatever it
/// says, a flag is cleared only when the kernel has said so: the next edge will set it again.
pub fn move_on(way: &mut Way, from: &mut Side, to: &mut Side, which: Which, buffer: &mut [u8], pipes: &mut PipePool) -> Moved {
    let to_which = if which == Which::Down { Which::Up } else { Which::Down };
    for _ in 0..TURNS {
        match flush(way, to) {
            Ok(true) => {}
            Ok(false) => return Moved::Waiting,
            Err(error) => return Moved::Broken(to_which, error),
        }
        if from.ended {
            give_back(way, pipes);
            return pass_end(to, to_which);
        }
        if !from.readable {
            calm(way, pipes);
            return Moved::Waiting;
        }
        let moved = if way.pipe.is_some() {
            fill(way, from)
        } else {
            copy(way, from, to, buffer, pipes)
        };
        if let Err((broken, error)) = moved {
            return Moved::Broken(if broken == Broken::From { which } else { to_which }, error);
        }
    }
    Moved::Yielded
}

#[derive(PartialEq, Eq)]
enum Broken {
    From,
    To,
}

/// Whether nothing is owed any more.
pub fn flush(way: &mut Way, to: &mut Side) -> Result<bool, Errno> {
    while way.owed_from < way.owed.len() {
        if !to.writable {
            return Ok(false);
        }
        match net::write(to.raw(), &way.owed[way.owed_from..]) {
            Ok(count) => way.owed_from += count,
            Err(error) if error.would_block() => to.writable = false,
            Err(error) if error.interrupted() => {}
            Err(error) => return Err(error),
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
        match pipe.empty(to.raw()) {
            Ok(_) => {}
            Err(error) if error.would_block() => to.writable = false,
            Err(error) if error.interrupted() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// By the thread's buffer; memory of its own is made for what did not fit alone.
fn copy(way: &mut Way, from: &mut Side, to: &mut Side, buffer: &mut [u8], pipes: &mut PipePool) -> Result<(), (Broken, Errno)> {
    let count = match net::read(from.raw(), buffer) {
        Ok(0) => {
            from.ended = true;
            return Ok(());
        }
        Ok(count) => count,
        Err(error) if error.would_block() => {
            from.readable = false;
            return Ok(());
        }
        Err(error) if error.interrupted() => return Ok(()),
        Err(error) => return Err((Broken::From, error)),
    };
    way.bytes += count as u64;
    // The kernel has no more, so the next byte is a new edge; but an end that was announced already makes none.
    if count < buffer.len() && !from.ending {
        from.readable = false;
    }
    let mut sent = 0;
    while sent < count && to.writable {
        match net::write(to.raw(), &buffer[sent..count]) {
            Ok(moved) => sent += moved,
            Err(error) if error.would_block() => to.writable = false,
            Err(error) if error.interrupted() => {}
            Err(error) => return Err((Broken::To, error)),
        }
    }
    if sent < count {
        way.owed = buffer[sent..count].to_vec();
        way.owed_from = 0;
    }
    way.bulky = if count >= BULKY_BYTES { way.bulky.saturating_add(1) } else { 0 };
    if way.bulky >= BULKY_READS {
        way.bulky = 0;
        way.pipe = pipes.take();
    }
    Ok(())
}

/// By a pipe, without a copy. It is empty here, so EAGAIN is the socket's.
fn fill(way: &mut Way, from: &mut Side) -> Result<(), (Broken, Errno)> {
    let Some(pipe) = way.pipe.as_mut() else { return Ok(()) };
    match pipe.fill(from.raw()) {
        Ok(0) => from.ended = true,
        Ok(count) => {
            way.bytes += count as u64;
            way.bulky = if count < BULKY_BYTES { way.bulky.saturating_add(1) } else { 0 };
        }
        Err(error) if error.would_block() => from.readable = false,
        Err(error) if error.interrupted() => {}
        Err(error) => return Err((Broken::From, error)),
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

/// Only after the last byte is out.
fn pass_end(to: &mut Side, to_which: Which) -> Moved {
    if to.shut {
        return Moved::Ended;
    }
    to.shut = true;
    match net::shutdown_write(to.raw()) {
        Ok(()) => Moved::Ended,
        Err(error) => Moved::Broken(to_which, error),
    }
}
