//! The system calls that std has no name for. IPv4 loopback alone.

use std::io::{self, Error, Result};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const BACKLOG: libc::c_int = 4_096;

/// Whether it is only that there is nothing to do yet.
pub fn would_block(error: &Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Binds and listens, non-blocking; port 0 is any free one.
pub fn listen(address: SocketAddrV4) -> Result<TcpListener> {
    let fd = socket()?;
    set_int(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    let (name, length) = sockaddr(address);
    // SAFETY: `name` is a whole sockaddr_in of that length, and lives until the call returns.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const name).cast(), length) })?;
    // SAFETY: no pointers are passed.
    check(unsafe { libc::listen(fd.as_raw_fd(), BACKLOG) })?;
    Ok(TcpListener::from(fd))
}

/// Begins to connect; writable when that is done, `TcpStream::take_error` says how it went.
pub fn connect(address: SocketAddrV4) -> Result<TcpStream> {
    let fd = socket()?;
    let (name, length) = sockaddr(address);
    // SAFETY: `name` is a whole sockaddr_in of that length, and lives until the call returns.
    match check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const name).cast(), length) }) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => {
            let stream = TcpStream::from(fd);
            stream.set_nodelay(true)?;
            Ok(stream)
        }
    }
}

/// Closes with a reset: what was not delivered is thrown away.
pub fn reset(stream: TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let length = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: `linger` is whole, of that length, and lives until the call returns. Failure leaves an ordinary close, which the peer notices.
    unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), length);
    }
    drop(stream);
}

/// Takes up to `most` bytes off the socket without copying them.
pub fn discard(stream: &TcpStream, most: usize) -> Result<usize> {
    // SAFETY: with MSG_TRUNC a TCP socket drops the bytes and writes nothing to the buffer, which may then be null: tcp(7).
    let got = unsafe { libc::recv(stream.as_raw_fd(), std::ptr::null_mut(), most, libc::MSG_TRUNC) };
    usize::try_from(got).map_err(|_| Error::last_os_error())
}

/// What the kernel keeps for the reader; small ones show back-pressure early.
pub fn set_receive_buffer(stream: &TcpStream, bytes: i32) -> Result<()> {
    set_int(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, bytes)
}

/// Level-triggered epoll. A token comes back with each event of its socket; closing the socket removes it.
pub struct Poll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    pub fn new() -> Result<Self> {
        // SAFETY: no pointers are passed; the descriptor is new and owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; 1_024] })
    }

    pub fn add(&self, socket: &impl AsRawFd, token: usize, interest: Interest) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket.as_raw_fd(), token, interest)
    }

    pub fn change(&self, socket: &impl AsRawFd, token: usize, interest: Interest) -> Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket.as_raw_fd(), token, interest)
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, token: usize, interest: Interest) -> Result<()> {
        let mut event = libc::epoll_event { events: interest.0, u64: token as u64 };
        // SAFETY: `event` lives until the call returns; both descriptors are open.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &raw mut event) }).map(|_| ())
    }

    /// Waits up to `ms` (negative: for ever) and hands out `(token, readable, writable)`; errors and hang-ups count as both.
    pub fn wait(&mut self, ms: i32) -> Result<impl Iterator<Item = (usize, bool, bool)> + use<>> {
        // SAFETY: the vector is initialised and as long as it says; the kernel writes at most so many events.
        let got = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), self.events.len() as libc::c_int, ms) };
        let count = match check(got) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            other => other? as usize,
        };
        let broken = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
        let ready: Vec<_> = self.events.iter().take(count).map(|event| (event.u64 as usize, event.events)).collect();
        Ok(ready.into_iter().map(move |(token, bits)| {
            let read = bits & (libc::EPOLLIN as u32 | broken) != 0;
            (token, read, bits & (libc::EPOLLOUT as u32 | broken) != 0)
        }))
    }
}

/// What a socket is watched for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(u32);

impl Interest {
    pub const READ: Self = Self(libc::EPOLLIN as u32);
    pub const WRITE: Self = Self(libc::EPOLLOUT as u32);

    pub fn of(read: bool, write: bool) -> Self {
        Self(if read { Self::READ.0 } else { 0 } | if write { Self::WRITE.0 } else { 0 })
    }
}

fn socket() -> Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers are passed; the descriptor is new and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_INET, kind, 0))?) })
}

fn sockaddr(address: SocketAddrV4) -> (libc::sockaddr_in, libc::socklen_t) {
    let name = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    };
    (name, size_of::<libc::sockaddr_in>() as libc::socklen_t)
}

fn set_int(fd: RawFd, level: libc::c_int, name: libc::c_int, value: i32) -> Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `value` is whole, of that length, and lives until the call returns.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) }).map(|_| ())
}

fn check(returned: libc::c_int) -> Result<libc::c_int> {
    if returned < 0 { Err(Error::last_os_error()) } else { Ok(returned) }
}
