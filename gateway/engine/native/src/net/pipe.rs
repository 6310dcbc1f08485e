use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::socket::{Errno, last_error};

/// What one splice may move, bytes: as much as the pipe is asked to hold.
const WANTED_SIZE: i32 = 1 << 20;

/// Through less, copying is cheaper.
const SMALLEST_SIZE: i32 = 64 * 1024;

/// Pages on their way from one socket to another without a copy.
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    held: usize,
}

impl Pipe {
    fn new() -> Result<Self, Errno> {
        let mut fds = [0; 2];
        // SAFETY: room for two descriptors, which nobody else owns once they are there.
        let (read, write) = unsafe {
            if libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) < 0 {
                return Err(last_error());
            }
            (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
        };
        // SAFETY: no pointers. Refused where the user's pages for pipes are used up (pipe-user-pages-soft), where a new one is small, too.
        let size = unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETPIPE_SZ, WANTED_SIZE) };
        // SAFETY: no pointers.
        let size = if size < 0 { unsafe { libc::fcntl(write.as_raw_fd(), libc::F_GETPIPE_SZ) } } else { size };
        if size < SMALLEST_SIZE {
            return Err(Errno(libc::ENOBUFS));
        }
        Ok(Self { read, write, held: 0 })
    }

    /// Bytes that have come in and not gone out.
    pub fn held(&self) -> usize {
        self.held
    }

    /// From a socket. Ok(0): its end. Only while the pipe is empty does EAGAIN mean that the socket is.
    pub fn fill(&mut self, from: RawFd) -> Result<usize, Errno> {
        let moved = splice(from, self.write.as_raw_fd(), WANTED_SIZE as usize)?;
        self.held += moved;
        Ok(moved)
    }

    /// To a socket.
    pub fn empty(&mut self, to: RawFd) -> Result<usize, Errno> {
        let moved = splice(self.read.as_raw_fd(), to, self.held)?;
        self.held -= moved;
        Ok(moved)
    }
}

fn splice(from: RawFd, to: RawFd, length: usize) -> Result<usize, Errno> {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    // SAFETY: no offsets are given, so no pointers are followed.
    let moved = unsafe { libc::splice(from, std::ptr::null_mut(), to, std::ptr::null_mut(), length, flags) };
    if moved < 0 { Err(last_error()) } else { Ok(moved as usize) }
}

/// Pipes are made when a stream turns bulky, kept for the next one, and no more than `most` at once: each costs two descriptors and, while it
/// is full, a megabyte.
pub struct PipePool {
    idle: Vec<Pipe>,
    out: usize,
    most: usize,
    most_idle: usize,
}

impl PipePool {
    pub fn new(most: usize) -> Self {
        Self { idle: Vec::new(), out: 0, most, most_idle: most.min(8) }
    }

    /// None: as many as there may be are in use, or descriptors have run out; copying goes on then.
    pub fn take(&mut self) -> Option<Pipe> {
        if self.out >= self.most {
            return None;
        }
        let pipe = match self.idle.pop() {
            Some(pipe) => pipe,
            None => Pipe::new().ok()?,
        };
        self.out += 1;
        Some(pipe)
    }

    /// One that still holds something is closed.
    pub fn give_back(&mut self, pipe: Pipe) {
        self.out -= 1;
        if pipe.held == 0 && self.idle.len() < self.most_idle {
            self.idle.push(pipe);
        }
    }
}
