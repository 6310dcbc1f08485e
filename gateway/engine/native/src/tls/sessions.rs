use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use super::crypto::Clock;

/// Sessions with one target, which is why no name is looked at: whoever has other demands, another SVID or another bundle has another store.
/// What it holds is not offered any more when the certificate that proved the server has ended.
pub struct Sessions {
    now: Clock,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Unix ms: the server that was verified last is who it is until then.
    proven_until: i64,
    group: Option<NamedGroup>,
    tls12: Option<(i64, Tls12ClientSessionValue)>,
    /// The oldest first. Each is used once (RFC 8446 §C.4).
    tls13: VecDeque<(i64, Tls13ClientSessionValue)>,
}

/// Connections that begin at once and can each resume; about 2 KB each.
const MAX_TICKETS: usize = 8;

impl Sessions {
    pub fn new(now: Clock) -> Self {
        Self { now, held: Mutex::default() }
    }

    /// Sessions that are kept from now on are of a server whose certificates end then.
    pub fn proven_until(&self, unix_ms: i64) {
        self.lock().proven_until = unix_ms;
    }

    /// After a server that was not who it must be.
    pub fn forget(&self) {
        let mut held = self.lock();
        held.tls12 = None;
        held.tls13.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sessions")
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.lock().group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.lock().group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        let mut held = self.lock();
        held.tls12 = Some((held.proven_until, value));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let now = (self.now)();
        self.lock().tls12.as_ref().filter(|(until, _)| now <= *until).map(|(_, value)| value.clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.lock().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut held = self.lock();
        if held.tls13.len() >= MAX_TICKETS {
            held.tls13.pop_front();
        }
        let until = held.proven_until;
        held.tls13.push_back((until, value));
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let now = (self.now)();
        let mut held = self.lock();
        held.tls13.retain(|(until, _)| now <= *until);
        held.tls13.pop_back().map(|(_, value)| value)
    }
}
