use std::os::fd::RawFd;
use std::sync::OnceLock;

/// When a silent connection is probed, and how it is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepAlive {
    /// From the last byte to the first probe, s.
    pub after_s: u32,
}

impl KeepAlive {
    /// In whole seconds, as the kernel counts them.
    pub fn after_ms(ms: u64) -> Self {
        Self { after_s: u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1) }
    }
}

/// Between probes, s, and how many: as libuv has it, so that both engines notice after the same time.
const PROBE_EVERY_S: i32 = 1;
const PROBES: i32 = 10;
/// TCP_CA_NAME_MAX of linux/tcp.h, bytes.
const MOST_NAME: usize = 16;

pub(super) fn set(fd: RawFd, level: i32, name: i32, value: i32) {
    // SAFETY: a value that lives through the call, and its size. What the kernel refuses here is a nicety that goes missing.
    unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t) };
}

/// Nagle's algorithm (RFC 896) off: no small write waits for the one before it to be acknowledged. The first write of a connection never does, so
/// those that write once need not say this.
pub fn set_no_delay(fd: RawFd) {
    set(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
}

/// Before connect(2): the ACK that ends TCP's handshake goes out with the first data (delayed ACK, RFC 1122 §4.2.3.2), which is a packet and a
/// wake-up of the server saved. Where no data follows it goes out by itself, within 200 ms.
pub(super) fn answer_slowly(fd: RawFd) {
    set(fd, libc::IPPROTO_TCP, libc::TCP_QUICKACK, 0);
}

/// Before connect(2) or listen(2), of sockets whose other end is on this machine: where the system's congestion control paces what is sent, by a
/// timer for every few segments, theirs does not. There is no network to spare, and those timers are most of what sending in bulk costs.
pub(super) fn set_unpaced(fd: RawFd) {
    const RENO: &[u8] = b"reno";
    static PACED: OnceLock<bool> = OnceLock::new();
    if *PACED.get_or_init(|| congestion_control(fd).is_some_and(|name| name.starts_with(b"bbr"))) {
        // SAFETY: a name that lives through the call, and its length. It is in every kernel, and every user may have it.
        unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_CONGESTION, RENO.as_ptr().cast(), RENO.len() as libc::socklen_t) };
    }
}

/// As the system has it for new sockets, zeros after the name.
fn congestion_control(fd: RawFd) -> Option<[u8; MOST_NAME]> {
    let mut name = [0; MOST_NAME];
    let mut length = MOST_NAME as libc::socklen_t;
    // SAFETY: room for a name of the longest kind, and its size.
    let result = unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_CONGESTION, name.as_mut_ptr().cast(), &mut length) };
    (result == 0).then_some(name)
}

/// For a connection that lasts: most do not, and each of these is a call.
pub fn set_keep_alive(fd: RawFd, keep_alive: KeepAlive) {
    set(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
    set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, keep_alive.after_s as i32);
    set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, PROBE_EVERY_S);
    set(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, PROBES);
}
