use std::borrow::Cow;

use super::client_hello::HelloFault;
use super::cursor::Cursor;

/// What routing needs of a ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// Lower-case; `None` when the client names nobody.
    pub sni: Option<Cow<'a, str>>,
    pub alpn: Alpn<'a>,
    /// It has the extension `encrypted_client_hello` (RFC 9849 §5): `sni` may be the public name of another server, or GREASE comes with
    /// the server's own name; who cannot decrypt cannot tell.
    pub encrypted_client_hello: bool,
}

/// The protocols that a client offers, in its order (RFC 7301 §3.1); maybe none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alpn<'a>(Cow<'a, [u8]>);

impl Alpn<'_> {
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut list = Cursor::new(&self.0);
        std::iter::from_fn(move || list.vector8())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_owned(self) -> Alpn<'static> {
        Alpn(Cow::Owned(self.0.into_owned()))
    }
}

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

const RANDOM: usize = 32;
const LONGEST_SESSION_ID: usize = 32;

/// A ClientHello without its handshake header.
pub(super) fn parse_message(message: &[u8]) -> Result<ClientHello<'_>, HelloFault> {
    match read_extensions(message).ok_or(HelloFault::Malformed)? {
        Some(extensions) => parse_extensions(extensions),
        None => Ok(ClientHello { sni: None, alpn: Alpn::default(), encrypted_client_hello: false }),
    }
}

/// `None`: malformed; within, that it has none.
fn read_extensions(message: &[u8]) -> Option<Option<&[u8]>> {
    let mut body = Cursor::new(message);
    body.take(2 + RANDOM)?;
    let session = body.vector8()?;
    let suites = body.vector16()?;
    let compressions = body.vector8()?;
    if session.len() > LONGEST_SESSION_ID || suites.is_empty() || suites.len() % 2 != 0 || compressions.is_empty() {
        return None;
    }
    if body.is_empty() {
        return Some(None);
    }
    let extensions = body.vector16()?;
    body.is_empty().then_some(Some(extensions))
}

fn parse_extensions(bytes: &[u8]) -> Result<ClientHello<'_>, HelloFault> {
    let mut hello = ClientHello { sni: None, alpn: Alpn::default(), encrypted_client_hello: false };
    let mut extensions = Cursor::new(bytes);
    let mut seen = SeenTypes::default();
    while !extensions.is_empty() {
        let kind = extensions.u16().ok_or(HelloFault::Malformed)?;
        let data = extensions.vector16().ok_or(HelloFault::Malformed)?;
        if !seen.insert(kind) {
            return Err(HelloFault::Malformed);
        }
        match kind {
            SERVER_NAME => hello.sni = Some(parse_server_name(data)?),
            ALPN => hello.alpn = parse_alpn(data).ok_or(HelloFault::Malformed)?,
            ENCRYPTED_CLIENT_HELLO => hello.encrypted_client_hello = true,
            _ => {}
        }
    }
    Ok(hello)
}

/// More than any client sends; up to here no memory is asked for.
const FEW: usize = 64;

/// Which extension types have come: no type may come twice (RFC 8446 §4.2), nor may thousands of them cost a square.
struct SeenTypes {
    few: [u16; FEW],
    count: usize,
    /// By type, once there are more.
    many: Vec<u64>,
}

impl Default for SeenTypes {
    fn default() -> Self {
        Self { few: [0; FEW], count: 0, many: Vec::new() }
    }
}

impl SeenTypes {
    /// False: it was there.
    fn insert(&mut self, kind: u16) -> bool {
        let few = self.few.get(..self.count).unwrap_or(&self.few);
        if self.many.is_empty() {
            if few.contains(&kind) {
                return false;
            }
            if let Some(place) = self.few.get_mut(self.count) {
                *place = kind;
                self.count += 1;
                return true;
            }
            self.many = vec![0; 1 << 10];
            for known in self.few {
                self.mark(known);
            }
        }
        self.mark(kind)
    }

    fn mark(&mut self, kind: u16) -> bool {
        let bit = 1 << (kind % 64);
        let Some(word) = self.many.get_mut(usize::from(kind / 64)) else {
            return false;
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

fn parse_server_name(data: &[u8]) -> Result<Cow<'_, str>, HelloFault> {
    let (name, more) = read_server_name(data).ok_or(HelloFault::Malformed)?;
    if more {
        return Err(HelloFault::MultipleNames);
    }
    if !is_name(name) {
        return Err(HelloFault::Malformed);
    }
    let text = str::from_utf8(name).map_err(|_| HelloFault::Malformed)?;
    let has_upper = name.iter().any(u8::is_ascii_uppercase);
    Ok(if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) })
}

/// The first name, and whether anything follows it in the list.
fn read_server_name(data: &[u8]) -> Option<(&[u8], bool)> {
    let mut outer = Cursor::new(data);
    let mut list = Cursor::new(outer.vector16()?);
    if !outer.is_empty() || list.u8()? != 0 {
        return None;
    }
    let name = list.vector16()?;
    Some((name, !list.is_empty()))
}

/// Names are compared as bytes, so what is no DNS name (with Istio's underscores) is refused rather than normalised.
fn is_name(name: &[u8]) -> bool {
    let ends = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let inner = |byte: &u8| ends(byte) || *byte == b'.' || *byte == b'-';
    name.len() <= 255 && name.first().is_some_and(ends) && name.last().is_some_and(ends) && name.iter().all(inner)
}

fn parse_alpn(data: &[u8]) -> Option<Alpn<'_>> {
    let mut outer = Cursor::new(data);
    let protocols = outer.vector16()?;
    let mut list = Cursor::new(protocols);
    if !outer.is_empty() || list.is_empty() {
        return None;
    }
    while !list.is_empty() {
        if list.vector8()?.is_empty() {
            return None;
        }
    }
    Some(Alpn(Cow::Borrowed(protocols)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_extension_types_are_told_apart() {
        let mut seen = SeenTypes::default();
        for kind in (0..=u16::MAX).step_by(7) {
            assert!(seen.insert(kind), "{kind} is new");
        }
        for kind in (0..=u16::MAX).step_by(7) {
            assert!(!seen.insert(kind), "{kind} has come");
        }
        assert!(seen.insert(1));
    }
}
