//! What two readers of one stream could take differently is refused: RFC 9112 §2.2, §3.2, §5.1, §5.2, §6.1, §6.3, §7.1, §11.2.

mod support;

use std::io::Write;

use isthmus_http_prototype::h1::{BodyReader, Parsed, Piece, request, request_body, response, response_body};
use isthmus_http_prototype::message::{Body, Head};
use isthmus_http_prototype::refused::Refused;
use support::{Proxy, mirror, origin, read_until};

/// The framing of a request, or why it was refused.
fn read(text: &str) -> Result<Body, Refused> {
    let mut head = Head::default();
    let parsed = request(text.as_bytes(), &mut head)?;
    assert_eq!(parsed, Parsed::Whole(text.len()), "{text:?}");
    request_body(&mut head)
}

fn refused(text: &str) -> (u16, &'static str) {
    match read(text) {
        Err(Refused { status, detail }) => (status, detail),
        Ok(body) => panic!("{text:?} was taken: {body:?}"),
    }
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let post = |fields: &str| refused(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let both = (400, "content_length_and_transfer_encoding");
    let field = (400, "bad_header");
    assert_eq!(post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), both);
    assert_eq!(post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), both);
    assert_eq!(post("Content-Length: 3\r\nContent-Length: 3\r\n"), (400, "duplicate_content-length"));
    assert_eq!(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), (400, "duplicate_transfer-encoding"));
    for length in ["+3", "-3", "3, 3", "0x3", "3 3", "", "٣", "9999999999999999"] {
        assert_eq!(post(&format!("Content-Length: {length}\r\n")), (400, "bad_content_length"), "{length}");
    }
    for coding in ["identity", "gzip, chunked", "chunked, chunked", "xchunked", "chunked;q=1", "\"chunked\"", ""] {
        assert_eq!(post(&format!("Transfer-Encoding: {coding}\r\n")), (501, "unsupported_transfer_encoding"), "{coding}");
    }
    // Folding, space before a colon, no colon, bare CR, bare LF, NUL, an empty name.
    for fields in [
        "X: a\r\n b\r\n",
        "X: a\r\n\tb\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X\r\n",
        "X: a\rb\r\n",
        "X: a\nY: b\r\n",
        "X: \0\r\n",
        ": a\r\n",
    ] {
        assert_eq!(post(fields), field, "{fields:?}");
    }
    assert_eq!(post("Host: b\r\n"), (400, "duplicate_host"));
    assert_eq!(refused("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), (400, "transfer_encoding_in_http_1_0"));
}

#[test]
fn start_lines_are_taken_in_one_form_alone() {
    let line = |line: &str| refused(&format!("{line}\r\nHost: a\r\n\r\n"));
    for each in [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET / HTTP/1.1 ",
        "G@T / HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1,1",
    ] {
        assert_eq!(line(each).0, 400, "{each:?}");
    }
    for each in ["GET / HTTP/2.0", "GET / HTTP/1.2"] {
        assert_eq!(line(each).0, 505, "{each:?}");
    }
    for each in ["GET a HTTP/1.1", "GET * HTTP/1.1", "GET http:// HTTP/1.1", "GET http://u@a/ HTTP/1.1", "GET ftp://a/ HTTP/1.1"] {
        assert_eq!(line(each), (400, "bad_request_target"), "{each:?}");
    }
    assert_eq!(line("CONNECT a:1 HTTP/1.1"), (405, "connect_is_not_proxied"));
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), (400, "missing_host"));
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), (400, "bad_host"));
    assert_eq!(refused("GET / HTTP/1.1\nHost: a\r\n\r\n").0, 400);
}

#[test]
fn a_target_in_absolute_form_replaces_host() {
    let mut head = Head::default();
    assert!(matches!(request(b"GET HTTP://b:1?q HTTP/1.1\r\nHost: a\r\n\r\n", &mut head), Ok(Parsed::Whole(_))));
    assert_eq!(request_body(&mut head), Ok(Body::None));
    assert_eq!((head.get(head.authority), head.get(head.path)), (&b"b:1"[..], &b"/?q"[..]));
}

#[test]
fn heads_have_a_limit() {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(70_000));
    let mut head = Head::default();
    assert_eq!(request(long.as_bytes(), &mut head).unwrap_err().status, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(100));
    assert_eq!(request(many.as_bytes(), &mut head).unwrap_err().detail, "too_many_headers");
}

