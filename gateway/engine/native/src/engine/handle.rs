use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;

use super::events::Event;
use super::options::{ListenerSpec, Options};
use super::queue::EventQueue;
use super::run::{Command, Loop};
use super::shared::Shared;
use super::thread::{Thread, ThreadListener};
use crate::net::{self, Errno, Wake, parse_address};
use crate::tables::{PlaceNews, TablesMessage, Tickets};

/// One engine: its threads, and what they are told.
pub struct Engine {
    shared: Arc<Shared>,
    threads: Vec<ThreadHandle>,
    listeners: Mutex<Listeners>,
    /// One change of the tables after the other.
    applying: Mutex<()>,
}

struct ThreadHandle {
    commands: Sender<Command>,
    wake: Wake,
    joined: Mutex<Option<JoinHandle<()>>>,
}

/// By number. Each thread has a socket of it; these are the same ones, so that they can be closed from here.
#[derive(Default)]
struct Listeners {
    next: u64,
    open: HashMap<u64, Vec<OwnedFd>>,
}

/// Where a listener listens.
#[derive(Serialize, Clone, Debug)]
pub struct Bound {
    /// Names it, for `close`.
    pub number: u64,
    pub address: String,
    pub port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    pub open: usize,
    /// Of those, served by TypeScript.
    pub handed: usize,
    pub accepted: u64,
    pub ended: HashMap<&'static str, u64>,
    /// xDS clusters that open connections have been led to.
    pub in_use: Vec<String>,
}

impl Engine {
    /// `tell`: called on a thread of the engine when there are events; it must return at once.
    pub fn start(options: Options, tell: Box<dyn Fn() + Send + Sync>) -> Result<Self, String> {
        if !(1..=64).contains(&options.threads) {
            return Err(format!("threads must be 1 to 64, not {}", options.threads));
        }
        let shared = Arc::new(Shared::new(options, EventQueue::new(tell))?);
        let mut threads = Vec::new();
        for number in 0..shared.options.threads {
            threads.push(ThreadHandle::start(&shared, number).map_err(|error| format!("a thread of the engine could not start: {error}"))?);
        }
        Ok(Self { shared, threads, listeners: Mutex::default(), applying: Mutex::new(()) })
    }

    /// Err: what is wrong with the change; the tables stay as they were.
    pub fn apply(&self, message: TablesMessage) -> Result<(), String> {
        let _one_at_a_time = self.applying.lock().unwrap_or_else(PoisonError::into_inner);
        let tickets = Tickets { keys: &self.shared.tickets, resume: self.shared.options.resume };
        let tables = self.shared.tables().with(message, &self.shared.released, &self.shared.standing, tickets)?;
        self.shared.set_tables(Arc::new(tables));
        self.tell_all(|| Command::Look);
        Ok(())
    }

    /// Err: what bind(2) or listen(2) said.
    pub fn listen(&self, spec: ListenerSpec) -> Result<Bound, String> {
        let address = parse_address(&spec.address, spec.port)?;
        let listening = net::listen(address, self.threads.len(), self.shared.keep_alive).map_err(|error: Errno| error.to_string())?;
        if let Some(dead) = self.threads.iter().position(ThreadHandle::is_dead) {
            return Err(format!("thread {dead} of the engine has ended"));
        }
        let address = listening.address;
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.next += 1;
        let number = listeners.next;
        let spec = Arc::new(spec);
        let mut kept = Vec::new();
        for (thread, fd) in self.threads.iter().zip(listening.sockets) {
            kept.push(fd.try_clone().map_err(|error| error.to_string())?);
            thread.tell(Command::Open(number, ThreadListener { fd, spec: spec.clone() }));
        }
        listeners.open.insert(number, kept);
        Ok(Bound { number, address: address.ip().to_string(), port: address.port() })
    }

    /// Stops accepting; what runs goes on, and the address is free when it returns. Idempotent.
    pub fn close(&self, number: u64) {
        let sockets = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&number);
        for socket in sockets.into_iter().flatten() {
            net::stop_listening(&socket);
        }
        self.tell_all(|| Command::Close(number));
    }

    pub fn close_all(&self) {
        let numbers: Vec<u64> = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).open.keys().copied().collect();
        for number in numbers {
            self.close(number);
        }
    }

    /// Whatever still runs when a drain's deadline has come.
    pub fn break_off(&self) {
        self.tell_all(|| Command::Break { reason: "drain-forced", detail: "still open when the drain deadline came", flags: &["OM"] });
    }

    /// In the order in which they happened to each connection; then the handles of endpoints that no later event names.
    pub fn take_events(&self) -> (Vec<Event>, Vec<u32>) {
        let released = self.shared.released.take();
        (self.shared.events.take(), released)
    }

    /// What is heard of each place that connections lead to.
    pub fn places(&self) -> Vec<PlaceNews> {
        self.shared.standing.places.news()
    }

    /// Its machine has vanished: connections to it end. With `own`, those alone that were made from another address than these, which this machine
    /// has no more.
    pub fn give_up(&self, address: SocketAddr, own: Option<HashSet<IpAddr>>) {
        let own = own.map(Arc::new);
        self.tell_all(|| Command::GiveUp(address, own.clone()));
    }

    pub fn release(&self, number: u64) {
        self.shared.release(number);
    }

    pub fn counters(&self) -> Counters {
        let handed = self.shared.handed();
        Counters {
            open: self.shared.admission.open(),
            handed,
            accepted: self.shared.accepted.load(Ordering::Relaxed),
            ended: self.shared.ended(),
            in_use: self.shared.standing.in_use(),
        }
    }

    /// Ends all threads, and with them what runs. Idempotent.
    pub fn stop(&self) {
        self.tell_all(|| Command::Stop);
        for thread in &self.threads {
            let joined = thread.joined.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(handle) = joined {
                let _ = handle.join();
            }
        }
    }

    /// To be called when nobody will take events any more.
    pub fn discard(&self) {
        self.shared.events.discard();
    }

    fn tell_all(&self, make: impl Fn() -> Command) {
        for thread in &self.threads {
            thread.tell(make());
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        self.discard();
    }
}

impl ThreadHandle {
    fn start(shared: &Arc<Shared>, number: usize) -> Result<Self, String> {
        let wake = Wake::new().map_err(|error| error.to_string())?;
        let thread = Thread::new(shared.clone(), wake.clone(), number).map_err(|error| error.to_string())?;
        let (commands, received) = channel();
        let mine = Loop::new(thread, received).map_err(|error| error.to_string())?;
        let named = std::thread::Builder::new().name(format!("isthmus-{number}"));
        let handle = named.spawn(move || mine.run()).map_err(|error| error.to_string())?;
        Ok(Self { commands, wake, joined: Mutex::new(Some(handle)) })
    }

    /// It has ended without being told to.
    fn is_dead(&self) -> bool {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
        self.wake.wake();
    }
}
