//! Which sockets listen, by the listener's number, and which thread serves which of them.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Those of one engine.
#[derive(Default)]
pub struct Listeners {
    next: u64,
    open: HashMap<u64, OpenListener>,
}

/// The same sockets that its threads have, so that they can be closed, and handed on, from here.
pub struct OpenListener {
    pub sockets: Vec<Arc<OwnedFd>>,
    /// Thread, and the number by which it knows its part.
    pub parts: Vec<(usize, u64)>,
}

/// What one thread serves of a listener.
pub struct Part {
    pub thread: usize,
    pub number: u64,
    pub fd: Arc<OwnedFd>,
    pub shared: bool,
}

pub struct Opened {
    pub number: u64,
    pub parts: Vec<Part>,
}

impl Listeners {
    /// Every socket gets a thread, as callers wait in each; and every thread a socket, which it shares where there are fewer.
    pub fn open(&mut self, sockets: Vec<OwnedFd>, threads: usize) -> Opened {
        let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
        let shared = sockets.len() < threads;
        let mut parts = Vec::new();
        for at in 0..sockets.len().max(threads) {
            self.next += 1;
            parts.push(Part { thread: at % threads, number: self.next, fd: sockets[at % sockets.len()].clone(), shared });
        }
        self.next += 1;
        let known = parts.iter().map(|part| (part.thread, part.number)).collect();
        self.open.insert(self.next, OpenListener { sockets, parts: known });
        Opened { number: self.next, parts }
    }

    pub fn remove(&mut self, number: u64) -> Option<OpenListener> {
        self.open.remove(&number)
    }

    pub fn numbers(&self) -> Vec<u64> {
        self.open.keys().copied().collect()
    }

    pub fn sockets(&self, number: u64) -> &[Arc<OwnedFd>] {
        self.open.get(&number).map_or(&[], |open| &open.sockets)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::os::fd::AsRawFd;

    use super::*;

    fn sockets(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| std::fs::File::open("/dev/null").unwrap().into()).collect()
    }

    #[test]
    fn every_socket_is_served_and_every_thread_serves() {
        for (count, threads) in [(1, 1), (1, 4), (3, 2), (2, 3), (4, 4), (8, 3)] {
            let mut listeners = Listeners::default();
            let opened = listeners.open(sockets(count), threads);
            let served: HashSet<_> = opened.parts.iter().map(|part| part.fd.as_raw_fd()).collect();
            let serving: HashSet<_> = opened.parts.iter().map(|part| part.thread).collect();
            let numbers: HashSet<_> = opened.parts.iter().map(|part| part.number).collect();
            assert_eq!((served.len(), serving.len(), numbers.len()), (count, threads, count.max(threads)));
            assert_eq!(opened.parts[0].shared, count < threads);
            assert_eq!(listeners.sockets(opened.number).len(), count);
            assert_eq!(listeners.remove(opened.number).unwrap().parts.len(), count.max(threads));
            assert!(listeners.sockets(opened.number).is_empty());
        }
    }
}
