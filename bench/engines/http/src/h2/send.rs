//! What a session sends.

use super::frame::{self, Code, HEADER, flag, kind};
use super::hpack::Encoder;
use super::session::Session;
use super::stream::Stream;

use crate::message::Head;

impl<T> Session<T> {
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    pub fn stream(&mut self, id: u32) -> Option<&mut Stream<T>> {
        self.streams.get_mut(&id)
    }

    pub fn last_seen(&self) -> u32 {
        self.last_seen
    }

    /// All that are open.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, Stream<T>)> {
        std::mem::take(&mut self.streams).into_iter()
    }

    pub fn above(&self, last: u32) -> Vec<u32> {
        self.streams.keys().copied().filter(|id| *id > last).collect()
    }

    /// A client's next one; None: its numbers are used up.
    pub fn open(&mut self, with: T) -> Option<u32> {
        let id = self.next;
        self.next = id.checked_add(2).filter(|next| *next < 1 << 31)?;
        self.streams.insert(id, Stream::new(with, self.peer_window));
        Some(id)
    }

    /// A caller's, whose head has just come. `left`: by its content-length.
    pub fn accept(&mut self, id: u32, with: T, end: bool, left: Option<u64>) {
        let mut stream = Stream::new(with, self.peer_window);
        (stream.headed, stream.remote_done, stream.left) = (true, end, left);
        self.streams.insert(id, stream);
    }

    pub fn expect(&mut self, id: u32, left: Option<u64>) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.left = left;
        }
    }

    /// What was received of it and went nowhere is credited to the connection.
    pub fn remove(&mut self, id: u32, out: &mut Vec<u8>) -> Option<Stream<T>> {
        let stream = self.streams.remove(&id)?;
        if let Some(more) = self.inbound.taken(stream.inbound.held()) {
            frame::write_window_update(out, 0, more);
        }
        Some(stream)
    }

    pub fn reset(&mut self, id: u32, code: Code, out: &mut Vec<u8>) -> Option<Stream<T>> {
        frame::write_reset(out, id, code);
        self.remove(id, out)
    }

    /// A head, or an interim one. `end`: nothing comes after it.
    pub fn send_head(&mut self, id: u32, end: bool, out: &mut Vec<u8>, fill: impl FnOnce(&mut Encoder, &mut Vec<u8>)) {
        write_head(&mut self.encoder, self.peer_frame, id, end, out, fill);
        if end {
            self.local_done(id, out);
        }
    }

    /// `room`: whether the socket takes more. True: enough for now; `pump` says when it may go on.
    pub fn send_data(&mut self, id: u32, mut data: &[u8], last: bool, room: bool, out: &mut Vec<u8>) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return false };
        while room && !stream.waits() && !data.is_empty() {
            let length = data.len().min(self.peer_frame).min(stream.outbound.left()).min(self.outbound.left());
            if length == 0 {
                break;
            }
            let (now, rest) = data.split_at(length);
            let end = last && rest.is_empty();
            frame::write(out, kind::DATA, if end { flag::END_STREAM } else { 0 }, id, now);
            stream.outbound.spend(length);
            self.outbound.spend(length);
            data = rest;
            if end {
                self.local_done(id, out);
                return false;
            }
        }
        if data.is_empty() && !stream.waits() {
            return false;
        }
        stream.keep(data);
        stream.full = true;
        if last {
            stream.ending = Some(None);
        }
        if !stream.in_turn {
            stream.in_turn = true;
            self.turns.push_back(id);
        }
        true
    }

    pub fn send_end(&mut self, id: u32, trailers: Option<&Head>, out: &mut Vec<u8>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.waits() {
            stream.ending = Some(trailers.map(|trailers| Box::new(trailers.clone())));
            return;
        }
        write_end(&mut self.encoder, self.peer_frame, id, trailers, out);
        self.local_done(id, out);
    }

    fn local_done(&mut self, id: u32, out: &mut Vec<u8>) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.local_done = true;
        if stream.remote_done {
            self.remove(id, out);
        }
    }

    /// Whether both sides have ended it, now that its owner has seen to the other's end.
    pub fn close_if_done(&mut self, id: u32, out: &mut Vec<u8>) {
        if self.streams.get(&id).is_some_and(|stream| stream.local_done && stream.remote_done) {
            self.remove(id, out);
        }
    }

    /// Sends what waits as far as windows allow, a frame of each stream in turn, until `most` bytes are in `out`. `drained` gets the streams that may
    /// be brought more.
    pub fn pump(&mut self, most: usize, out: &mut Vec<u8>, mut drained: impl FnMut(&mut T)) {
        while out.len() < most {
            let Some(id) = self.turns.pop_front() else { return };
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            let waiting = stream.pending.len() - stream.sent;
            let length = waiting.min(self.peer_frame).min(stream.outbound.left()).min(self.outbound.left());
            if waiting > 0 && length == 0 {
                if self.outbound.left() == 0 {
                    self.turns.push_front(id);
                    return;
                }
                stream.in_turn = false;
                continue;
            }
            let end = length == waiting && matches!(stream.ending, Some(None));
            if waiting > 0 {
                let piece = &stream.pending[stream.sent..stream.sent + length];
                frame::write(out, kind::DATA, if end { flag::END_STREAM } else { 0 }, id, piece);
                stream.sent += length;
                stream.outbound.spend(length);
                self.outbound.spend(length);
            }
            if length < waiting {
                self.turns.push_back(id);
                continue;
            }
            (stream.pending, stream.sent, stream.in_turn) = (Vec::new(), 0, false);
            match stream.ending.take() {
                None if std::mem::take(&mut stream.full) => drained(&mut stream.with),
                None => {}
                Some(_) if end && waiting > 0 => self.local_done(id, out),
                Some(trailers) => {
                    write_end(&mut self.encoder, self.peer_frame, id, trailers.as_deref(), out);
                    self.local_done(id, out);
                }
            }
        }
    }

    /// The last frame of a connection that has gone wrong, or ends.
    pub fn go_away(&self, code: Code, out: &mut Vec<u8>) {
        frame::write_goaway(out, self.last_seen, code);
    }
}

fn write_head(encoder: &mut Encoder, largest: usize, id: u32, end: bool, out: &mut Vec<u8>, fill: impl FnOnce(&mut Encoder, &mut Vec<u8>)) {
    let from = out.len();
    out.extend_from_slice(&[0; HEADER]);
    encoder.begin(out);
    fill(encoder, out);
    frame::close_headers(out, from, id, if end { flag::END_STREAM } else { 0 }, largest);
}

fn write_end(encoder: &mut Encoder, largest: usize, id: u32, trailers: Option<&Head>, out: &mut Vec<u8>) {
    match trailers {
        None => frame::write(out, kind::DATA, flag::END_STREAM, id, &[]),
        Some(trailers) => write_head(encoder, largest, id, true, out, |encoder, out| {
            trailers.live().for_each(|(name, value)| encoder.field(name, value, out));
        }),
    }
}
