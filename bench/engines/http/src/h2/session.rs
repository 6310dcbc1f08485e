//! One connection of HTTP/2, either end: its frames and its streams, without I/O. What comes in is given to `next`, whatever goes out is appended to
//! a buffer of the caller's.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::fields::{Collector, Fault};
use super::flow::{Inbound, Outbound};
use super::frame::{self, Code, Frame, flag, kind, setting};
use super::hpack::{Decoder, Encoder};
use super::stream::Stream;
use crate::limits;
use crate::message::Head;

/// What both sides begin with (RFC 9113 §6.9.2).
const FIRST_WINDOW: u32 = 65_535;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Server,
    Client,
}

/// What its owner has to see to.
#[derive(Debug)]
pub enum Happened<'a> {
    /// A head is in the scratch that was given. Of a server a stream that was not there: it is to be accepted or refused.
    Head { stream: u32, end: bool, trailers: bool, outcome: Result<(), Fault> },
    /// To be credited (`took`) when it has gone on.
    Data { stream: u32, data: &'a [u8], end: bool },
    /// The other side has taken it back, or broke its rules: it is gone.
    Reset { stream: u32 },
    /// Streams above it were not looked at.
    GoAway { last: u32 },
}

pub struct Session<T> {
    pub(super) role: Role,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) streams: HashMap<u32, Stream<T>, BuildHasherDefault<ById>>,
    /// The highest that the other side has opened.
    pub(super) last_seen: u32,
    pub(super) next: u32,
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    pub(super) peer_window: u32,
    pub(super) peer_frame: usize,
    /// How many streams the other side takes at once.
    pub peer_streams: u32,
    /// Of a head that is not whole: whose, whether it ends the stream, what has come.
    block: Option<(u32, bool, Vec<u8>)>,
    continuations: u32,
    empties: u32,
    pub(super) settled: bool,
    pub(super) turns: VecDeque<u32>,
}

/// Ids are given out in order: spread enough for a map of a few hundred.
#[derive(Default)]
pub struct ById(u64);

impl Hasher for ById {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl<T> Session<T> {
    /// Writes what either end says first, but for a client's preface.
    pub fn new(role: Role, out: &mut Vec<u8>) -> Self {
        let streams = if role == Role::Server { (setting::MAX_CONCURRENT_STREAMS, limits::STREAMS) } else { (setting::ENABLE_PUSH, 0) };
        let heads = (setting::MAX_HEADER_LIST_SIZE, limits::HEAD as u32);
        frame::write_settings(out, &[streams, (setting::INITIAL_WINDOW_SIZE, limits::STREAM_WINDOW), heads]);
        frame::write_window_update(out, 0, limits::CONNECTION_WINDOW - FIRST_WINDOW);
        Self {
            role,
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            streams: HashMap::default(),
            last_seen: 0,
            next: 1,
            outbound: Outbound::new(FIRST_WINDOW),
            inbound: Inbound::new(limits::CONNECTION_WINDOW),
            peer_window: FIRST_WINDOW,
            peer_frame: frame::LARGEST,
            peer_streams: limits::UPSTREAM_STREAMS,
            block: None,
            continuations: 0,
            empties: 0,
            settled: false,
            turns: VecDeque::new(),
        }
    }

