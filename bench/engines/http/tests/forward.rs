//! Through sockets: bodies that arrive whole, callers and origins that break off, garbage.

mod support;

use std::io::Write;
use std::net::TcpListener;

use isthmus_http_prototype::h2::PREFACE;
use isthmus_http_prototype::h2::frame::{self, Frame, flag, kind};
use isthmus_http_prototype::h2::hpack::{Decoder, Encoder};
use support::{Dice, Proxy, mirror, origin, read_until};

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a client says first, and some requests of one stream each.
fn http2(requests: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    frame::write_settings(&mut out, &[]);
    let mut encoder = Encoder::default();
    for (at, (path, body)) in requests.iter().enumerate() {
        let (stream, from) = (2 * at as u32 + 1, out.len());
        out.extend_from_slice(&[0; frame::HEADER]);
        for (name, value) in [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "orders.shop")] {
            encoder.field(name.as_bytes(), value.as_bytes(), &mut out);
        }
        encoder.field(b"content-length", body.len().to_string().as_bytes(), &mut out);
        frame::close_headers(&mut out, from, stream, 0, frame::LARGEST);
        frame::write(&mut out, kind::DATA, flag::END_STREAM, stream, body);
    }
    out
}

/// Of each stream that has ended: fields and body; of one that was reset its code.
fn answers(bytes: &[u8]) -> Vec<(u32, String)> {
    let mut rest = bytes;
    let mut decoder = Decoder::default();
    let (mut open, mut ended): (Vec<(u32, String)>, _) = (Vec::new(), Vec::new());
    while let Ok(Some(frame)) = Frame::take(&mut rest) {
        let at = open.iter().position(|(stream, _)| *stream == frame.stream);
        let at = at.unwrap_or_else(|| {
            open.push((frame.stream, String::new()));
            open.len() - 1
        });
        match frame.kind {
            kind::HEADERS => decoder
                .decode(frame.payload, |name, value| {
                    open[at].1.push_str(&format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
                })
                .unwrap(),
            kind::DATA => open[at].1.push_str(&String::from_utf8_lossy(frame.payload)),
            kind::RST_STREAM | kind::GOAWAY => ended.push((frame.stream, format!("{} {:?}", frame.kind, frame.payload))),
            _ => continue,
        }
        if frame.kind <= kind::HEADERS && frame.has(flag::END_STREAM) {
            ended.push(open.swap_remove(at));
        }
    }
    ended
}

#[test]
fn streams_go_to_an_origin_of_the_older_version_and_back() {
    let proxy = Proxy::before(origin(mirror), "http");
    let mut caller = proxy.connect();
    caller.write_all(&http2(&[("/one", b"first"), ("/closed", b""), ("/two", b"second")])).unwrap();
    // What is left of a request that was answered without it is not wanted: a reset without an error.
    let bytes = read_until(&mut caller, |all| answers(all).len() >= 4);
    let unwanted = (3, format!("{} [0, 0, 0, 0]", kind::RST_STREAM));
    let (resets, mut all): (Vec<_>, Vec<_>) = answers(&bytes).into_iter().partition(|each| *each == unwanted);
    assert_eq!(resets.len(), 1);
    all.sort();
    let [(1, one), (3, closed), (5, two)] = all.as_slice() else { panic!("{all:?}") };
    assert!(
        one.starts_with(":status: 200\n") && one.contains("POST /one HTTP/1.1\r\nhost: orders.shop\r\n") && one.ends_with("first"),
        "{one}"
    );
    assert!(two.contains("x-forwarded-for: 127.0.0.1\r\n") && two.ends_with("second"), "{two}");
    assert!(closed.starts_with(":status: 403\n"), "{closed}");
}

#[test]
fn a_body_that_is_not_as_long_as_it_said_goes_no_further() {
    let proxy = Proxy::before(origin(mirror), "http");
    let mut caller = proxy.connect();
    let bytes = http2(&[("/one", b"first")]);
    // One byte of the body less; the frame says so, content-length does not.
    let mut cut = bytes[..bytes.len() - 1].to_vec();
    let at = cut.len() - 4 - frame::HEADER + 2;
    cut[at] -= 1;
    caller.write_all(&cut).unwrap();
    let bytes = read_until(&mut caller, |all| !answers(all).is_empty());
    assert_eq!(answers(&bytes), [(1, format!("{} [0, 0, 0, 1]", kind::RST_STREAM))]);
}

#[test]
fn an_origin_that_is_not_there_or_breaks_off_is_told_as_such() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for protocol in ["http", "http2"] {
        let proxy = Proxy::before(nobody, protocol);
        let mut caller = proxy.connect();
        caller.write_all(GET).unwrap();
        let answer = read_until(&mut caller, |_| false);
        assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
    }
    let half = origin(|mut stream| {
        let _ = read_until(&mut stream, |all| all.ends_with(b"\r\n\r\n"));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    });
    let proxy = Proxy::before(half, "http");
    let mut caller = proxy.connect();
    caller.write_all(GET).unwrap();
    let answer = read_until(&mut caller, |_| false);
    assert!(answer.ends_with(b"\r\n\r\nhalf"), "cut short, and seen to be: {}", String::from_utf8_lossy(&answer));
    let mut caller = proxy.connect();
    caller.write_all(&http2(&[("/one", b"")])).unwrap();
    let bytes = read_until(&mut caller, |all| !answers(all).is_empty());
    assert!(answers(&bytes)[0].1.starts_with(&format!("{} ", kind::RST_STREAM)), "{:?}", answers(&bytes));
}

