use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::net::{self, Epoll, Errno};
use crate::tls::TlsEnd;

/// One socket and what its readiness was when it was last asked.
pub struct Side {
    pub fd: OwnedFd,
    pub readable: bool,
    pub writable: bool,
    /// The other side has said that its direction ends, or is gone: whatever a short read suggests, reading goes on to the end.
    pub ending: bool,
    /// It has sent urgent data: a short read says nothing, and nothing is spliced, as pipes do not pass the mark.
    pub urgent: bool,
    /// Both directions are over, by reset or otherwise.
    pub gone: bool,
    /// Over by a break, which what it has sent before may stand in front of.
    pub broken: bool,
    /// That end has been read.
    pub ended: bool,
    /// Ours has been sent.
    pub shut: bool,
    /// What was written to it, as far as Nagle's algorithm is concerned.
    pub said: Said,
    /// What epoll says of it.
    pub watch: Watch,
    /// Its end of mTLS, where there is one.
    pub tls: Option<Box<TlsEnd>>,
    /// TypeScript has the other end of it, and sets this before it closes that where it breaks off.
    pub cut: Option<Arc<AtomicBool>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    Nothing,
    /// One write, which nothing could hold up.
    Once,
    /// More than that, or more is expected: nothing may hold any of it up.
    Often,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watch {
    /// Nothing yet: it may be over before there is anything to wait for.
    Nothing,
    /// What comes, and how it ends.
    Input,
    /// That there is room again, too.
    InputAndRoom,
}

impl Side {
    /// One that was accepted: it has its listener's options, and may have something to read already.
    pub fn accepted(fd: OwnedFd) -> Self {
        let (ending, gone, broken, urgent, ended, shut) = (false, false, false, false, false, false);
        let (said, watch, tls, cut) = (Said::Often, Watch::Nothing, None, None);
        Self { fd, readable: true, writable: true, ending, gone, broken, urgent, ended, shut, said, watch, tls, cut }
    }

    /// One that is being connected. Epoll will say when there is something to read.
    pub fn connecting(fd: OwnedFd, writable: bool) -> Self {
        Self { readable: false, writable, said: Said::Nothing, ..Self::accepted(fd) }
    }

    /// Before each write.
    pub fn speaks(&mut self) {
        self.said = match self.said {
            Said::Nothing => Said::Once,
            Said::Once => {
                net::set_no_delay(self.fd_raw());
                Said::Often
            }
            Said::Often => Said::Often,
        };
    }

    /// Has epoll say what is waited for from now on. Whatever has happened since it was last asked is an edge then, so none is lost.
    pub fn watched(&mut self, epoll: &Epoll, token: u64) -> Result<(), Errno> {
        let room = !self.writable;
        match self.watch {
            Watch::Nothing => epoll.add_stream(self.fd_raw(), token, room)?,
            Watch::Input if room => epoll.add_room(self.fd_raw(), token)?,
            Watch::Input | Watch::InputAndRoom => return Ok(()),
        }
        self.watch = if room { Watch::InputAndRoom } else { Watch::Input };
        Ok(())
    }

    pub fn fd_raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