    /// Takes frames from the front until something has happened; None: no whole one is left. An error ends the connection.
    pub fn next<'a>(&mut self, rest: &mut &'a [u8], head: &mut Head, out: &mut Vec<u8>) -> Result<Option<Happened<'a>>, Code> {
        while let Some(frame) = Frame::take(rest)? {
            if !self.settled && (frame.kind != kind::SETTINGS || frame.has(flag::ACK)) {
                return Err(Code::PROTOCOL_ERROR);
            }
            if self.block.is_some() && frame.kind != kind::CONTINUATION {
                return Err(Code::PROTOCOL_ERROR);
            }
            if let Some(happened) = self.on_frame(frame, head, out)? {
                return Ok(Some(happened));
            }
        }
        Ok(None)
    }

    fn on_frame<'a>(&mut self, frame: Frame<'a>, head: &mut Head, out: &mut Vec<u8>) -> Result<Option<Happened<'a>>, Code> {
        match frame.kind {
            kind::DATA => self.on_data(frame, out),
            kind::HEADERS => {
                let (content, end) = (frame.content()?, frame.has(flag::END_STREAM));
                if frame.stream == 0 {
                    return Err(Code::PROTOCOL_ERROR);
                }
                if !frame.has(flag::END_HEADERS) {
                    self.continuations = 0;
                    self.block = Some((frame.stream, end, content.to_vec()));
                    return Ok(None);
                }
                self.on_head(frame.stream, end, content, head)
            }
            kind::CONTINUATION => self.on_continuation(frame, head),
            kind::PRIORITY if frame.stream == 0 => Err(Code::PROTOCOL_ERROR),
            kind::PRIORITY if frame.payload.len() != 5 => Err(Code::FRAME_SIZE_ERROR),
            kind::RST_STREAM => self.on_reset(frame),
            kind::SETTINGS => self.on_settings(frame, out),
            kind::PUSH_PROMISE => Err(Code::PROTOCOL_ERROR),
            kind::PING if frame.stream != 0 => Err(Code::PROTOCOL_ERROR),
            kind::PING if frame.payload.len() != 8 => Err(Code::FRAME_SIZE_ERROR),
            kind::PING if !frame.has(flag::ACK) => {
                frame::write(out, kind::PING, flag::ACK, 0, frame.payload);
                Ok(None)
            }
            kind::GOAWAY => match frame.payload {
                [_, ..] if frame.stream != 0 => Err(Code::PROTOCOL_ERROR),
                [a, b, c, d, _, _, _, _, ..] => Ok(Some(Happened::GoAway { last: u32::from_be_bytes([*a, *b, *c, *d]) & 0x7fff_ffff })),
                _ => Err(Code::FRAME_SIZE_ERROR),
            },
            kind::WINDOW_UPDATE => self.on_window(frame, out),
            _ => Ok(None),
        }
    }

    pub(super) fn is_idle(&self, stream: u32) -> bool {
        let ours = stream % 2 == u32::from(self.role == Role::Client);
        if ours { stream >= self.next } else { stream > self.last_seen }
    }

    fn on_data<'a>(&mut self, frame: Frame<'a>, out: &mut Vec<u8>) -> Result<Option<Happened<'a>>, Code> {
        let (id, end, data) = (frame.stream, frame.has(flag::END_STREAM), frame.content()?);
        if id == 0 || self.is_idle(id) {
            return Err(Code::PROTOCOL_ERROR);
        }
        self.empties = if data.is_empty() && !end { self.empties + 1 } else { 0 };
        if self.empties > limits::EMPTY_FRAMES {
            return Err(Code::ENHANCE_YOUR_CALM);
        }
        let size = frame.payload.len();
        self.inbound.received(size)?;
        let Some(stream) = self.streams.get_mut(&id) else {
            self.took_unheard(size as u32, out);
            return Ok(None);
        };
        let broken = if stream.remote_done {
            Some(Code::STREAM_CLOSED)
        } else if let Err(code) = stream.inbound.received(size) {
            Some(code)
        } else if !(stream.headed && stream.count(data.len(), end)) {
            Some(Code::PROTOCOL_ERROR)
        } else {
            None
        };
        if let Some(code) = broken {
            self.took_unheard(size as u32, out);
            return Ok(self.breaks(id, code, out));
        }
        stream.remote_done = end;
        self.took(id, (size - data.len()) as u32, out);
        Ok(Some(Happened::Data { stream: id, data, end }))
    }

    fn on_continuation(&mut self, frame: Frame<'_>, head: &mut Head) -> Result<Option<Happened<'static>>, Code> {
        let (stream, end, mut block) = self.block.take().ok_or(Code::PROTOCOL_ERROR)?;
        self.continuations += 1;
        if frame.stream != stream {
            return Err(Code::PROTOCOL_ERROR);
        }
        block.extend_from_slice(frame.payload);
        if block.len() > limits::HEAD || self.continuations > limits::CONTINUATIONS {
            return Err(Code::ENHANCE_YOUR_CALM);
        }
        if frame.has(flag::END_HEADERS) {
            return self.on_head(stream, end, &block, head);
        }
        self.block = Some((stream, end, block));
        Ok(None)
    }

    /// Every block is decoded, whatever becomes of it: the tables of both sides must stay the same.
    fn on_head(&mut self, id: u32, end: bool, block: &[u8], head: &mut Head) -> Result<Option<Happened<'static>>, Code> {
        let mut fields = Collector::new(head);
        self.decoder.decode(block, |name, value| fields.add(name, value)).map_err(|_| Code::COMPRESSION_ERROR)?;
        let fresh = self.role == Role::Server && id % 2 == 1 && id > self.last_seen;
        if fresh {
            self.last_seen = id;
            return Ok(Some(Happened::Head { stream: id, end, trailers: false, outcome: fields.request() }));
        }
        if self.is_idle(id) {
            return Err(Code::PROTOCOL_ERROR);
        }
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(None) };
        if stream.remote_done {
            return Err(Code::STREAM_CLOSED);
        }
        let trailers = stream.headed;
        let mut outcome = if trailers { fields.trailers() } else { fields.response() };
        let interim = !trailers && head.status < 200;
        if interim == end && (interim || trailers) || (trailers && !stream.count(0, true)) {
            outcome = outcome.and(Err(Fault::Malformed));
        }
        stream.headed = !interim;
        stream.remote_done = end;
        Ok(Some(Happened::Head { stream: id, end, trailers, outcome }))
    }

    fn on_reset(&mut self, frame: Frame<'_>) -> Result<Option<Happened<'static>>, Code> {
        if frame.payload.len() != 4 {
            return Err(Code::FRAME_SIZE_ERROR);
        }
        if frame.stream == 0 || self.is_idle(frame.stream) {
            return Err(Code::PROTOCOL_ERROR);
        }
        Ok(self.streams.contains_key(&frame.stream).then_some(Happened::Reset { stream: frame.stream }))
    }

    /// A stream error: said to the other side; its owner, who is told, removes it.
    pub(super) fn breaks(&mut self, id: u32, code: Code, out: &mut Vec<u8>) -> Option<Happened<'static>> {
        frame::write_reset(out, id, code);
        Some(Happened::Reset { stream: id })
    }

    fn took_unheard(&mut self, bytes: u32, out: &mut Vec<u8>) {
        if let Some(more) = self.inbound.taken(bytes) {
            frame::write_window_update(out, 0, more);
        }
    }

    /// So many bytes of a stream's data have gone on: the other side may send as many more.
    pub fn took(&mut self, id: u32, bytes: u32, out: &mut Vec<u8>) {
        self.took_unheard(bytes, out);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let more = stream.inbound.taken(bytes);
        if let Some(more) = more.filter(|_| !stream.remote_done) {
            frame::write_window_update(out, id, more);
        }
    }

    /// Everything that was received of it has gone on.
    pub fn took_all(&mut self, id: u32, out: &mut Vec<u8>) {
        let held = self.streams.get(&id).map_or(0, |stream| stream.inbound.held());
        self.took(id, held, out);
    }
}
