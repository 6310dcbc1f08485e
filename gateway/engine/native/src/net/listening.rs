use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::options::{KeepAlive, set, set_keep_alive, set_no_delay, set_unpaced};
use super::socket::{BACKLOG, Errno, bind, last_error, local_address, stream_socket};

/// One address, listened on by one socket or several: each has its own queue, and the kernel spreads connections over them.
pub struct Listening {
    pub sockets: Vec<OwnedFd>,
    pub address: SocketAddr,
}

/// `count` sockets on one address; port 0: any free one, the same for all. A place that anybody else listens on is refused (EADDRINUSE),
/// although SO_REUSEPORT alone would let another process of this user share it. What they accept inherits TCP_NODELAY.
pub fn listen(address: SocketAddr, count: usize, keep_alive: KeepAlive) -> Result<Listening, Errno> {
    let several = count > 1;
    if several && address.port() != 0 {
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
        if several {
            set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1);
        }
        pass_on_options(fd, bound, keep_alive);
        bind(&socket, bound)?;
        begin(fd)?;
        bound = local_address(fd).ok_or(Errno(libc::EIO))?;
        sockets.push(socket);
    }
    Ok(Listening { sockets, address: bound })
}

/// Sockets that somebody else has opened, all of one address: a duplicate of each, so that those named stay whose they were. What waits in
/// their queues is taken with them. EINVAL: one of them does not listen, or elsewhere than the first.
pub fn adopt(descriptors: &[RawFd], keep_alive: KeepAlive) -> Result<Listening, Errno> {
    let mut sockets = Vec::with_capacity(descriptors.len());
    let mut address = None;
    for descriptor in descriptors {
        let socket = duplicate(*descriptor)?;
        let fd = socket.as_raw_fd();
        let bound = local_address(fd).filter(|_| accepts(fd)).ok_or(Errno(libc::EINVAL))?;
        if *address.get_or_insert(bound) != bound {
            return Err(Errno(libc::EINVAL));
        }
        // SAFETY: no pointers. The flag is of the open file, which whoever else holds it wants non-blocking too.
        if unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) } < 0 {
            return Err(last_error());
        }
        pass_on_options(fd, bound, keep_alive);
        begin(fd)?;
        sockets.push(socket);
    }
    Ok(Listening { sockets, address: address.ok_or(Errno(libc::EINVAL))? })
}

/// What those that are accepted inherit.
fn pass_on_options(fd: RawFd, address: SocketAddr, keep_alive: KeepAlive) {
    set_no_delay(fd);
    set_keep_alive(fd, keep_alive);
    if address.ip().is_loopback() {
        set_unpaced(fd);
    }
}

/// Closed on exec.
pub fn duplicate(descriptor: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: no pointers; the result is checked before it is owned.
    let fd = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 0) };
    if fd < 0 {
        return Err(last_error());
    }
    // SAFETY: a descriptor that was just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Of one that listens already, the length of its queue is set.
fn begin(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: no pointers.
    if unsafe { libc::listen(fd, BACKLOG) } < 0 { Err(last_error()) } else { Ok(()) }
}

fn accepts(fd: RawFd) -> bool {
    let mut value = 0i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: room for an integer, and its size.
    let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, (&raw mut value).cast(), &mut length) };
    result == 0 && value != 0
}

/// From here on nobody is let in, and the address is free, whoever else holds this socket. Callers that wait are reset.
pub fn stop_listening(listener: &impl AsRawFd) {
    // SAFETY: no pointers.
    unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{accept, parse_address};

    const KEEP_ALIVE: KeepAlive = KeepAlive { after_s: 60 };

    #[test]
    fn a_socket_that_was_adopted_has_who_waited_in_it_and_outlives_its_first_owner() {
        let first = listen(parse_address("127.0.0.1", 0).unwrap(), 2, KEEP_ALIVE).unwrap();
        let callers: Vec<_> = (0..32).map(|_| std::net::TcpStream::connect(first.address).unwrap()).collect();
        let descriptors: Vec<RawFd> = first.sockets.iter().map(AsRawFd::as_raw_fd).collect();
        let second = adopt(&descriptors, KEEP_ALIVE).unwrap();
        assert_eq!(second.address, first.address);
        drop(first);
        let mut taken = 0;
        for socket in &second.sockets {
            while accept(socket.as_raw_fd()).is_ok() {
                taken += 1;
            }
        }
        assert_eq!(taken, callers.len());
    }

    #[test]
    fn what_does_not_listen_or_listens_elsewhere_is_not_adopted() {
        let here = listen(parse_address("127.0.0.1", 0).unwrap(), 1, KEEP_ALIVE).unwrap();
        let there = listen(parse_address("127.0.0.1", 0).unwrap(), 1, KEEP_ALIVE).unwrap();
        let of = |listening: &Listening| listening.sockets[0].as_raw_fd();
        assert_eq!(adopt(&[of(&here), of(&there)], KEEP_ALIVE).err(), Some(Errno(libc::EINVAL)));
        let stream = std::net::TcpStream::connect(here.address).unwrap();
        assert_eq!(adopt(&[stream.as_raw_fd()], KEEP_ALIVE).err(), Some(Errno(libc::EINVAL)));
        assert_eq!(adopt(&[1_000_000], KEEP_ALIVE).err(), Some(Errno(libc::EBADF)));
        assert_eq!(adopt(&[], KEEP_ALIVE).err(), Some(Errno(libc::EINVAL)));
    }
}
