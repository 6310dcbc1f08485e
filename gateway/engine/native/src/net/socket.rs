use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::address::SocketAddress;

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

/// When a silent connection is probed, and how it is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepAlive {
    /// From the last byte to the first probe, s.
    pub after_s: u32,
}

/// Between probes, s, and how many: as libuv has it, so that both engines notice after the same time.
const PROBE_EVERY_S: i32 = 1;
const PROBES: i32 = 10;
/// The kernel's own limit (net.core.somaxconn) applies.
const BACKLOG: i32 = 4_096;

fn set(fd: RawFd, level: i32, name: i32, value: i32) {
    // SAFETY: a value that lives through the call, and its size. What the kernel refuses here is a nicety that goes missing.
    unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t) };
}

fn set_stream(fd: RawFd, keep_alive: KeepAlive) {
    set(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    set_keep_alive(fd, keep_alive);
}

/// For a connection that lasts: most do not, and each of these is a call.
pub fn set_keep_alive(fd: RawFd, keep_alive: KeepAlive) {
    set(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
    set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, keep_alive.after_s as i32);
    set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, PROBE_EVERY_S);
    set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, PROBES);
}

fn stream_socket(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no pointers; the result is checked before it is owned.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(last_error());
    }
    // SAFETY: a descriptor that was just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// One address, listened on by several sockets: each thread has its own queue, and the kernel spreads connections over them.
pub struct Listening {
    pub sockets: Vec<OwnedFd>,
    pub address: SocketAddr,
}

/// `count` sockets on one address; port 0: any free one, the same for all. A place that anybody else listens on is refused (EADDRINUSE),
/// although SO_REUSEPORT alone would let another process of this user share it. What they accept inherits TCP_NODELAY and keep-alive.
pub fn listen(address: SocketAddr, count: usize, keep_alive: KeepAlive) -> Result<Listening, Errno> {
    if address.port() != 0 {
        let probe = stream_socket(address)?;
        set(probe.as_raw_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
        bind(&probe, address)?;
    }
    let mut bound = address;
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count.max(1) {
        let socket = stream_socket(bound)?;
        let fd = socket.as_raw_fd();
        set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
        set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1);
        set_stream(fd, keep_alive);
        bind(&socket, bound)?;
        // SAFETY: no pointers.
        if unsafe { libc::listen(fd, BACKLOG) } < 0 {
            return Err(last_error());
        }
        bound = local_address(fd).ok_or(Errno(libc::EIO))?;
        sockets.push(socket);
    }
    Ok(Listening { sockets, address: bound })
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> Result<(), Errno> {
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

/// From here on nobody is let in, and the address is free, whoever else holds this socket. Callers that wait are reset.
pub fn stop_listening(listener: &OwnedFd) {
    // SAFETY: no pointers.
    unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
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

/// `true`: connected at once; else that shows when it is writable.
pub fn connect(to: SocketAddr) -> Result<(OwnedFd, bool), Errno> {
    let socket = stream_socket(to)?;
    set(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
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
