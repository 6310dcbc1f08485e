//! A connection to an endpoint that speaks HTTP/2, for the exchanges of many callers.

use super::base::{Base, Over};
use super::conn::Peer;
use super::slab::Token;
use super::worker::{Later, Worker};
use crate::h2::frame::Code;
use crate::h2::{Happened, PREFACE, Role, Session, content_length};
use crate::hop;
use crate::limits;
use crate::message::{Body, Head};

pub struct Up2 {
    endpoint: usize,
    session: Session<Exchange>,
    /// The endpoint takes no more, or its numbers are used up.
    leaving: bool,
}

struct Exchange {
    down: Peer,
    to_head: bool,
    /// Down there is no room: nothing is credited.
    held: bool,
}

impl Up2 {
    pub fn new(endpoint: usize, base: &mut Base, worker: &mut Worker) -> Self {
        base.out().extend_from_slice(PREFACE);
        worker.wrote(base);
        Self { endpoint, session: Session::new(Role::Client, base.out()), leaving: false }
    }

    pub fn has_room(&self) -> bool {
        !self.leaving && self.session.open_streams() < self.session.peer_streams.min(limits::UPSTREAM_STREAMS) as usize
    }

    /// Sends a request's head. The number of its stream.
    pub fn ask(&mut self, base: &mut Base, down: Peer, head: &Head, body: Body, worker: &mut Worker) -> Option<u32> {
        worker.wrote(base);
        let to_head = head.get(head.method) == b"HEAD";
        let Some(stream) = self.session.open(Exchange { down, to_head, held: false }) else {
            self.leaving = true;
            return None;
        };
        self.session.send_head(stream, body == Body::None, base.out(), |encoder, out| {
            encoder.method(head.get(head.method), out);
            encoder.field(b":scheme", b"http", out);
            encoder.field(b":path", head.get(head.path), out);
            encoder.field(b":authority", head.get(head.authority), out);
            head.live().for_each(|(name, value)| encoder.field(name, value, out));
        });
        Some(stream)
    }

    pub fn input(&mut self, base: &mut Base, bytes: &[u8], worker: &mut Worker) -> Result<usize, Over> {
        let mut rest = bytes;
        let mut head = std::mem::take(&mut worker.head);
        let outcome = self.take_all(base, &mut rest, &mut head, worker);
        worker.head = head;
        if outcome.is_err() || base.queued() > limits::UNASKED {
            return Err(Over);
        }
        self.pump(base, worker);
        base.closing |= self.leaving && self.session.open_streams() == 0;
        Ok(bytes.len() - rest.len())
    }

    fn take_all(&mut self, base: &mut Base, rest: &mut &[u8], head: &mut Head, worker: &mut Worker) -> Result<(), Code> {
        while let Some(happened) = self.session.next(rest, head, base.out())? {
            match happened {
                Happened::Head { stream, outcome: Err(_), .. } => self.broken(base, stream, worker),
                Happened::Head { stream, trailers: true, .. } => {
                    hop::trailers(head);
                    let down = self.session.stream(stream).map(|open| open.with.down);
                    if let Some(down) = down {
                        worker.with(down.token, |conn, worker| conn.end(down.stream, Some(head), worker));
                    }
                    self.over(base, stream);
                }
                Happened::Head { stream, end, .. } => self.on_response(base, stream, end, head, worker),
                Happened::Data { stream, data, end } => self.on_data(base, stream, data, end, worker),
                Happened::Reset { stream } => self.let_go(base, stream, worker),
                Happened::GoAway { last } => {
                    self.leaving = true;
                    worker.pool.forget(self.endpoint, base.token);
                    self.session.above(last).into_iter().for_each(|stream| self.let_go(base, stream, worker));
                }
            }
        }
        // Answers to what the endpoint said of itself.
        if base.queued() > 0 {
            worker.wrote(base);
        }
        Ok(())
    }

