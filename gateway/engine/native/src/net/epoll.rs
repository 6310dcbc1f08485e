use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::socket::{Errno, last_error};

/// Edge-triggered readiness of many descriptors.
pub struct Epoll {
    fd: OwnedFd,
}

/// What is ready; a bit set of EPOLL*.
#[derive(Clone, Copy)]
pub struct Event {
    pub token: u64,
    pub ready: u32,
}

impl Event {
    pub fn readable(self) -> bool {
        self.ready & (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0
    }

    pub fn writable(self) -> bool {
        self.ready & (libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0
    }

    /// The other side has ended its direction, or everything is over: there is something to read until an end or an error is read.
    pub fn ending(self) -> bool {
        self.ready & (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0
    }

    /// An urgent mark has come, at which reads stop short although there is more.
    pub fn urgent(self) -> bool {
        self.ready & libc::EPOLLPRI as u32 != 0
    }

    /// It has broken off: there is an error to be read, behind what came before it.
    pub fn broken(self) -> bool {
        self.ready & libc::EPOLLERR as u32 != 0
    }

    /// Not just one direction: the connection is over.
    pub fn gone(self) -> bool {
        self.ready & (libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0
    }
}

/// Room for what one wait gives.
pub struct Events {
    raw: Vec<libc::epoll_event>,
    len: usize,
}

impl Events {
    pub fn with_capacity(capacity: usize) -> Self {
        Self { raw: vec![libc::epoll_event { events: 0, u64: 0 }; capacity], len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, at: usize) -> Event {
        let libc::epoll_event { events, u64 } = self.raw[at];
        Event { token: u64, ready: events }
    }
}

impl Epoll {
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: no pointers; the result is checked before it is owned.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(last_error());
        }
        // SAFETY: a descriptor that was just made, owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    /// A connection, edge by edge; what is ready already counts as an edge. With `room`, that it can be written to is said, too: a socket that has
    /// never been full would say so for nothing.
    pub fn add_stream(&self, fd: RawFd, token: u64, room: bool) -> Result<(), Errno> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, stream_events(room))
    }

    /// The same of one that was added: from now on with `room`.
    pub fn add_room(&self, fd: RawFd, token: u64) -> Result<(), Errno> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, stream_events(true))
    }

    /// For as long as something is there.
    pub fn add_level(&self, fd: RawFd, token: u64) -> Result<(), Errno> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, libc::EPOLLIN as u32)
    }

    /// A socket that listens. `shared`: other threads wait for it as well, of whom not all need wake for one caller.
    pub fn add_listener(&self, fd: RawFd, token: u64, shared: bool) -> Result<(), Errno> {
        let exclusive = if shared { libc::EPOLLEXCLUSIVE } else { 0 };
        self.control(libc::EPOLL_CTL_ADD, fd, token, (libc::EPOLLIN | exclusive) as u32)
    }

    fn control(&self, operation: i32, fd: RawFd, token: u64, events: u32) -> Result<(), Errno> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: `event` lives through the call.
        let result = unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &mut event) };
        if result < 0 { Err(last_error()) } else { Ok(()) }
    }

    pub fn remove(&self, fd: RawFd) {
        // SAFETY: no event is read for EPOLL_CTL_DEL.
        unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
    }

    /// `timeout_ms`: -1 for ever. A signal counts as nothing ready.
    pub fn wait(&self, events: &mut Events, timeout_ms: i32) {
        let capacity = events.raw.len() as i32;
        // SAFETY: the buffer has `capacity` places and lives through the call.
        let count = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), events.raw.as_mut_ptr(), capacity, timeout_ms) };
        events.len = usize::try_from(count).unwrap_or(0);
    }
}

fn stream_events(room: bool) -> u32 {
    let always = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLPRI | libc::EPOLLET;
    (if room { always | libc::EPOLLOUT } else { always }) as u32
}

/// Ends a wait from another thread. Clones wake the same one.
#[derive(Clone)]
pub struct Wake {
    fd: Arc<OwnedFd>,
}

impl Wake {
    pub fn new() -> Result<Self, Errno> {
        // SAFETY: no pointers; the result is checked before it is owned.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(last_error());
        }
        // SAFETY: a descriptor that was just made, owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd: Arc::new(fd) })
    }

    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    pub fn wake(&self) {
        let one = 1u64;
        // SAFETY: eight bytes of a value that lives through the call. A full counter wakes as well.
        unsafe { libc::write(self.fd(), (&raw const one).cast(), 8) };
    }

    pub fn clear(&self) {
        let mut count = 0u64;
        // SAFETY: eight bytes of a value that lives through the call.
        unsafe { libc::read(self.fd(), (&raw mut count).cast(), 8) };
    }
}
