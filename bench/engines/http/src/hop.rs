//! What one hop takes away and says itself, as `gateway/forward/headers.ts` does.

use std::fmt::Write;
use std::net::IpAddr;

use crate::message::{Head, Known};
use crate::syntax::list;

/// Connection may not take these away: they decide where a message ends or goes.
fn is_untouchable(name: &[u8]) -> bool {
    matches!(name, b"host" | b"content-length" | b"trailer")
}

/// Takes out what is of one hop alone. True: the peer ends the connection after this message, or, speaking HTTP/1.0, did not ask to keep it.
pub fn end_to_end(head: &mut Head) -> bool {
    let mut close = head.old;
    let mut trailers = false;
    for at in 0..head.fields.len() {
        match head.fields[at].known {
            Known::Connection => {
                close = connection_options(head, at, close);
                head.fields[at].gone = true;
            }
            Known::Te => {
                trailers |= list(head.get(head.fields[at].value)).any(|each| each.eq_ignore_ascii_case(b"trailers"));
                head.fields[at].gone = true;
            }
            Known::OfThisHop | Known::TransferEncoding => head.fields[at].gone = true,
            _ => {}
        }
    }
    if trailers {
        head.push(b"te", b"trailers");
    }
    close
}

fn connection_options(head: &mut Head, at: usize, before: bool) -> bool {
    let mut close = before;
    let value: Vec<u8> = head.get(head.fields[at].value).to_ascii_lowercase();
    for option in list(&value) {
        match option {
            b"close" => close = true,
            b"keep-alive" => close &= !head.old,
            _ if is_untouchable(option) => {}
            _ => {
                for other in 0..head.fields.len() {
                    if head.get(head.fields[other].name) == option {
                        head.fields[other].gone = true;
                    }
                }
            }
        }
    }
    close
}

/// What goes on of a request with what this hop says of it: by whom it came, and an id if it has none.
pub fn request(head: &mut Head, source: IpAddr, id: impl FnOnce() -> u128) {
    let mut text = String::with_capacity(64);
    let mut forwarded: Vec<u8> = Vec::with_capacity(64);
    let mut has_id = false;
    for at in 0..head.fields.len() {
        let field = head.fields[at];
        match field.known {
            Known::ForwardedFor if !field.gone => {
                forwarded.extend_from_slice(head.get(field.value));
                forwarded.push(b',');
                head.fields[at].gone = true;
            }
            Known::OfTheMesh => head.fields[at].gone = true,
            Known::RequestId if !field.gone && !has_id => has_id = true,
            Known::RequestId => head.fields[at].gone = true,
            _ => {}
        }
    }
    join_cookies(head);
    let _ = write!(text, "{source}");
    forwarded.extend_from_slice(text.as_bytes());
    head.push(b"x-forwarded-for", &forwarded);
    if !has_id {
        head.push(b"x-request-id", &uuid(id()));
    }
}

/// RFC 9113 §8.2.3: it may come in pieces, and goes on as one.
fn join_cookies(head: &mut Head) {
    let is_cookie = |field: &&crate::message::Field| field.known == Known::Cookie && !field.gone;
    if head.fields.iter().filter(is_cookie).count() < 2 {
        return;
    }
    let pieces: Vec<&[u8]> = head.fields.iter().filter(is_cookie).map(|field| head.get(field.value)).collect();
    let joined = pieces.join(&b"; "[..]);
    head.drop_known(Known::Cookie);
    head.push(b"cookie", &joined);
}

/// What goes back of a response.
pub fn response(head: &mut Head) {
    head.drop_known(Known::OfTheMesh);
}

/// What may never be a trailer (RFC 9110 §6.5.1) goes.
pub fn trailers(head: &mut Head) {
    end_to_end(head);
    for at in 0..head.fields.len() {
        let field = head.fields[at];
        let never = matches!(field.known, Known::Host | Known::ContentLength | Known::Trailer | Known::OfTheMesh | Known::Te)
            || matches!(head.get(field.name), b"content-type" | b"content-encoding" | b"authorization" | b"set-cookie");
        head.fields[at].gone |= never;
    }
}

/// Version 4 (RFC 9562 §5.4), of random bits.
fn uuid(random: u128) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (4 << 76) | (2 << 62);
    let mut text = [b'-'; 36];
    let mut shift = 128;
    for (at, byte) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            shift -= 4;
            *byte = DIGITS[(bits >> shift) as usize & 15];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::h1::{Parsed, request as parse};

    fn head(fields: &str) -> Head {
        let mut head = Head::default();
        let text = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        assert!(matches!(parse(text.as_bytes(), &mut head), Ok(Parsed::Whole(_))));
        head
    }

    fn texts(head: &Head) -> Vec<String> {
        head.live().map(|(name, value)| format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))).collect()
    }

    #[test]
    fn what_is_of_one_hop_stays_there() {
        let mut head = head(
            "Host: a\r\nConnection: close, X-Mine, content-length\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: gzip, Trailers\r\nContent-Length: 3\r\n",
        );
        assert!(end_to_end(&mut head));
        assert_eq!(texts(&head), ["host: a", "content-length: 3", "te: trailers"]);
    }

    #[test]
    fn callers_are_noted_and_what_only_the_mesh_says_is_not_believed() {
        let mut head =
            head("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Client-Cert: By=me\r\nX-Request-Id: abc\r\n");
        request(&mut head, "10.0.0.1".parse().unwrap(), || 0);
        assert_eq!(texts(&head), ["x-request-id: abc", "x-forwarded-for: 1.2.3.4,5.6.7.8,10.0.0.1"]);
    }

    #[test]
    fn ids_are_uuids_of_version_4() {
        assert_eq!(&uuid(0), b"00000000-0000-4000-8000-000000000000");
        assert_eq!(&uuid(u128::MAX), b"ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
