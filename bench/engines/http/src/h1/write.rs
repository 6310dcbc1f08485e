//! Messages as HTTP/1.1 sends them.

use std::io::Write;

use crate::message::{Body, Head, Known};

/// How a body is ended on this side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// By a length that the head said, or there is none.
    Counted,
    Chunked,
    /// With the connection: a caller that speaks HTTP/1.0.
    Close,
}

/// `head` has had its hop-by-hop fields taken out.
pub fn write_request(head: &Head, body: Body, out: &mut Vec<u8>) -> Framing {
    let method = head.get(head.method);
    for part in [method, b" ", head.get(head.path), b" HTTP/1.1\r\nhost: ", head.get(head.authority), b"\r\n"] {
        out.extend_from_slice(part);
    }
    write_fields(head, out);
    let framing = match body {
        Body::Streamed => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Framing::Chunked
        }
        // Their absence would mean that nobody knows (RFC 9110 §8.6).
        Body::None if matches!(method, b"POST" | b"PUT" | b"PATCH") && head.value_of(Known::ContentLength).is_none() => {
            out.extend_from_slice(b"content-length: 0\r\n");
            Framing::Counted
        }
        Body::None | Body::Length(_) => Framing::Counted,
    };
    out.extend_from_slice(b"\r\n");
    framing
}

/// `old`: to a caller that speaks HTTP/1.0. `last`: nothing after it on its connection.
pub fn write_response(head: &Head, body: Body, old: bool, last: bool, out: &mut Vec<u8>) -> Framing {
    let reason = reason(head.status);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "HTTP/1.1 {} {reason}\r\n", head.status);
    write_fields(head, out);
    let framing = match body {
        Body::Streamed if old => Framing::Close,
        Body::Streamed => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Framing::Chunked
        }
        Body::None | Body::Length(_) => Framing::Counted,
    };
    if last || framing == Framing::Close {
        out.extend_from_slice(b"connection: close\r\n");
    } else if old {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    framing
}

fn write_fields(head: &Head, out: &mut Vec<u8>) {
    for (name, value) in head.live() {
        out.reserve(name.len() + value.len() + 4);
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

pub fn write_data(framing: Framing, data: &[u8], out: &mut Vec<u8>) {
    if framing != Framing::Chunked {
        return out.extend_from_slice(data);
    }
    if !data.is_empty() {
        let _ = write!(out, "{:x}\r\n", data.len());
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

pub fn write_end(framing: Framing, trailers: Option<&Head>, out: &mut Vec<u8>) {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"0\r\n");
        if let Some(trailers) = trailers {
            write_fields(trailers, out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Of the statuses that are common; the phrase means nothing to anybody (RFC 9112 §4).
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
