use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::dial::Dial;
use super::events::Event;
use super::listeners::{Listeners, OpenListener, Part};
use super::obey::Command;
use super::options::{ListenerSpec, Options};
use super::queue::EventQueue;
use super::run::Loop;
use super::shared::Shared;
use super::thread::{Thread, ThreadListener};
use crate::net::{self, Errno, Wake, parse_address};
use crate::tables::{BOUNDS_MS, Cluster, DialMessage, Latency, PlaceNews, TablesMessage, Tickets};

/// A thread that has not let go of a listener by then has ended, or is stuck.
const LET_GO_WITHIN: Duration = Duration::from_secs(1);

/// One engine: its threads, and what they are told.
pub struct Engine {
    shared: Arc<Shared>,
    threads: Vec<ThreadHandle>,
    listeners: Mutex<Listeners>,
    /// One change of the tables after the other.
    applying: Mutex<()>,
    /// Turns from thread to thread.
    dialled: AtomicUsize,
}

struct ThreadHandle {
    commands: Sender<Command>,
    wake: Wake,
    joined: Mutex<Option<JoinHandle<()>>>,
}

/// Where a listener listens.
#[derive(Serialize, Clone, Debug)]
pub struct Bound {
    /// Names it, for `close`.
    pub number: u64,
    pub address: String,
    pub port: u16,
}

/// A dial that has begun.
#[derive(Serialize, Clone, Debug)]
pub struct Dialling {
    pub number: u64,
    /// As `PlaceNews` calls it.
    pub address: SocketAddr,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latencies {
    bounds_ms: &'static [f64],
    seen: Vec<Latency>,
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
        Ok(Self { shared, threads, listeners: Mutex::default(), applying: Mutex::new(()), dialled: AtomicUsize::new(0) })
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
        let keep_alive = self.shared.keep_alive;
        let listening = if spec.sockets.is_empty() {
            let count = if spec.one_socket { 1 } else { self.threads.len() };
            net::listen(parse_address(&spec.address, spec.port)?, count, keep_alive)
        } else {
            net::adopt(&spec.sockets, keep_alive)
        };
        let listening = listening.map_err(|error: Errno| error.to_string())?;
        if let Some(dead) = self.threads.iter().position(ThreadHandle::is_dead) {
            return Err(format!("thread {dead} of the engine has ended"));
        }
        let address = listening.address;
        let opened = self.listeners().open(listening.sockets, self.threads.len());
        let spec = Arc::new(spec);
        for Part { thread, number, fd, shared } in opened.parts {
            self.threads[thread].tell(Command::Open(number, ThreadListener { fd, spec: spec.clone(), shared }));
        }
        Ok(Bound { number: opened.number, address: address.ip().to_string(), port: address.port() })
    }

    /// Stops accepting; what runs goes on, and the address is free when it returns: callers that wait there are reset. Idempotent.
    pub fn close(&self, number: u64) {
        let Some(open) = self.listeners().remove(number) else { return };
        for socket in &open.sockets {
            net::stop_listening(socket);
        }
        let _ = self.tell_closed(&open);
    }

    pub fn close_all(&self) {
        let numbers = self.listeners().numbers();
        for number in numbers {
            self.close(number);
        }
    }

    /// Takes nobody from it any more, when it returns, and leaves those who wait to whoever else holds its sockets. Idempotent.
    pub fn let_go(&self, number: u64) {
        let Some(open) = self.listeners().remove(number) else { return };
        let closed = self.tell_closed(&open);
        for _ in 0..open.parts.len() {
            if closed.recv_timeout(LET_GO_WITHIN).is_err() {
                return;
            }
        }
    }

    /// Duplicates of a listener's sockets, for somebody else. Empty: it is closed.
    pub fn sockets(&self, number: u64) -> Result<Vec<OwnedFd>, String> {
        let duplicates: Result<Vec<_>, Errno> = self.listeners().sockets(number).iter().map(|fd| net::duplicate(fd.as_raw_fd())).collect();
        duplicates.map_err(|error| error.to_string())
    }

    fn tell_closed(&self, open: &OpenListener) -> Receiver<()> {
        let (told, closed) = channel();
        for (thread, number) in &open.parts {
            self.threads[*thread].tell(Command::Close(*number, told.clone()));
        }
        closed
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever still runs when a drain's deadline has come.
    pub fn break_off(&self) {
        self.tell_all(|| Command::Break { reason: "drain-forced", detail: "still open when the drain deadline came", flags: &["OM"] });
    }

    /// Memory is short, as it says, or is not any more (empty): nobody is taken, and less is read at once. To be repeated while that is
    /// so.
    pub fn overload(&self, detail: &str) {
        self.shared.overload(detail);
    }

    /// Breaks off streams whose readers stand still, those first that the most is kept for, until about so many bytes are free.
    pub fn relieve(&self, bytes: usize) {
        let share = bytes.div_ceil(self.threads.len().max(1));
        self.tell_all(|| Command::Relieve(share));
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

    /// Begins to connect; what becomes of it is an event, by this number. Err: no address, or there are no descriptors.
    pub fn dial(&self, message: DialMessage) -> Result<Dialling, String> {
        let address = parse_address(&message.address, message.port)?;
        let cluster = Cluster::of_one(message, &self.shared.standing.places)?;
        let number = self.shared.number();
        let dial = Dial::new(number, cluster).map_err(|error| format!("connect {error} {address}"))?;
        let at = self.dialled.fetch_add(1, Ordering::Relaxed) % self.threads.len();
        self.threads[at].tell(Command::Dial(Box::new(dial)));
        Ok(Dialling { number, address })
    }

    /// Nothing where it is over.
    pub fn cancel_dial(&self, number: u64) {
        self.tell_all(|| Command::CancelDial(number));
    }

    /// TypeScript closes its side of this connection next, and the other one is to see a break.
    pub fn cut(&self, number: u64) {
        self.shared.cut(number);
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

    /// How long the steps of connections took, of all so far.
    pub fn latencies(&self) -> Latencies {
        Latencies { bounds_ms: &BOUNDS_MS, seen: self.shared.latencies() }
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
