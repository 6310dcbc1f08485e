use std::net::SocketAddr;
use std::os::fd::RawFd;

use super::address::SocketAddress;
use super::socket::{Errno, last_error};

/// Of netfilter (linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h), the same for both families.
const SO_ORIGINAL_DST: i32 = 80;

/// Where an accepted TCP connection was going before netfilter redirected it, IPv4 as itself. None where netfilter does not follow it; where it follows
/// it and did not change it, that is the address at which it was accepted.
pub fn original_destination(fd: RawFd) -> Result<Option<SocketAddr>, Errno> {
    // IPv4 first: a socket of both families holds IPv4 connections too, which netfilter knows as IPv4.
    for level in [libc::SOL_IP, libc::SOL_IPV6] {
        let mut address = SocketAddress::unspecified();
        let mut length = SocketAddress::SIZE;
        // SAFETY: room for an address of either family, and its size.
        if unsafe { libc::getsockopt(fd, level, SO_ORIGINAL_DST, address.as_mut_ptr().cast(), &mut length) } == 0 {
            return Ok(address.to_std());
        }
        match last_error() {
            Errno(libc::ENOENT | libc::ENOPROTOOPT | libc::EINVAL | libc::EOPNOTSUPP) => {}
            error => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn what_nobody_redirected_was_going_nowhere_else() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has nothing to be asked of it.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let bound = listener.local_addr().unwrap();
            let _caller = TcpStream::connect(bound).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let to = original_destination(accepted.as_raw_fd()).unwrap();
            assert!(to.is_none_or(|to| to == bound), "{to:?} of {bound}");
        }
        assert_eq!(original_destination(1_000_000), Err(Errno(libc::EBADF)));
    }
}