    fn on_response(&mut self, base: &mut Base, stream: u32, end: bool, head: &mut Head, worker: &mut Worker) {
        let Some(open) = self.session.stream(stream) else { return };
        let (down, to_head) = (open.with.down, open.with.to_head);
        hop::end_to_end(head);
        hop::response(head);
        if head.status < 200 {
            if head.status != 101 {
                worker.with(down.token, |conn, worker| conn.interim(down.stream, head, worker));
            }
            return;
        }
        let Ok(length) = content_length(head) else { return self.broken(base, stream, worker) };
        let bodiless = to_head || head.status == 204 || head.status == 304;
        let body = match length {
            _ if end || bodiless => Body::None,
            Some(length) => Body::Length(length),
            None => Body::Streamed,
        };
        // A length that is not kept would be taken for the beginning of another answer.
        if end && !bodiless && length.is_some_and(|length| length > 0) {
            return self.broken(base, stream, worker);
        }
        self.session.expect(stream, if bodiless { Some(0) } else { length });
        worker.with(down.token, |conn, worker| conn.respond(down.stream, head, body, worker));
        if end {
            self.over(base, stream);
        }
    }

    fn on_data(&mut self, base: &mut Base, stream: u32, data: &[u8], end: bool, worker: &mut Worker) {
        let Some(open) = self.session.stream(stream) else { return };
        let down = open.with.down;
        let full = match data {
            [] if end => {
                worker.with(down.token, |conn, worker| conn.end(down.stream, None, worker));
                false
            }
            [] => false,
            _ => worker.with(down.token, |conn, worker| conn.data(down.stream, data, end, worker)) == Some(true),
        };
        worker.wrote(base);
        open.with.held |= full;
        if !open.with.held {
            self.session.took(stream, data.len() as u32, base.out());
        }
        if end {
            self.over(base, stream);
        }
    }

    /// The answer is whole. What is left of the request nobody wants.
    fn over(&mut self, base: &mut Base, stream: u32) {
        self.session.close_if_done(stream, base.out());
        if self.session.stream(stream).is_some() {
            self.session.reset(stream, Code::CANCEL, base.out());
        }
    }

    /// By what the endpoint sent.
    fn broken(&mut self, base: &mut Base, stream: u32, worker: &mut Worker) {
        if let Some(open) = self.session.reset(stream, Code::PROTOCOL_ERROR, base.out()) {
            worker.later(Later::Abort(open.with.down));
        }
        worker.wrote(base);
    }

    fn let_go(&mut self, base: &mut Base, stream: u32, worker: &mut Worker) {
        if let Some(open) = self.session.remove(stream, base.out()) {
            worker.later(Later::Abort(open.with.down));
        }
        worker.wrote(base);
    }

    pub fn data(&mut self, base: &mut Base, stream: u32, data: &[u8], last: bool, worker: &mut Worker) -> bool {
        worker.wrote(base);
        let room = !base.is_full();
        self.session.send_data(stream, data, last, room, base.out())
    }

    pub fn end(&mut self, base: &mut Base, stream: u32, trailers: Option<&Head>, worker: &mut Worker) {
        worker.wrote(base);
        self.session.send_end(stream, trailers, base.out());
    }

    pub fn abort(&mut self, base: &mut Base, stream: u32, worker: &mut Worker) {
        if self.session.stream(stream).is_some() {
            self.session.reset(stream, Code::CANCEL, base.out());
            worker.wrote(base);
        }
    }

    pub fn resume(&mut self, base: &mut Base, stream: u32, worker: &mut Worker) {
        if let Some(open) = self.session.stream(stream) {
            open.with.held = false;
            self.session.took_all(stream, base.out());
            worker.wrote(base);
        }
    }

    pub fn on_drained(&mut self, base: &mut Base, worker: &mut Worker) {
        self.pump(base, worker);
    }

    fn pump(&mut self, base: &mut Base, worker: &mut Worker) {
        let before = base.queued();
        let most = base.most();
        self.session.pump(most, base.out(), |exchange| worker.later(Later::Resume(exchange.down)));
        if base.queued() > before {
            worker.wrote(base);
        }
    }

    pub fn gone(&mut self, token: Token, worker: &mut Worker) {
        worker.pool.forget(self.endpoint, token);
        for (_, stream) in self.session.drain() {
            worker.later(Later::Abort(stream.with.down));
        }
    }
}
