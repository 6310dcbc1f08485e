use rustls::CommonState;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus, WriteTraffic};

/// rustls' state of one connection, by its unbuffered interface: it keeps no buffers of its own, so that an idle connection holds none.
pub enum Conversation {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// What came of looking at the input once.
pub enum Step {
    /// So many bytes of plaintext.
    Data(usize),
    /// Something of the protocol's own, maybe for the other side.
    Progress,
    /// close_notify came: no data will follow.
    PeerClosed,
    /// All is done that could be: more input is needed.
    Waiting,
    Failed(rustls::Error),
}

/// What is to be written.
#[derive(Clone, Copy)]
pub enum Message<'a> {
    Data(&'a [u8]),
    CloseNotify,
}

/// What came of writing.
pub enum Written {
    Bytes(usize),
    /// Something of the protocol's own must go first: it is in the outbox now.
    Queued,
    /// Nothing can be written in this state, or no more by these keys.
    Refused,
}

impl Conversation {
    pub fn state(&self) -> &CommonState {
        match self {
            Self::Server(server) => server,
            Self::Client(client) => client,
        }
    }

    /// The number of input bytes that are done with, and what they were. `outbox`: to be sent, in order. `plaintext` has room for what is in `input`.
    pub fn step(&mut self, input: &mut [u8], plaintext: &mut [u8], outbox: &mut Vec<u8>) -> (usize, Step) {
        match self {
            Self::Server(server) => settle(server.process_tls_records(input), plaintext, outbox),
            Self::Client(client) => settle(client.process_tls_records(input), plaintext, outbox),
        }
    }

    /// `unread`: input that is not whole yet; rustls may hold places in it, so that it must be shown. Also how many bytes of it are done with.
    pub fn write(&mut self, message: Message, unread: &mut [u8], out: &mut [u8], outbox: &mut Vec<u8>) -> (usize, Written) {
        match self {
            Self::Server(server) => put(server.process_tls_records(unread), message, out, outbox),
            Self::Client(client) => put(client.process_tls_records(unread), message, out, outbox),
        }
    }
}

fn settle<Data>(status: UnbufferedStatus<'_, '_, Data>, plaintext: &mut [u8], outbox: &mut Vec<u8>) -> (usize, Step) {
    let UnbufferedStatus { discard, state } = status;
    let mut used = discard;
    let step = match state {
        Err(error) => Step::Failed(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut written = 0;
            loop {
                match traffic.next_record() {
                    None => break Step::Data(written),
                    Some(Err(error)) => break Step::Failed(error),
                    Some(Ok(record)) => {
                        used += record.discard;
                        let end = written + record.payload.len();
                        let Some(room) = plaintext.get_mut(written..end) else {
                            break Step::Failed(no_room());
                        };
                        room.copy_from_slice(record.payload);
                        written = end;
                    }
                }
            }
        }
        Ok(ConnectionState::EncodeTlsData(mut message)) => match append(outbox, |room| message.encode(room)) {
            true => Step::Progress,
            false => Step::Failed(no_room()),
        },
        Ok(ConnectionState::TransmitTlsData(sent)) => {
            sent.done();
            Step::Progress
        }
        Ok(ConnectionState::PeerClosed) => Step::PeerClosed,
        Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) | ConnectionState::Closed) => Step::Waiting,
        // Early data, which nobody here offers or takes.
        Ok(_) => Step::Failed(rustls::Error::General("a state that nothing here leads to".into())),
    };
    (used, step)
}

fn no_room() -> rustls::Error {
    rustls::Error::General("the buffer for plaintext is smaller than its input".into())
}

/// Makes room as asked for, and no more.
fn append(outbox: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) -> bool {
    let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) = encode(&mut []) else {
        return false;
    };
    let start = outbox.len();
    outbox.resize(start + required_size, 0);
    let written = outbox.get_mut(start..).map(encode);
    matches!(written, Some(Ok(size)) if size == required_size)
}

fn put<Data>(status: UnbufferedStatus<'_, '_, Data>, message: Message, out: &mut [u8], outbox: &mut Vec<u8>) -> (usize, Written) {
    let UnbufferedStatus { discard, state } = status;
    let written = match state {
        Ok(ConnectionState::WriteTraffic(traffic)) => encrypt(traffic, message, out),
        Ok(ConnectionState::EncodeTlsData(mut message)) => match append(outbox, |room| message.encode(room)) {
            true => Written::Queued,
            false => Written::Refused,
        },
        Ok(ConnectionState::TransmitTlsData(sent)) => {
            sent.done();
            Written::Queued
        }
        _ => Written::Refused,
    };
    (discard, written)
}

fn encrypt<Data>(mut traffic: WriteTraffic<'_, Data>, message: Message, out: &mut [u8]) -> Written {
    let result = match message {
        Message::Data(plaintext) => traffic.encrypt(plaintext, out),
        Message::CloseNotify => traffic.queue_close_notify(out),
    };
    result.map_or(Written::Refused, Written::Bytes)
}