#[test]
fn a_reader_that_stops_holds_up_its_own_stream_alone() {
    let large = origin(|mut stream| {
        while !read_until(&mut stream, |all| all.ends_with(b"\r\n\r\n")).is_empty() {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 30000000\r\n\r\n")
                .and_then(|()| stream.write_all(&vec![b'x'; 30_000_000]));
        }
    });
    let proxy = Proxy::before(large, "http");
    let mut slow = proxy.connect();
    slow.write_all(GET).unwrap();
    let mut stuck = proxy.connect();
    stuck.write_all(&http2(&[("/one", b"")])).unwrap();
    // Whoever reads is served meanwhile.
    let mut quick = proxy.connect();
    quick.write_all(GET).unwrap();
    assert!(read_until(&mut quick, |all| all.len() > 30_000_000).len() > 30_000_000);
    assert!(read_until(&mut slow, |all| all.len() > 30_000_000).len() > 30_000_000);
}

#[test]
fn callers_that_take_back_what_they_ask_for_are_given_up() {
    let silent = origin(|mut stream| drop(read_until(&mut stream, |_| false)));
    let proxy = Proxy::before(silent, "http2");
    let mut caller = proxy.connect();
    let mut bytes = PREFACE.to_vec();
    frame::write_settings(&mut bytes, &[]);
    let mut encoder = Encoder::default();
    for at in 0..2_000 {
        let (stream, from) = (2 * at + 1, bytes.len());
        bytes.extend_from_slice(&[0; frame::HEADER]);
        for (name, value) in [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")] {
            encoder.field(name.as_bytes(), value.as_bytes(), &mut bytes);
        }
        frame::close_headers(&mut bytes, from, stream, flag::END_STREAM, frame::LARGEST);
        frame::write(&mut bytes, kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    }
    // It may be reset while it still writes.
    let _ = caller.write_all(&bytes);
    let bytes = read_until(&mut caller, |_| false);
    let last = answers(&bytes).into_iter().next_back();
    assert!(last.is_none_or(|(_, what)| what.starts_with(&format!("{} ", kind::GOAWAY)) && what.ends_with("11]")));
}

#[test]
fn garbage_from_either_side_harms_nobody_else() {
    let mut dice = Dice::new(3);
    let broken = origin(|mut stream| {
        let mut dice = Dice::new(stream.peer_addr().map_or(0, |peer| u64::from(peer.port())));
        while !read_until(&mut stream, |all| all.ends_with(b"\r\n\r\n")).is_empty() {
            let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n";
            let bytes = if dice.below(2) == 0 { answer.to_vec() } else { dice.damage(answer) };
            if stream.write_all(&bytes).is_err() {
                return;
            }
            if bytes != answer {
                return;
            }
        }
    });
    let proxy = Proxy::before(broken, "http");
    let first = [GET, b"POST /y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"].concat();
    let second = http2(&[("/one", b"first"), ("/two", b"second")]);
    for round in 0..300 {
        let mut caller = proxy.connect();
        let bytes = dice.damage(if round % 2 == 0 { &first } else { &second });
        // It may have been refused before all of it was written.
        let _ = caller.write_all(&bytes).and_then(|()| caller.shutdown(std::net::Shutdown::Write));
        if round % 10 == 0 {
            read_until(&mut caller, |_| false);
        }
    }
    // It still serves: `Proxy` sees to it that its thread has not panicked. An answer may be damaged and whole: its end is the connection's.
    let healthy = (0..50).any(|_| {
        let mut caller = proxy.connect();
        caller.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        read_until(&mut caller, |_| false).ends_with(b"5\r\nhello\r\n0\r\nx: y\r\n\r\n")
    });
    assert!(healthy);
}
