//! What the other side says of itself (RFC 9113 §6.5, §6.9).

use super::frame::{self, Code, Frame, flag, kind, setting};
use super::session::{Happened, Session};

impl<T> Session<T> {
    pub(super) fn on_settings(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Happened<'static>>, Code> {
        let (settings, rest) = frame.payload.as_chunks::<6>();
        if frame.stream != 0 {
            return Err(Code::PROTOCOL_ERROR);
        }
        if !rest.is_empty() || (frame.has(flag::ACK) && !settings.is_empty()) {
            return Err(Code::FRAME_SIZE_ERROR);
        }
        if frame.has(flag::ACK) {
            return Ok(None);
        }
        self.settled = true;
        for [a, b, c, d, e, f] in settings {
            self.set(u16::from_be_bytes([*a, *b]), u32::from_be_bytes([*c, *d, *e, *f]))?;
        }
        frame::write(out, kind::SETTINGS, flag::ACK, 0, &[]);
        Ok(None)
    }

    fn set(&mut self, name: u16, value: u32) -> Result<(), Code> {
        match name {
            setting::HEADER_TABLE_SIZE => self.encoder.limit(value),
            setting::ENABLE_PUSH if value > 1 => return Err(Code::PROTOCOL_ERROR),
            setting::MAX_CONCURRENT_STREAMS => self.peer_streams = value,
            setting::INITIAL_WINDOW_SIZE => {
                let value = i32::try_from(value).map_err(|_| Code::FLOW_CONTROL_ERROR)? as u32;
                let more = i64::from(value) - i64::from(self.peer_window);
                self.peer_window = value;
                for (id, stream) in &mut self.streams {
                    stream.outbound.add(more)?;
                    if stream.waits() && !stream.in_turn {
                        stream.in_turn = true;
                        self.turns.push_back(*id);
                    }
                }
            }
            setting::MAX_FRAME_SIZE if !(16_384..=16_777_215).contains(&value) => return Err(Code::PROTOCOL_ERROR),
            // Larger ones would make one stream hold up the others.
            _ => {}
        }
        Ok(())
    }

    pub(super) fn on_window(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Happened<'static>>, Code> {
        let bytes: [u8; 4] = frame.payload.try_into().map_err(|_| Code::FRAME_SIZE_ERROR)?;
        let bytes = i64::from(u32::from_be_bytes(bytes) & 0x7fff_ffff);
        let id = frame.stream;
        if id == 0 {
            return if bytes == 0 { Err(Code::PROTOCOL_ERROR) } else { self.outbound.add(bytes).map(|()| None) };
        }
        if self.is_idle(id) {
            return Err(Code::PROTOCOL_ERROR);
        }
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(None) };
        let outcome = if bytes == 0 { Err(Code::PROTOCOL_ERROR) } else { stream.outbound.add(bytes) };
        if let Err(code) = outcome {
            return Ok(self.breaks(id, code, out));
        }
        if stream.waits() && !stream.in_turn {
            stream.in_turn = true;
            self.turns.push_back(id);
        }
        Ok(None)
    }
}
