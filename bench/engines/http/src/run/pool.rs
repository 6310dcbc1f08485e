use super::slab::Token;
use crate::limits;

/// Connections to endpoints, by the endpoint's number.
pub struct Pool {
    endpoints: Vec<Endpoint>,
}

#[derive(Default)]
struct Endpoint {
    /// HTTP/1.1, between exchanges; the youngest last.
    idle: Vec<Token>,
    /// HTTP/2, all of them.
    sessions: Vec<Token>,
}

impl Pool {
    pub fn new(endpoints: usize) -> Self {
        Self { endpoints: (0..endpoints).map(|_| Endpoint::default()).collect() }
    }

    pub fn take_idle(&mut self, endpoint: usize) -> Option<Token> {
        self.endpoints[endpoint].idle.pop()
    }

    /// Err: there are enough.
    pub fn give_back(&mut self, endpoint: usize, token: Token) -> Result<(), ()> {
        let idle = &mut self.endpoints[endpoint].idle;
        if idle.len() >= limits::IDLE_PER_ENDPOINT {
            return Err(());
        }
        idle.push(token);
        Ok(())
    }

    pub fn add_session(&mut self, endpoint: usize, token: Token) {
        self.endpoints[endpoint].sessions.push(token);
    }

    pub fn sessions(&self, endpoint: usize) -> &[Token] {
        &self.endpoints[endpoint].sessions
    }

    /// It has ended, or takes no more streams.
    pub fn forget(&mut self, endpoint: usize, token: Token) {
        let Endpoint { idle, sessions } = &mut self.endpoints[endpoint];
        idle.retain(|each| *each != token);
        sessions.retain(|each| *each != token);
    }
}
