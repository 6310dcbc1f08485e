//! A caller that speaks HTTP/2.

use std::net::IpAddr;
use std::time::Instant;

use super::base::{Base, Over};
use super::conn::Peer;
use super::worker::{Later, Worker};
use crate::h2::frame::Code;
use crate::h2::{Fault, Happened, Role, Session, content_length};
use crate::hop;
use crate::limits;
use crate::message::{Body, Head};
use crate::refused::{Refused, refused};
use crate::syntax;

pub struct Down2 {
    source: IpAddr,
    session: Session<Exchange>,
    closed: u32,
    premature: u32,
    /// The caller opens no more.
    leaving: bool,
}

struct Exchange {
    up: Peer,
    begun: Instant,
    answered: bool,
    /// Up there is no room: nothing is credited.
    held: bool,
}

const GONE: Refused = refused(503, "upstream_reset_before_response_started");

impl Down2 {
    pub fn new(source: IpAddr, base: &mut Base, worker: &mut Worker) -> Self {
        worker.wrote(base);
        Self { source, session: Session::new(Role::Server, base.out()), closed: 0, premature: 0, leaving: false }
    }

    pub fn input(&mut self, base: &mut Base, bytes: &[u8], worker: &mut Worker) -> Result<usize, Over> {
        let mut rest = bytes;
        let mut head = std::mem::take(&mut worker.head);
        let outcome = self.take_all(base, &mut rest, &mut head, worker);
        worker.head = head;
        if let Err(code) = outcome {
            self.session.go_away(code, base.out());
            base.closing = true;
            rest = &[];
        }
        self.pump(base, worker);
        self.leave(base);
        if base.closing {
            worker.wrote(base);
        }
        Ok(bytes.len() - rest.len())
    }

    fn take_all(&mut self, base: &mut Base, rest: &mut &[u8], head: &mut Head, worker: &mut Worker) -> Result<(), Code> {
        while let Some(happened) = self.session.next(rest, head, base.out())? {
            match happened {
                Happened::Head { stream, trailers: true, outcome, .. } => self.on_trailers(base, stream, outcome, head, worker),
                Happened::Head { stream, end, outcome, .. } => self.on_request(base, stream, end, outcome, head, worker),
                Happened::Data { stream, data, end } => self.on_data(base, stream, data, end, worker),
                Happened::Reset { stream } => {
                    self.let_go(base, stream, true, worker);
                    if self.premature * 2 > self.closed.max(limits::RESETS_JUDGED_FROM) {
                        return Err(Code::ENHANCE_YOUR_CALM);
                    }
                }
                Happened::GoAway { .. } => self.leaving = true,
            }
        }
        if base.queued() > limits::UNASKED { Err(Code::ENHANCE_YOUR_CALM) } else { Ok(()) }
    }

    fn on_request(&mut self, base: &mut Base, stream: u32, end: bool, outcome: Result<(), Fault>, head: &mut Head, worker: &mut Worker) {
        worker.wrote(base);
        if self.session.open_streams() >= limits::STREAMS as usize {
            return drop(self.session.reset(stream, Code::REFUSED_STREAM, base.out()));
        }
        let length = outcome.and_then(|()| content_length(head));
        let begun = match length {
            Err(Fault::Malformed) => return drop(self.session.reset(stream, Code::PROTOCOL_ERROR, base.out())),
            Ok(Some(1..)) if end => return drop(self.session.reset(stream, Code::PROTOCOL_ERROR, base.out())),
            Err(Fault::TooLarge) => Err(refused(431, "headers_too_large")),
            Ok(length) => {
                let body = match length {
                    _ if end => Body::None,
                    Some(length) => Body::Length(length),
                    None => Body::Streamed,
                };
                let down = Peer { token: base.token, stream };
                let source = self.source;
                check(head).and_then(|()| worker.begin(down, source, head, body)).map(|up| (up, length))
            }
        };
        match begun {
            Ok((up, length)) => {
                let exchange = Exchange { up, begun: Instant::now(), answered: false, held: false };
                self.session.accept(stream, exchange, end, length);
            }
            Err(why) => self.reply(base, stream, end, why),
        }
    }

    /// An answer of our own.
    fn reply(&mut self, base: &mut Base, stream: u32, ended: bool, why: Refused) {
        self.session.send_head(stream, true, base.out(), |encoder, out| {
            encoder.status(why.status, out);
            encoder.field(b"content-length", b"0", out);
        });
        if !ended {
            self.session.reset(stream, Code::NO_ERROR, base.out());
        }
        self.closed += 1;
    }

    fn on_data(&mut self, base: &mut Base, stream: u32, data: &[u8], end: bool, worker: &mut Worker) {
        let Some(exchange) = self.session.stream(stream) else { return };
        let up = exchange.with.up;
        let full = if data.is_empty() && end {
            worker.with(up.token, |conn, worker| conn.end(up.stream, None, worker));
            false
        } else {
            worker.with(up.token, |conn, worker| conn.data(up.stream, data, end, worker)) == Some(true)
        };
        worker.wrote(base);
        exchange.with.held |= full;
        if !exchange.with.held {
            self.session.took(stream, data.len() as u32, base.out());
        }
        self.session.close_if_done(stream, base.out());
    }