#[test]
fn answers_that_lie_about_their_length_are_no_answers() {
    let read = |fields: &str, to_head: bool| {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let mut head = Head::default();
        assert_eq!(response(text.as_bytes(), &mut head), Ok(Parsed::Whole(text.len())));
        response_body(&head, to_head)
    };
    assert!(read("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", false).is_err());
    assert!(read("Content-Length: 3\r\nContent-Length: 4\r\n", false).is_err());
    assert!(read("Transfer-Encoding: gzip\r\n", false).is_err());
    assert_eq!(read("Content-Length: 3\r\n", true), Ok(Some(Body::None)));
    assert_eq!(read("Content-Length: 3\r\n", false), Ok(Some(Body::Length(3))));
    assert_eq!(read("", false), Ok(None));
}

fn chunks(text: &str, at_once: usize) -> Result<(Vec<u8>, usize), Refused> {
    let mut reader = BodyReader::new(Some(Body::Streamed));
    let (mut body, mut trailers, mut held, mut taken) = (Vec::new(), Head::default(), Vec::new(), 0);
    for piece in text.as_bytes().chunks(at_once) {
        held.extend_from_slice(piece);
        let mut rest = held.as_slice();
        loop {
            match reader.next(&mut rest, &mut trailers)? {
                Piece::Data(data) => body.extend_from_slice(data),
                Piece::More => break,
                Piece::End => return Ok((body, taken + held.len() - rest.len())),
            }
        }
        taken += held.len() - rest.len();
        held = rest.to_vec();
    }
    Ok((body, usize::MAX))
}

#[test]
fn chunks_are_read_alike_however_they_come() {
    let text = "3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\nX: 1\r\n\r\nGET";
    for at_once in 1..=text.len() {
        assert_eq!(chunks(text, at_once), Ok((b"abc0123456789".to_vec(), text.len() - 3)), "{at_once}");
    }
    for bad in [
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "0x3\r\nabc\r\n",
        "3 \r\nabc\r\n",
        "3\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n",
        "1000000000000000\r\n",
        "3;\n\r\n",
        "0\r\n X: 1\r\n\r\n",
    ] {
        assert!(chunks(bad, bad.len()).is_err(), "{bad:?}");
        assert!(chunks(bad, 1).is_err(), "{bad:?}");
    }
}

#[test]
fn what_was_refused_reaches_nobody_and_ends_the_connection() {
    let proxy = Proxy::before(origin(mirror), "http");
    let mut caller = proxy.connect();
    caller
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let answer = read_until(&mut caller, |_| false);
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 400 ") && text.matches("HTTP/1.1").count() == 1, "{text}");
}

#[test]
fn pipelined_requests_are_answered_in_order_and_chunks_are_framed_anew() {
    let proxy = Proxy::before(origin(mirror), "http");
    let mut caller = proxy.connect();
    let first = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: X-Mine\r\nX-Mine: 1\r\n\r\nabc";
    caller.write_all(format!("{first}GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /closed HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let answer = read_until(&mut caller, |_| false);
    let text = String::from_utf8_lossy(&answer);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
    assert!(at("POST /1") < at("GET /2") && at("GET /2") < at("HTTP/1.1 403") && at("HTTP/1.1 403") < at("GET /3"));
    assert!(
        !text.contains("x-mine") && text.contains("x-forwarded-for: 127.0.0.1\r\n") && text.contains("\r\n\r\nabcHTTP/1.1 200"),
        "{text}"
    );
}

#[test]
fn an_answer_that_nobody_asked_for_is_given_to_nobody() {
    // It answers twice: the second one would be the next caller's.
    let address = origin(|mut stream| {
        let _ = read_until(&mut stream, |all| all.ends_with(b"\r\n\r\n"));
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\noneHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo";
        let _ = stream.write_all(answer);
        let _ = read_until(&mut stream, |_| false);
    });
    let proxy = Proxy::before(address, "http");
    let mut caller = proxy.connect();
    for _ in 0..3 {
        caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let answer = read_until(&mut caller, |all| all.ends_with(b"one") || all.ends_with(b"two"));
        assert!(answer.ends_with(b"one"), "{}", String::from_utf8_lossy(&answer));
    }
}
