use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

/// The keys of session tickets, for as many contexts as share them: sessions outlive a renewed SVID or a changed bundle, as who comes with one is
/// verified again anyway. Keys change every six hours and are forgotten after twelve. They hold in this process alone.
#[derive(Clone)]
pub struct TicketKeys(Arc<dyn ProducesTickets>);

impl TicketKeys {
    /// The error says that the system has no randomness.
    pub fn new() -> Result<Self, String> {
        Ticketer::new().map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("TicketKeys")
    }
}

/// Tickets that hold for one identity of ours: who resumes believes to speak to whom it verified the first time.
pub struct BoundTickets {
    keys: TicketKeys,
    /// The SPIFFE id, with its length.
    bound: Vec<u8>,
}

impl BoundTickets {
    pub fn new(keys: TicketKeys, spiffe_id: &str) -> Self {
        let length = (spiffe_id.len() as u64).to_be_bytes();
        Self { keys, bound: [&length, spiffe_id.as_bytes()].concat() }
    }
}

impl fmt::Debug for BoundTickets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BoundTickets")
    }
}

impl ProducesTickets for BoundTickets {
    fn enabled(&self) -> bool {
        self.keys.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.keys.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut whole = [&self.bound, plain].concat();
        let ticket = self.keys.0.encrypt(&whole);
        // It holds the session's secret.
        whole.fill(0);
        std::hint::black_box(&whole);
        ticket
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let mut whole = self.keys.0.decrypt(cipher)?;
        if !whole.starts_with(&self.bound) {
            return None;
        }
        whole.drain(..self.bound.len());
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_of_one_identity_is_none_of_another() {
        let keys = TicketKeys::new().unwrap();
        let [a, b] = ["spiffe://m/ns/a/sa/b", "spiffe://m/ns/a/sa/bc"].map(|id| BoundTickets::new(keys.clone(), id));
        let ticket = a.encrypt(b"c and more").unwrap();
        assert_eq!(a.decrypt(&ticket).as_deref(), Some(&b"c and more"[..]));
        assert_eq!(b.decrypt(&ticket), None);
        assert_eq!(BoundTickets::new(TicketKeys::new().unwrap(), "spiffe://m/ns/a/sa/b").decrypt(&ticket), None);
        assert_eq!(a.decrypt(&ticket[1..]), None);
    }
}
