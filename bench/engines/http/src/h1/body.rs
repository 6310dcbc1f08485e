//! Where a body ends (RFC 9112 §6, §7.1). Chunks are undone here and made anew on the other side: nobody's framing is passed on.

use super::head::{Parsed, trailers};
use crate::message::{Body, Head};
use crate::refused::{Refused, refused};

/// A chunk's size line with its extensions, which are dropped.
const SIZE_LINE: usize = 256;
const BAD_CHUNK: Refused = refused(400, "bad_chunk");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// So many bytes more.
    Length(u64),
    UntilClose,
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Done,
}

#[derive(Debug)]
pub struct BodyReader {
    state: State,
}

/// What comes next of a body.
#[derive(PartialEq, Eq, Debug)]
pub enum Piece<'a> {
    /// Bytes of it.
    Data(&'a [u8]),
    /// Not enough is there.
    More,
    /// It was whole; trailers, if it was chunked, are in the head that was given.
    End,
}

impl BodyReader {
    /// `None`: until the connection ends.
    pub fn new(body: Option<Body>) -> Self {
        let state = match body {
            Some(Body::None) => State::Done,
            Some(Body::Length(length)) => State::Length(length),
            Some(Body::Streamed) => State::Size,
            None => State::UntilClose,
        };
        Self { state }
    }

    /// The connection's end is the body's.
    pub fn ends_by_close(&self) -> bool {
        self.state == State::UntilClose
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes from the front of `bytes`. `scratch` is filled with trailers, and empty at an end without.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8], scratch: &mut Head) -> Result<Piece<'a>, Refused> {
        loop {
            match self.state {
                State::Done => {
                    scratch.clear();
                    return Ok(Piece::End);
                }
                _ if bytes.is_empty() => return Ok(Piece::More),
                State::Length(left) => {
                    let (data, left) = take(bytes, left);
                    self.state = if left == 0 { State::Done } else { State::Length(left) };
                    return Ok(Piece::Data(data));
                }
                State::UntilClose => return Ok(Piece::Data(take(bytes, u64::MAX).0)),
                State::Chunk(left) => {
                    let (data, left) = take(bytes, left);
                    self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                    return Ok(Piece::Data(data));
                }
                State::ChunkEnd => match bytes {
                    [b'\r', b'\n', rest @ ..] => {
                        *bytes = rest;
                        self.state = State::Size;
                    }
                    [b'\r'] => return Ok(Piece::More),
                    _ => return Err(BAD_CHUNK),
                },
                State::Size => match chunk_size(bytes)? {
                    None => return Ok(Piece::More),
                    Some((size, line)) => {
                        *bytes = &bytes[line..];
                        self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                    }
                },
                State::Trailers => match trailers(bytes, scratch)? {
                    Parsed::More => return Ok(Piece::More),
                    Parsed::Whole(taken) => {
                        *bytes = &bytes[taken..];
                        self.state = State::Done;
                        return Ok(Piece::End);
                    }
                },
            }
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], left: u64) -> (&'a [u8], u64) {
    let (data, rest) = bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
    *bytes = rest;
    (data, left - data.len() as u64)
}

/// The size, and the length of its line; None: not whole yet. Extensions may hold what a value may; RFC 9112 §7.1.1 lets them be ignored.
fn chunk_size(bytes: &[u8]) -> Result<Option<(u64, usize)>, Refused> {
    let digits = bytes.iter().position(|byte| !byte.is_ascii_hexdigit());
    let Some(digits) = digits else { return if bytes.len() > 15 { Err(BAD_CHUNK) } else { Ok(None) } };
    if !(1..=15).contains(&digits) || !matches!(bytes[digits], b'\r' | b';') {
        return Err(BAD_CHUNK);
    }
    let rest = &bytes[digits..];
    let Some(extension) = rest.iter().position(|byte| !crate::syntax::VALUE[usize::from(*byte)]) else {
        return if bytes.len() > SIZE_LINE { Err(BAD_CHUNK) } else { Ok(None) };
    };
    let line = digits + extension + 2;
    match &rest[extension..] {
        _ if line > SIZE_LINE => Err(BAD_CHUNK),
        [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => {
            let size = bytes[..digits].iter().fold(0, |sum, digit| sum << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0)));
            Ok(Some((size, line)))
        }
        _ => Err(BAD_CHUNK),
    }
}