    fn on_trailers(&mut self, base: &mut Base, stream: u32, outcome: Result<(), Fault>, head: &mut Head, worker: &mut Worker) {
        if outcome.is_err() {
            self.session.reset(stream, Code::PROTOCOL_ERROR, base.out()).into_iter().for_each(|stream| {
                worker.later(Later::Abort(stream.with.up));
            });
            return worker.wrote(base);
        }
        hop::trailers(head);
        let Some(exchange) = self.session.stream(stream) else { return };
        let up = exchange.with.up;
        worker.with(up.token, |conn, worker| conn.end(up.stream, Some(head), worker));
        self.session.close_if_done(stream, base.out());
    }

    /// A stream that has ended before its answer was whole.
    fn let_go(&mut self, base: &mut Base, stream: u32, by_caller: bool, worker: &mut Worker) {
        worker.wrote(base);
        let Some(stream) = self.session.remove(stream, base.out()) else { return };
        let Exchange { up, begun, answered, .. } = stream.with;
        self.closed += 1;
        if by_caller && !answered && begun.elapsed().as_millis() < limits::PREMATURE_MS {
            self.premature += 1;
        }
        worker.later(Later::Abort(up));
    }

    pub fn interim(&mut self, base: &mut Base, stream: u32, head: &Head, worker: &mut Worker) {
        if self.session.stream(stream).is_some_and(|stream| !stream.with.answered) {
            self.write_head(base, stream, head, false);
            worker.wrote(base);
        }
    }

    pub fn respond(&mut self, base: &mut Base, stream: u32, head: &Head, body: Body, worker: &mut Worker) {
        let Some(exchange) = self.session.stream(stream) else { return };
        exchange.with.answered = true;
        self.write_head(base, stream, head, body == Body::None);
        worker.wrote(base);
        if body == Body::None {
            self.finish(base, stream, worker);
        }
    }

    fn write_head(&mut self, base: &mut Base, stream: u32, head: &Head, end: bool) {
        self.session.send_head(stream, end, base.out(), |encoder, out| {
            encoder.status(head.status, out);
            head.live().for_each(|(name, value)| encoder.field(name, value, out));
        });
    }

    pub fn data(&mut self, base: &mut Base, stream: u32, data: &[u8], last: bool, worker: &mut Worker) -> bool {
        worker.wrote(base);
        let room = !base.is_full();
        let full = self.session.send_data(stream, data, last, room, base.out());
        if last {
            self.finish(base, stream, worker);
        }
        full
    }

    pub fn end(&mut self, base: &mut Base, stream: u32, trailers: Option<&Head>, worker: &mut Worker) {
        worker.wrote(base);
        self.session.send_end(stream, trailers, base.out());
        self.finish(base, stream, worker);
    }

    /// The answer is whole, here at least. What is left of the request is not wanted any more (RFC 9113 §8.1).
    fn finish(&mut self, base: &mut Base, stream: u32, worker: &mut Worker) {
        match self.session.stream(stream) {
            None => self.closed += 1,
            Some(open) if open.remote_done() => {}
            Some(open) => {
                worker.later(Later::Abort(open.with.up));
            }
        }
        self.leave(base);
    }

    pub fn abort(&mut self, base: &mut Base, stream: u32, worker: &mut Worker) {
        let Some(open) = self.session.stream(stream) else { return };
        worker.wrote(base);
        if open.with.answered {
            self.session.reset(stream, Code::INTERNAL_ERROR, base.out());
            return;
        }
        let ended = open.remote_done();
        self.reply(base, stream, ended, GONE);
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
        self.session.pump(most, base.out(), |exchange| worker.later(Later::Resume(exchange.up)));
        if base.queued() > before {
            worker.wrote(base);
        }
    }

    fn leave(&mut self, base: &mut Base) {
        base.closing |= self.leaving && self.session.open_streams() == 0;
    }

    pub fn gone(&mut self, worker: &mut Worker) {
        for (_, stream) in self.session.drain() {
            worker.later(Later::Abort(stream.with.up));
        }
    }
}

/// What the other readers of the mesh refuse too (`gateway/forward/http2/read-request.ts`); takes Host out.
fn check(head: &mut Head) -> Result<(), Refused> {
    let method = head.get(head.method);
    if method == b"CONNECT" {
        return Err(refused(405, "connect_is_not_proxied"));
    }
    if !syntax::is_authority(head.get(head.authority)) {
        return Err(refused(400, "bad_host"));
    }
    if !syntax::is_path(method, head.get(head.path)) {
        return Err(refused(400, "bad_request_target"));
    }
    head.drop_known(crate::message::Known::Host);
    hop::end_to_end(head);
    Ok(())
}
