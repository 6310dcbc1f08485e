//! Heads as strictly as a proxy must read them: what two hops could read differently is refused (RFC 9112 §2.2, §5, §6.3, §11.2). A line ends
//! with CR LF and nothing else; no folding; no space before a colon.

use crate::limits;
use crate::message::{Body, Head, Known, Span};
use crate::refused::{Refused, refused};
use crate::syntax::{self, TARGET, TOKEN, TOKEN_LOWER, VALUE};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parsed {
    /// Not whole yet.
    More,
    /// So many bytes were the head.
    Whole(usize),
}

const BAD_LINE: Refused = refused(400, "bad_start_line");
const BAD_FIELD: Refused = refused(400, "bad_header");

/// Bytes are short of the head: no error yet.
enum Stop {
    Short,
    Bad(Refused),
}

impl From<Refused> for Stop {
    fn from(why: Refused) -> Self {
        Self::Bad(why)
    }
}

/// Fills `head`. `connection`, framing and the like are still in it.
pub fn request(bytes: &[u8], head: &mut Head) -> Result<Parsed, Refused> {
    read(bytes, head, |at, head| {
        // RFC 9112 §2.2: an empty line before a request is overlooked.
        if at.rest.starts_with(b"\r\n") {
            at.skip(2);
        }
        head.method = at.token(head, &TOKEN, b' ')?;
        let target = at.until(&TARGET, b' ')?;
        if target.is_empty() {
            return Err(BAD_LINE.into());
        }
        head.old = at.version()?;
        at.line_end()?;
        read_target(target, head)
    })
}

