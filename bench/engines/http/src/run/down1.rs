//! A caller that speaks HTTP/1.1. One exchange at a time: what is pipelined waits unread.

use std::net::IpAddr;

use isthmus_engine::net;

use super::base::{Base, Over};
use super::conn::Peer;
use super::worker::{Later, Worker};
use crate::h1::{self, BodyReader, Framing, Parsed, Piece};
use crate::hop;
use crate::message::{Body, Head};
use crate::refused::Refused;

pub struct Down1 {
    source: IpAddr,
    /// Which exchange it is.
    stream: u32,
    /// None between exchanges.
    exchange: Option<Exchange>,
}

struct Exchange {
    up: Peer,
    body: BodyReader,
    /// The request has been passed on whole.
    asked: bool,
    /// The answer's, once its head is written.
    framing: Option<Framing>,
    /// No exchange after this one.
    last: bool,
    /// The caller speaks HTTP/1.0.
    old: bool,
    /// Whoever brings the answer waits.
    full: bool,
}

impl Down1 {
    pub fn new(source: IpAddr) -> Self {
        Self { source, stream: 0, exchange: None }
    }

    pub fn input(&mut self, base: &mut Base, bytes: &[u8], worker: &mut Worker) -> Result<usize, Over> {
        let mut rest = bytes;
        while !rest.is_empty() && !base.closing {
            let Some(exchange) = &mut self.exchange else {
                let mut head = std::mem::take(&mut worker.head);
                let outcome = self.begin(base, rest, &mut head, worker);
                worker.head = head;
                match outcome {
                    Ok(0) => break,
                    Ok(taken) => rest = &rest[taken..],
                    Err(why) => self.refuse(base, why, true, false, worker),
                }
                continue;
            };
            if exchange.asked {
                base.paused = true;
                break;
            }
            let mut trailers = std::mem::take(&mut worker.trailers);
            let outcome = pass_on(exchange, base, &mut rest, &mut trailers, worker);
            worker.trailers = trailers;
            match outcome {
                Ok(true) => {}
                Ok(false) => break,
                Err(why) => {
                    worker.later(Later::Abort(exchange.up));
                    if exchange.framing.is_some() {
                        return Err(Over);
                    }
                    self.exchange = None;
                    self.refuse(base, why, true, false, worker);
                }
            }
        }
        // What comes after a refusal is thrown away.
        Ok(if base.closing { bytes.len() } else { bytes.len() - rest.len() })
    }

    /// The bytes of its head; 0: not whole yet.
    fn begin(&mut self, base: &mut Base, bytes: &[u8], head: &mut Head, worker: &mut Worker) -> Result<usize, Refused> {
        let Parsed::Whole(taken) = h1::request(bytes, head)? else { return Ok(0) };
        let body = h1::request_body(head)?;
        let last = hop::end_to_end(head);
        self.stream = self.stream.wrapping_add(1);
        let down = Peer { token: base.token, stream: self.stream };
        match worker.begin(down, self.source, head, body) {
            Ok(up) => {
                let asked = body == Body::None;
                let body = BodyReader::new(Some(body));
                self.exchange = Some(Exchange { up, body, asked, framing: None, last, old: head.old, full: false });
            }
            // Without a body the connection is none the worse for it.
            Err(why) => self.refuse(base, why, last || body != Body::None, head.old, worker),
        }
        Ok(taken)
    }

    /// An answer of our own.
    fn refuse(&mut self, base: &mut Base, why: Refused, last: bool, old: bool, worker: &mut Worker) {
        h1::write_response(&Head::reply(why.status), Body::None, old, last, base.out());
        base.closing |= last;
        worker.wrote(base);
    }

    pub fn on_end(&mut self, base: &mut Base) -> Result<(), Over> {
        match &mut self.exchange {
            Some(exchange) if exchange.asked => {
                exchange.last = true;
                base.readable = false;
                Ok(())
            }
            _ => Err(Over),
        }
    }

