//! From a request's head to the connection that it goes out on.

use std::net::IpAddr;
use std::os::fd::AsRawFd;

use isthmus_engine::net;

use super::conn::{Conn, Peer, Role};
use super::slab::Token;
use super::up1::Up1;
use super::up2::Up2;
use super::worker::Worker;
use crate::hop;
use crate::message::{Body, Head};
use crate::refused::{Refused, refused};
use crate::routes::{Action, Request, Target};

const NO_ROUTE: Refused = refused(404, "route_not_found");
const NOWHERE: Refused = refused(503, "no_healthy_upstream");

impl Worker {
    /// Decides by the tables and sends the head on. Err: how to answer instead.
    pub fn begin(&mut self, down: Peer, source: IpAddr, head: &mut Head, body: Body) -> Result<Peer, Refused> {
        let (high, low) = (self.random.draw_bits(), self.random.draw_bits());
        hop::request(head, source, || u128::from(high) << 64 | u128::from(low));
        let tables = self.tables.clone();
        let rule = tables.hosts.find(&Request::new(head)).ok_or(NO_ROUTE)?;
        let choices = match &rule.action {
            Action::Direct(status) => return Err(refused(*status, "direct_response")),
            Action::Route(choices) => choices,
        };
        let cluster = match Action::pick(choices, self.random.draw()) {
            None => return Err(NOWHERE),
            Some(Target::Missing(status)) => return Err(refused(*status, "cluster_not_found")),
            Some(Target::Cluster(cluster, _)) => *cluster,
        };
        if let Some(changes) = &rule.changes {
            changes.apply(head);
        }
        self.send(cluster, down, head, body).ok_or(NOWHERE)
    }

    /// To the cluster's next endpoint.
    fn send(&mut self, cluster: usize, down: Peer, head: &Head, body: Body) -> Option<Peer> {
        let tables = self.tables.clone();
        let entry = &tables.clusters[cluster];
        if entry.endpoints.is_empty() {
            return None;
        }
        let turn = self.turns[cluster] % entry.endpoints.len();
        self.turns[cluster] = turn + 1;
        let (endpoint, address) = (entry.endpoints[turn], entry.addresses[turn]);
        let known = if entry.http2 { self.session_with_room(endpoint) } else { self.take_idle(endpoint) };
        let token = match known {
            Some(token) => token,
            None => self.connect(endpoint, address, entry.http2)?,
        };
        let stream = self.with(token, |Conn { base, role }, worker| match role {
            Role::Up1(up) => Some(up.ask(base, down, head, body, worker)),
            Role::Up2(up) => up.ask(base, down, head, body, worker),
            _ => None,
        })??;
        Some(Peer { token, stream })
    }

    /// One that has not ended since.
    fn take_idle(&mut self, endpoint: usize) -> Option<Token> {
        loop {
            let token = self.pool.take_idle(endpoint)?;
            if self.conns.peek(token).is_some_and(|conn| !conn.base.ended) {
                return Some(token);
            }
        }
    }

    fn session_with_room(&self, endpoint: usize) -> Option<Token> {
        let has_room = |token: &&Token| match self.conns.peek(**token) {
            Some(Conn { role: Role::Up2(up), base }) => up.has_room() && !base.ended,
            _ => false,
        };
        self.pool.sessions(endpoint).iter().find(has_room).copied()
    }

    /// What is sent meanwhile is queued.
    fn connect(&mut self, endpoint: usize, address: std::net::SocketAddr, http2: bool) -> Option<Token> {
        let (fd, connected) = net::connect(address, true).ok()?;
        net::set_no_delay(fd.as_raw_fd());
        self.add(fd, connected, |base, worker| {
            if !http2 {
                return Role::Up1(Up1::new(endpoint));
            }
            worker.pool.add_session(endpoint, base.token);
            Role::Up2(Box::new(Up2::new(endpoint, base, worker)))
        })
    }
}
