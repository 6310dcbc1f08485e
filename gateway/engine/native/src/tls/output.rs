use super::conversation::{Message, Written};
use super::end::TlsEnd;
use super::fault::TlsFault;

/// What came of some output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes of plaintext that need not be given again.
    pub taken: usize,
    /// Bytes of ciphertext, to be sent.
    pub written: usize,
}

/// The most plaintext of a record (RFC 8446 §5.1), and more than what any suite adds to it.
const RECORD: usize = 16 * 1024;
const RECORD_OVERHEAD: usize = 32;
/// For a key update that may have to go first.
const SLACK: usize = 128;
impl TlsEnd {
    /// Turns plaintext into ciphertext, as much as `out` has room for; what `outgoing` held goes first. Takes nothing before the handshake is done
    /// and after `close`. Every 16 KiB become one record, with at most 32 bytes more, and 128 bytes of room are kept free.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<Sealed, TlsFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let mut sealed = Sealed::default();
        loop {
            sealed.written += self.drain_outbox(out.get_mut(sealed.written..).unwrap_or_default());
            let room = out.get_mut(sealed.written..).unwrap_or_default();
            let taken = plaintext.len().min(capacity(room.len()));
            if taken == 0 || self.peer.is_none() || self.closed || !self.outbox.is_empty() {
                return Ok(sealed);
            }
            match self.write(Message::Data(plaintext.get(..taken).unwrap_or_default()), room) {
                Written::Queued => {}
                Written::Bytes(more) => {
                    return Ok(Sealed { taken, written: sealed.written + more });
                }
                Written::Refused => return self.remember(Err(TlsFault::Handshake("nothing more can be encrypted".into()))),
            }
        }
    }

    /// Says close_notify, once: it is in `outgoing`. What the other side still sends can be opened. Before the handshake is done it does nothing.
    pub fn close(&mut self) {
        let mut room = [0; SLACK];
        while self.peer.is_some() && !self.closed && self.fault.is_none() {
            match self.write(Message::CloseNotify, &mut room) {
                Written::Queued => {}
                Written::Bytes(length) => {
                    self.outbox.extend_from_slice(room.get(..length).unwrap_or_default());
                    self.closed = true;
                }
                Written::Refused => self.closed = true,
            }
        }
    }

    fn write(&mut self, message: Message, room: &mut [u8]) -> Written {
        let (used, written) = self.conversation.write(message, &mut self.partial, room, &mut self.outbox);
        self.partial.drain(..used.min(self.partial.len()));
        written
    }

    /// Protocol messages that are to be sent before anything else.
    pub fn outgoing(&self) -> &[u8] {
        &self.outbox
    }

    /// So many bytes of `outgoing` were sent.
    pub fn sent(&mut self, length: usize) {
        self.outbox.drain(..length.min(self.outbox.len()));
        if self.outbox.is_empty() {
            self.outbox = Vec::new();
        }
    }

    fn drain_outbox(&mut self, out: &mut [u8]) -> usize {
        let length = self.outbox.len().min(out.len());
        if let (Some(into), Some(from)) = (out.get_mut(..length), self.outbox.get(..length)) {
            into.copy_from_slice(from);
        }
        self.sent(length);
        length
    }
}

/// Room in which `seal` takes so many bytes of plaintext at once, when `outgoing` is empty.
pub const fn sealed_room(plaintext: usize) -> usize {
    plaintext + plaintext.div_ceil(RECORD) * RECORD_OVERHEAD + SLACK
}

/// The plaintext whose ciphertext fits into so many bytes.
fn capacity(room: usize) -> usize {
    let room = room.saturating_sub(SLACK);
    let (whole, rest) = (room / (RECORD + RECORD_OVERHEAD), room % (RECORD + RECORD_OVERHEAD));
    whole * RECORD + rest.saturating_sub(RECORD_OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_and_capacity_are_of_one_mind() {
        for plaintext in [0, 1, 64, RECORD - 1, RECORD, RECORD + 1, 256 * 1024, 1_000_000] {
            let room = sealed_room(plaintext);
            assert_eq!(capacity(room), plaintext);
            assert!(plaintext == 0 || capacity(room - 1) < plaintext, "{plaintext}");
        }
    }
}