    pub fn on_drained(&mut self, worker: &mut Worker) {
        if let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.full) {
            exchange.full = false;
            worker.later(Later::Resume(exchange.up));
        }
    }

    fn of(&mut self, stream: u32) -> Option<&mut Exchange> {
        self.exchange.as_mut().filter(|_| self.stream == stream)
    }

    pub fn interim(&mut self, base: &mut Base, stream: u32, head: &Head, worker: &mut Worker) {
        if self.of(stream).is_some_and(|exchange| !exchange.old && exchange.framing.is_none()) {
            h1::write_response(head, Body::None, false, false, base.out());
            worker.wrote(base);
        }
    }

    pub fn respond(&mut self, base: &mut Base, stream: u32, head: &Head, body: Body, worker: &mut Worker) {
        let Some(exchange) = self.of(stream) else { return };
        // An answer to half a request: the other half would be taken for the next one.
        exchange.last |= !exchange.asked;
        let framing = h1::write_response(head, body, exchange.old, exchange.last, base.out());
        exchange.last |= framing == Framing::Close;
        exchange.framing = Some(framing);
        worker.wrote(base);
        if body == Body::None {
            self.finish(base, worker);
        }
    }

    pub fn data(&mut self, base: &mut Base, stream: u32, data: &[u8], last: bool, worker: &mut Worker) -> bool {
        let Some(exchange) = self.of(stream) else { return false };
        match exchange.framing {
            Some(Framing::Chunked) => h1::write_data(Framing::Chunked, data, base.out()),
            _ if base.write_through(data).is_err() => worker.later(Later::Close(base.token)),
            _ => {}
        }
        worker.wrote(base);
        // Until it has drained: in between a write may make room, and whoever waits was told to.
        exchange.full |= base.is_full();
        let full = exchange.full;
        if last {
            self.end(base, stream, None, worker);
        }
        full
    }

    pub fn end(&mut self, base: &mut Base, stream: u32, trailers: Option<&Head>, worker: &mut Worker) {
        let Some(exchange) = self.of(stream) else { return };
        h1::write_end(exchange.framing.unwrap_or(Framing::Counted), trailers, base.out());
        worker.wrote(base);
        self.finish(base, worker);
    }

    fn finish(&mut self, base: &mut Base, worker: &mut Worker) {
        let Some(exchange) = self.exchange.take() else { return };
        if !exchange.asked {
            worker.later(Later::Abort(exchange.up));
        }
        if exchange.last {
            base.closing = true;
            return;
        }
        base.paused = false;
        if !base.held.is_empty() || base.readable {
            worker.later(Later::Continue(base.token));
        }
    }

    pub fn abort(&mut self, base: &mut Base, stream: u32, worker: &mut Worker) -> Result<(), Over> {
        match self.of(stream) {
            None => Ok(()),
            Some(Exchange { framing: Some(framing), .. }) => {
                let by_close = *framing == Framing::Close;
                // What came is the caller's; that it is cut short shows by its framing, or else has to show by a reset.
                let _ = base.flush();
                if let (true, Ok(socket)) = (by_close, base.fd.try_clone()) {
                    net::reset(socket);
                }
                Err(Over)
            }
            Some(_) => {
                self.exchange = None;
                self.refuse(base, crate::refused::refused(503, "upstream_reset_before_response_started"), true, false, worker);
                Ok(())
            }
        }
    }

    pub fn gone(&mut self, worker: &mut Worker) {
        if let Some(exchange) = self.exchange.take() {
            worker.later(Later::Abort(exchange.up));
        }
    }

    /// An answer is on its way: who cannot take it any more need not be read from.
    pub fn waits(&self) -> bool {
        self.exchange.is_some()
    }
}

/// Another piece of the request's body. False: not enough is there.
fn pass_on(exchange: &mut Exchange, base: &mut Base, rest: &mut &[u8], trailers: &mut Head, worker: &mut Worker) -> Result<bool, Refused> {
    let up = exchange.up;
    match exchange.body.next(rest, trailers)? {
        Piece::More => return Ok(false),
        Piece::Data(data) => {
            // A body of a length ends with its last byte.
            exchange.asked = exchange.body.is_done();
            if worker.with(up.token, |conn, worker| conn.data(up.stream, data, exchange.asked, worker)) == Some(true) {
                base.paused = true;
            }
            return Ok(true);
        }
        Piece::End => hop::trailers(trailers),
    }
    exchange.asked = true;
    worker.with(up.token, |conn, worker| conn.end(up.stream, Some(trailers).filter(|all| !all.fields.is_empty()).as_deref(), worker));
    Ok(true)
}
