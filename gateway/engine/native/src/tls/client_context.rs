use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::client::Resumption;

use super::client_verifier::ServerVerifier;
use super::crypto::{Clock, InjectedTime, VERSIONS, provider};
use super::own_identity::OwnIdentity;
use super::sessions::Sessions;
use super::target::{Target, TargetContext};
use crate::identity::CompiledBundle;

/// What a client shows, and whom it believes: one SVID and one bundle. A change of either makes a new one, which knows no session of the old.
pub struct ClientContext {
    base: ClientConfig,
    trust: Arc<CompiledBundle>,
    now: Clock,
    resume: bool,
    targets: Mutex<Targets>,
}

#[derive(Default)]
struct Targets {
    newer: HashMap<Target, Arc<TargetContext>>,
    older: HashMap<Target, Arc<TargetContext>>,
}

/// In each half; with full stores of sessions about 20 KB each.
const MAX_HALF: usize = 1_024;

impl ClientContext {
    /// `resume`: whether sessions are kept and taken up again.
    pub fn new(identity: &OwnIdentity, trust: Arc<CompiledBundle>, now: Clock, resume: bool) -> Result<Arc<Self>, String> {
        let nobody = ServerVerifier {
            trust: trust.clone(),
            expectation: Target::default().expectation(),
            sessions: Arc::new(Sessions::new(now)),
            now,
        };
        let base = ClientConfig::builder_with_details(provider(), Arc::new(InjectedTime(now)))
            .with_protocol_versions(VERSIONS)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(nobody))
            .with_client_cert_resolver(identity.shown.clone());
        Ok(Arc::new(Self { base, trust, now, resume, targets: Mutex::default() }))
    }

    /// The same for the same target while it is among the last thousands that were asked for. Fails for an SNI that is no DNS name.
    pub fn target(&self, target: &Target) -> Result<Arc<TargetContext>, String> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = targets.newer.get(target) {
            return Ok(known.clone());
        }
        let made = match targets.older.remove(target) {
            Some(known) => known,
            None => Arc::new(self.make(target)?),
        };
        if targets.newer.len() >= MAX_HALF {
            targets.older = std::mem::take(&mut targets.newer);
        }
        targets.newer.insert(target.clone(), made.clone());
        Ok(made)
    }

    fn make(&self, target: &Target) -> Result<TargetContext, String> {
        let (trust, now, expectation) = (self.trust.clone(), self.now, target.expectation());
        let name = target.server_name()?;
        let sessions = Arc::new(Sessions::new(now));
        let verifier = ServerVerifier { trust: trust.clone(), expectation: expectation.clone(), sessions: sessions.clone(), now };
        let mut config = self.base.clone();
        config.alpn_protocols = target.alpn.clone();
        config.enable_sni = !target.sni.is_empty();
        config.resumption = if self.resume { Resumption::store(sessions.clone()) } else { Resumption::disabled() };
        config.dangerous().set_certificate_verifier(Arc::new(verifier));
        Ok(TargetContext { config: Arc::new(config), name, expectation, sessions, trust, now })
    }
}

impl fmt::Debug for ClientContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ClientContext({})", self.trust.trust_domain())
    }
}
