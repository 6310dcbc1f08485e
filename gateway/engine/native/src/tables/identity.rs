use std::collections::HashMap;
use std::sync::Arc;

use super::message::{Delivery, IdentityMessage, SvidMessage};
use crate::identity::CompiledBundle;
use crate::tls::{ClientContext, OwnIdentity, ServerContext, TicketKeys};

/// What this process shows and believes. A renewed SVID or a changed bundle is another one; connections that run keep theirs.
pub struct Identity {
    pub trust: Arc<CompiledBundle>,
    pub servers: Servers,
    pub client: Arc<ClientContext>,
}

/// One identity, as it is shown to callers.
#[derive(Clone)]
pub struct Servers {
    bytes: Arc<ServerContext>,
    http: Arc<ServerContext>,
    http2: Arc<ServerContext>,
}

impl Servers {
    /// By the protocols that its rule's connections agree on: byte streams on none.
    pub fn speaking(&self, delivery: Option<&Delivery>) -> Arc<ServerContext> {
        match delivery {
            None => self.bytes.clone(),
            Some(Delivery { only_http2: false, .. }) => self.http.clone(),
            Some(Delivery { only_http2: true, .. }) => self.http2.clone(),
        }
    }
}

/// What one service shows in place of that, to callers who are believed by the same bundle.
#[derive(Clone)]
pub struct OwnSvid {
    identity: Result<Arc<OwnIdentity>, String>,
    /// Err: why nobody can be shown it; it holds nothing of a key.
    pub servers: Result<Servers, String>,
}

/// By which callers resume their sessions here, and whether that and our own are resumed at all.
#[derive(Clone, Copy)]
pub struct Tickets<'a> {
    pub keys: &'a TicketKeys,
    pub resume: bool,
}

impl Identity {
    pub(super) fn new(message: IdentityMessage, tickets: Tickets<'_>) -> Result<Self, String> {
        let own = OwnIdentity::new(message.chain, message.key)?;
        let trust = Arc::new(CompiledBundle::new(&message.trust));
        let servers = servers_of(&own, &trust, tickets)?;
        let client = ClientContext::new(&own, trust.clone(), unix_ms, tickets.resume)?;
        Ok(Self { trust, servers, client })
    }
}

/// `before` with the change in. One that cannot be used costs those who are to be shown it, and no change of the tables. `renewed`: the bundle may
/// be another one, so that all are made anew.
pub(super) fn with_svids(
    before: HashMap<Box<str>, OwnSvid>,
    changes: HashMap<String, Option<SvidMessage>>,
    identity: Option<&Identity>,
    renewed: bool,
    tickets: Tickets<'_>,
) -> HashMap<Box<str>, OwnSvid> {
    let mut svids = before;
    let server = |own: &Result<Arc<OwnIdentity>, String>| {
        let trust = identity.map(|identity| &identity.trust).ok_or("there is no bundle yet")?;
        servers_of(own.as_ref().map_err(Clone::clone)?, trust, tickets)
    };
    if renewed {
        for svid in svids.values_mut() {
            svid.servers = server(&svid.identity);
        }
    }
    for (name, message) in changes {
        match message {
            None => drop(svids.remove(&*name)),
            Some(SvidMessage { chain, key }) => {
                let identity = OwnIdentity::new(chain, key);
                svids.insert(name.into(), OwnSvid { servers: server(&identity), identity });
            }
        }
    }
    svids
}

fn servers_of(own: &OwnIdentity, trust: &Arc<CompiledBundle>, tickets: Tickets<'_>) -> Result<Servers, String> {
    let speaking = |alpn: &[&[u8]]| ServerContext::new(own, trust.clone(), alpn, tickets.keys, unix_ms, tickets.resume);
    Ok(Servers { bytes: speaking(&[])?, http: speaking(&[b"http/1.1", b"h2"])?, http2: speaking(&[b"h2"])? })
}

fn unix_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