/// Fills `head`.
pub fn response(bytes: &[u8], head: &mut Head) -> Result<Parsed, Refused> {
    read(bytes, head, |at, head| {
        head.old = at.version()?;
        at.expect(b' ')?;
        let digits = at.take(3)?;
        head.status = match digits {
            [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')),
            _ => return Err(BAD_LINE.into()),
        };
        // The space before an empty reason is left out by some.
        if at.peek()? == b' ' {
            at.skip(1);
            at.until(&VALUE, b'\r')?;
            at.expect(b'\n')
        } else {
            at.line_end()
        }
    })
}

fn read(bytes: &[u8], head: &mut Head, start: impl FnOnce(&mut Cursor<'_>, &mut Head) -> Result<(), Stop>) -> Result<Parsed, Refused> {
    head.clear();
    let mut at = Cursor { rest: bytes };
    let outcome = start(&mut at, head).and_then(|()| {
        read_fields(&mut at, head).map_err(|stop| match stop {
            Stop::Bad(BAD_LINE) => Stop::Bad(BAD_FIELD),
            other => other,
        })
    });
    let taken = bytes.len() - at.rest.len();
    match outcome {
        Ok(()) if taken <= limits::HEAD => Ok(Parsed::Whole(taken)),
        Err(Stop::Short) if bytes.len() <= limits::HEAD => Ok(Parsed::More),
        Ok(()) | Err(Stop::Short) => Err(refused(431, "headers_too_large")),
        Err(Stop::Bad(why)) => Err(why),
    }
}

/// Up to and with the empty line.
fn read_fields(at: &mut Cursor<'_>, head: &mut Head) -> Result<(), Stop> {
    while at.peek()? != b'\r' {
        if head.fields.len() == limits::FIELDS {
            return Err(refused(431, "too_many_headers").into());
        }
        let name = at.token(head, &TOKEN_LOWER, b':')?;
        let value = at.until(&VALUE, b'\r')?;
        at.expect(b'\n')?;
        let value = head.put(syntax::trim(value));
        head.push_spans(name, value);
    }
    at.line_end()
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn skip(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }

    fn peek(&self) -> Result<u8, Stop> {
        self.rest.first().copied().ok_or(Stop::Short)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let taken = self.rest.get(..count).ok_or(Stop::Short)?;
        self.skip(count);
        Ok(taken)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.peek()? != byte {
            return Err(BAD_LINE.into());
        }
        self.skip(1);
        Ok(())
    }

    fn line_end(&mut self) -> Result<(), Stop> {
        self.expect(b'\r')?;
        self.expect(b'\n')
    }

    /// A token into `head`, and past the byte that ends it.
    fn token(&mut self, head: &mut Head, table: &[u8; 256], end: u8) -> Result<Span, Stop> {
        let span = head.put_mapped(self.rest, table);
        let after = *self.rest.get(span.len()).ok_or(Stop::Short)?;
        if span.is_empty() || after != end {
            return Err(BAD_LINE.into());
        }
        self.skip(span.len() + 1);
        Ok(span)
    }

    /// What the table allows, and past the byte that ends it.
    fn until(&mut self, table: &[bool; 256], end: u8) -> Result<&'a [u8], Stop> {
        let length = self.rest.iter().position(|byte| !table[usize::from(*byte)]).ok_or(Stop::Short)?;
        if self.rest[length] != end {
            return Err(BAD_LINE.into());
        }
        let taken = &self.rest[..length];
        self.skip(length + 1);
        Ok(taken)
    }

    /// Whether it is HTTP/1.0.
    fn version(&mut self) -> Result<bool, Stop> {
        match self.take(8)? {
            b"HTTP/1.1" => Ok(false),
            b"HTTP/1.0" => Ok(true),
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(refused(505, "version_not_supported").into()),
            _ => Err(BAD_LINE.into()),
        }
    }
}

/// Origin form, `*`, or the absolute form, whose authority replaces Host (RFC 9112 §3.2).
fn read_target(target: &[u8], head: &mut Head) -> Result<(), Stop> {
    if head.get(head.method) == b"CONNECT" {
        return Err(refused(405, "connect_is_not_proxied").into());
    }
    if syntax::is_path(head.get(head.method), target) {
        head.path = head.put(target);
        return Ok(());
    }
    let bad = Stop::Bad(refused(400, "bad_request_target"));
    let lower: Vec<u8> = target.iter().take(8).map(u8::to_ascii_lowercase).collect();
    let skip = if lower.starts_with(b"http://") {
        7
    } else if lower == b"https://" {
        8
    } else {
        return Err(bad);
    };
    let rest = &target[skip..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || !syntax::is_authority(authority) {
        return Err(bad);
    }
    head.authority = head.put(authority);
    head.path = if path.first() == Some(&b'/') { head.put(path) } else { head.put(&[b"/", path].concat()) };
    Ok(())
}

/// What comes after a request's head, and its authority; takes Host out.
pub fn request_body(head: &mut Head) -> Result<Body, Refused> {
    let mut hosts = head.fields.iter().filter(|field| field.known == Known::Host);
    let host = hosts.next().map(|field| field.value);
    if hosts.next().is_some() {
        return Err(refused(400, "duplicate_host"));
    }
    match host {
        Some(host) if !syntax::is_authority(head.get(host)) => return Err(refused(400, "bad_host")),
        Some(host) if head.authority.is_empty() => head.authority = host,
        None if !head.old => return Err(refused(400, "missing_host")),
        _ => {}
    }
    head.drop_known(Known::Host);
    let (length, chunked) = framing(head)?;
    match (length, chunked) {
        (Some(_), true) => Err(refused(400, "content_length_and_transfer_encoding")),
        (None, true) if head.old => Err(refused(400, "transfer_encoding_in_http_1_0")),
        (None, true) => Ok(Body::Streamed),
        (Some(length), false) if length > 0 => Ok(Body::Length(length)),
        _ => Ok(Body::None),
    }
}

/// What comes after a response's head. `None`: everything until the connection ends. RFC 9112 §6.3; whoever sends both lengths is refused here
/// too, as is a coding that is not ours to undo.
pub fn response_body(head: &Head, to_head_request: bool) -> Result<Option<Body>, Refused> {
    let (length, chunked) = framing(head)?;
    if length.is_some() && chunked {
        return Err(refused(502, "content_length_and_transfer_encoding"));
    }
    if to_head_request || head.status < 200 || head.status == 204 || head.status == 304 {
        return Ok(Some(Body::None));
    }
    Ok(match (length, chunked) {
        (Some(0), _) => Some(Body::None),
        (Some(length), _) => Some(Body::Length(length)),
        (None, true) => Some(Body::Streamed),
        (None, false) => None,
    })
}

fn framing(head: &Head) -> Result<(Option<u64>, bool), Refused> {
    let mut length = None;
    let mut chunked = false;
    for field in &head.fields {
        let value = head.get(field.value);
        match field.known {
            Known::ContentLength if length.is_some() => return Err(refused(400, "duplicate_content-length")),
            Known::ContentLength => length = Some(syntax::length(value).ok_or(refused(400, "bad_content_length"))?),
            Known::TransferEncoding if chunked => return Err(refused(400, "duplicate_transfer-encoding")),
            Known::TransferEncoding if !value.eq_ignore_ascii_case(b"chunked") => {
                return Err(refused(501, "unsupported_transfer_encoding"));
            }
            Known::TransferEncoding => chunked = true,
            _ => {}
        }
    }
    Ok((length, chunked))
}

/// Trailers of a chunked body, up to and with the empty line.
pub(super) fn trailers(bytes: &[u8], head: &mut Head) -> Result<Parsed, Refused> {
    read(bytes, head, |_, _| Ok(()))
}
