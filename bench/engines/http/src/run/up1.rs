//! A connection to an endpoint that speaks HTTP/1.1: one exchange at a time, then it waits in the pool.

use super::base::{Base, Over};
use super::conn::Peer;
use super::slab::Token;
use super::worker::{Later, Worker};
use crate::h1::{self, BodyReader, Framing, Parsed, Piece};
use crate::hop;
use crate::message::{Body, Head};
use crate::refused::Refused;

pub struct Up1 {
    endpoint: usize,
    stream: u32,
    exchange: Option<Exchange>,
}

struct Exchange {
    down: Peer,
    /// The request's.
    framing: Framing,
    asked: bool,
    to_head: bool,
    /// The answer's body, once its head was read.
    body: Option<BodyReader>,
    /// The endpoint ends the connection afterwards.
    last: bool,
    /// Whoever brings the request waits.
    full: bool,
}

impl Up1 {
    pub fn new(endpoint: usize) -> Self {
        Self { endpoint, stream: 0, exchange: None }
    }

    /// Sends a request's head. The number of the exchange.
    pub fn ask(&mut self, base: &mut Base, down: Peer, head: &Head, body: Body, worker: &mut Worker) -> u32 {
        let framing = h1::write_request(head, body, base.out());
        let (asked, to_head) = (body == Body::None, head.get(head.method) == b"HEAD");
        self.stream = self.stream.wrapping_add(1);
        self.exchange = Some(Exchange { down, framing, asked, to_head, body: None, last: false, full: false });
        worker.wrote(base);
        self.stream
    }

    pub fn input(&mut self, base: &mut Base, bytes: &[u8], worker: &mut Worker) -> Result<usize, Over> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Bytes that nobody asked for are an answer to nobody's request.
            let exchange = self.exchange.as_mut().ok_or(Over)?;
            let whole = if exchange.body.is_none() {
                let mut head = std::mem::take(&mut worker.head);
                let outcome = exchange.read_head(&mut rest, &mut head, worker);
                worker.head = head;
                match outcome {
                    Ok(Some(whole)) => whole,
                    Ok(None) => break,
                    Err(_) => return Err(Over),
                }
            } else {
                let mut trailers = std::mem::take(&mut worker.trailers);
                let outcome = exchange.read_body(base, &mut rest, &mut trailers, worker);
                worker.trailers = trailers;
                match outcome {
                    Ok(Some(whole)) => whole,
                    Ok(None) => break,
                    Err(_) => return Err(Over),
                }
            };
            if whole {
                self.finish(base, rest, worker)?;
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn finish(&mut self, base: &mut Base, rest: &[u8], worker: &mut Worker) -> Result<(), Over> {
        let exchange = self.exchange.take().ok_or(Over)?;
        base.paused = false;
        if exchange.last || !exchange.asked || !rest.is_empty() {
            return Err(Over);
        }
        worker.pool.give_back(self.endpoint, base.token).map_err(|()| Over)
    }

    pub fn on_end(&mut self, worker: &mut Worker) -> Result<(), Over> {
        let ends = |exchange: &mut Exchange| exchange.body.as_ref().is_some_and(BodyReader::ends_by_close);
        if let Some(Exchange { down, .. }) = self.exchange.take_if(ends) {
            worker.with(down.token, |conn, worker| conn.end(down.stream, None, worker));
        }
        Err(Over)
    }

    pub fn on_drained(&mut self, worker: &mut Worker) {
        if let Some(exchange) = self.exchange.as_mut().filter(|exchange| exchange.full) {
            exchange.full = false;
            worker.later(Later::Resume(exchange.down));
        }
    }

    fn of(&mut self, stream: u32) -> Option<&mut Exchange> {
        self.exchange.as_mut().filter(|_| self.stream == stream)
    }

    pub fn data(&mut self, base: &mut Base, stream: u32, data: &[u8], last: bool, worker: &mut Worker) -> bool {
        let Some(exchange) = self.of(stream) else { return false };
        match exchange.framing {
            Framing::Chunked => h1::write_data(Framing::Chunked, data, base.out()),
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
        h1::write_end(exchange.framing, trailers, base.out());
        exchange.asked = true;
        worker.wrote(base);
    }

    /// Half an exchange makes a connection good for nothing.
    pub fn abort(&mut self, stream: u32) -> Result<(), Over> {
        if self.of(stream).is_none() {
            return Ok(());
        }
        self.exchange = None;
        Err(Over)
    }

    pub fn gone(&mut self, token: Token, worker: &mut Worker) {
        worker.pool.forget(self.endpoint, token);
        if let Some(exchange) = self.exchange.take() {
            worker.later(Later::Abort(exchange.down));
        }
    }
}

impl Exchange {
    /// Whether the answer was its head alone; None: not enough is there.
    fn read_head(&mut self, rest: &mut &[u8], head: &mut Head, worker: &mut Worker) -> Result<Option<bool>, Refused> {
        let Parsed::Whole(taken) = h1::response(rest, head)? else { return Ok(None) };
        let body = h1::response_body(head, self.to_head)?;
        *rest = &rest[taken..];
        // Nothing was asked that would be switched to.
        if head.status == 101 {
            return Err(crate::refused::refused(502, "unasked_upgrade"));
        }
        self.last = hop::end_to_end(head) || body.is_none();
        hop::response(head);
        let down = self.down;
        if head.status < 200 {
            worker.with(down.token, |conn, worker| conn.interim(down.stream, head, worker));
            return Ok(Some(false));
        }
        let forwarded = body.unwrap_or(Body::Streamed);
        worker.with(down.token, |conn, worker| conn.respond(down.stream, head, forwarded, worker));
        self.body = Some(BodyReader::new(body));
        Ok(Some(forwarded == Body::None))
    }

    /// Whether the body is whole; None: not enough is there.
    fn read_body(&mut self, base: &mut Base, rest: &mut &[u8], trailers: &mut Head, worker: &mut Worker) -> Result<Option<bool>, Refused> {
        let (down, Some(body)) = (self.down, &mut self.body) else { return Ok(None) };
        match body.next(rest, trailers)? {
            Piece::More => return Ok(None),
            Piece::Data(data) => {
                let last = body.is_done();
                if worker.with(down.token, |conn, worker| conn.data(down.stream, data, last, worker)) == Some(true) {
                    base.paused = true;
                }
                return Ok(Some(last));
            }
            Piece::End => hop::trailers(trailers),
        }
        worker
            .with(down.token, |conn, worker| conn.end(down.stream, Some(trailers).filter(|all| !all.fields.is_empty()).as_deref(), worker));
        Ok(Some(true))
    }
}
