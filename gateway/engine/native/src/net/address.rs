use std::ffi::CString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// A socket address as the kernel takes and gives it.
#[repr(C)]
#[derive(Clone, Copy)]
pub union SocketAddress {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl SocketAddress {
    /// As large as either family needs.
    pub const SIZE: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;

    pub fn unspecified() -> Self {
        // SAFETY: all bytes zero is a value of every member: family 0 (AF_UNSPEC).
        unsafe { std::mem::zeroed() }
    }

    pub fn as_ptr(&self) -> *const libc::sockaddr {
        (self as *const Self).cast()
    }

    pub fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (self as *mut Self).cast()
    }

    /// Of its family, bytes.
    pub fn length(&self) -> libc::socklen_t {
        // SAFETY: `family` is the first field of each member, and always written.
        match i32::from(unsafe { self.family }) {
            libc::AF_INET => size_of::<libc::sockaddr_in>() as libc::socklen_t,
            _ => Self::SIZE,
        }
    }

    /// None where the family is neither IPv4 nor IPv6. IPv4 as itself where a dual-stack socket shows it mapped into IPv6.
    pub fn to_std(self) -> Option<SocketAddr> {
        // SAFETY: `family` says which member was written.
        unsafe {
            match i32::from(self.family) {
                libc::AF_INET => {
                    let address = Ipv4Addr::from(u32::from_be(self.v4.sin_addr.s_addr));
                    Some(SocketAddr::new(IpAddr::V4(address), u16::from_be(self.v4.sin_port)))
                }
                libc::AF_INET6 => {
                    let address = Ipv6Addr::from(self.v6.sin6_addr.s6_addr);
                    Some(SocketAddr::new(IpAddr::V6(address).to_canonical(), u16::from_be(self.v6.sin6_port)))
                }
                _ => None,
            }
        }
    }
}

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        let mut made = Self::unspecified();
        match address {
            SocketAddr::V4(v4) => {
                made.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                    sin_zero: [0; 8],
                };
            }
            SocketAddr::V6(v6) => {
                made.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
            }
        }
        made
    }
}

/// `address`: IPv4 or IPv6, that with a zone (RFC 4007 §11) where it has one; never a name.
pub fn parse_address(address: &str, port: u16) -> Result<SocketAddr, String> {
    let wrong = || format!("{address} is no IP address");
    let Some((ip, zone)) = address.split_once('%') else {
        return Ok(SocketAddr::new(address.parse().map_err(|_| wrong())?, port));
    };
    let ip: Ipv6Addr = ip.parse().map_err(|_| wrong())?;
    let scope = zone.parse().ok().or_else(|| interface(zone)).ok_or_else(|| format!("{address} names no interface of this machine"))?;
    Ok(SocketAddrV6::new(ip, port, 0, scope).into())
}

fn interface(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: a text that ends with a zero and lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_there_and_back() {
        for text in ["127.0.0.1", "10.1.2.3", "::1", "2001:db8::7"] {
            let address = parse_address(text, 15443).unwrap();
            assert_eq!(SocketAddress::from(address).to_std(), Some(address));
        }
        let mapped = parse_address("::ffff:10.1.2.3", 80).unwrap();
        assert_eq!(SocketAddress::from(mapped).to_std().unwrap().to_string(), "10.1.2.3:80");
        assert!(parse_address("orders.shop", 80).is_err());
        assert_eq!(parse_address("fe80::1%lo", 80).unwrap().to_string(), "[fe80::1%1]:80");
        assert!(parse_address("fe80::1%nowhere", 80).is_err() && parse_address("10.0.0.1%lo", 80).is_err());
    }
}
