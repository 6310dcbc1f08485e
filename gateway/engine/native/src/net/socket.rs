use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::address::SocketAddress;
use super::options::{answer_slowly, set_unpaced};

/// What a system call failed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

impl Errno {
    /// Nothing now; later perhaps.
    pub fn would_block(self) -> bool {
        self.0 == libc::EAGAIN || self.0 == libc::EWOULDBLOCK
    }

    pub fn interrupted(self) -> bool {
        self.0 == libc::EINTR
    }

    /// Descriptors or memory for sockets have run out.
    pub fn exhausted(self) -> bool {
        matches!(self.0, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    }

    /// As Node names it.
    pub fn name(self) -> &'static str {
        match self.0 {
            libc::ECONNREFUSED => "ECONNREFUSED",
            libc::ECONNRESET => "ECONNRESET",
            libc::EPIPE => "EPIPE",
            libc::ETIMEDOUT => "ETIMEDOUT",
            libc::EHOSTUNREACH => "EHOSTUNREACH",
            libc::ENETUNREACH => "ENETUNREACH",
            libc::EADDRINUSE => "EADDRINUSE",
            libc::EADDRNOTAVAIL => "EADDRNOTAVAIL",
            libc::EACCES => "EACCES",
            libc::EINVAL => "EINVAL",
            libc::EBADF => "EBADF",
            libc::EMFILE => "EMFILE",
            libc::ENFILE => "ENFILE",
            libc::ENOBUFS => "ENOBUFS",
            libc::ENOMEM => "ENOMEM",
            _ => "E",
        }
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            "E" => write!(f, "errno {}", self.0),
            name => f.write_str(name),
        }
    }
}

pub(super) fn last_error() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// The kernel's own limit (net.core.somaxconn) applies.
pub(super) const BACKLOG: i32 = 4_096;

pub(super) fn stream_socket(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; the result is checked before it is owned.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(last_error());
    }
    // SAFETY: a descriptor that was just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(super) fn bind(socket: &OwnedFd, address: SocketAddr) -> Result<(), Errno> {
    let address = SocketAddress::from(address);
    // SAFETY: an address of its family, with its length.
    if unsafe { libc::bind(socket.as_raw_fd(), address.as_ptr(), address.length()) } < 0 { Err(last_error()) } else { Ok(()) }
}

/// What the socket is bound to.
pub fn local_address(fd: RawFd) -> Option<SocketAddr> {
    let mut address = SocketAddress::unspecified();
    let mut length = SocketAddress::SIZE;
    // SAFETY: room for an address of either family, and its size.
    if unsafe { libc::getsockname(fd, address.as_mut_ptr(), &mut length) } < 0 {
        return None;
    }
    address.to_std()
}

/// EAGAIN: nobody waits.
pub fn accept(listener: RawFd) -> Result<(OwnedFd, SocketAddr), Errno> {
    let mut address = SocketAddress::unspecified();
    let mut length = SocketAddress::SIZE;
    // SAFETY: room for an address of either family, and its size.
    let fd = unsafe { libc::accept4(listener, address.as_mut_ptr(), &mut length, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) };
    if fd < 0 {
        return Err(last_error());
    }
    // SAFETY: a descriptor that was just made, owned by nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((socket, address.to_std().ok_or(Errno(libc::EAFNOSUPPORT))?))
}

/// `true`: connected at once; else that shows when it is writable, or when a write goes well. `speaks`: something will be sent as soon as it is.
/// Nagle's algorithm is on: see `set_no_delay`.
pub fn connect(to: SocketAddr, speaks: bool) -> Result<(OwnedFd, bool), Errno> {
    let socket = stream_socket(to)?;
    if speaks {
        answer_slowly(socket.as_raw_fd());
    }
    if to.ip().is_loopback() {
        set_unpaced(socket.as_raw_fd());
    }
    let address = SocketAddress::from(to);
    // SAFETY: an address of its family, with its length.
    if unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr(), address.length()) } == 0 {
        return Ok((socket, true));
    }
    match last_error() {
        Errno(libc::EINPROGRESS) => Ok((socket, false)),
        error => Err(error),
    }
}

/// Both ends of a connection within this machine, of bytes.
pub fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: room for two descriptors, which nobody else owns once they are there.
    unsafe {
        if libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) < 0 {
            return Err(last_error());
        }
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// What a connection attempt came to; read once, then forgotten by the kernel.
pub fn pending_error(fd: RawFd) -> Option<Errno> {
    let mut error = 0i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: room for an integer, and its size.
    if unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &mut length) } < 0 {
        return Some(last_error());
    }
    (error != 0).then_some(Errno(error))
}

/// Ok(0): the other side has ended its direction.
pub fn read(fd: RawFd, into: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: a buffer of that length.
    let count = unsafe { libc::recv(fd, into.as_mut_ptr().cast(), into.len(), 0) };
    if count < 0 { Err(last_error()) } else { Ok(count as usize) }
}

pub fn write(fd: RawFd, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: a buffer of that length.
    let count = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    if count < 0 { Err(last_error()) } else { Ok(count as usize) }
}

/// FIN, after all that was written.
pub fn shutdown_write(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    if unsafe { libc::shutdown(fd, libc::SHUT_WR) } < 0 { Err(last_error()) } else { Ok(()) }
}

/// Closes so that the other side sees a break, not an end: RST, and what was not sent is dropped.
pub fn reset(socket: OwnedFd) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: a value that lives through the call, and its size.
    unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), size) };
    drop(socket);
}
