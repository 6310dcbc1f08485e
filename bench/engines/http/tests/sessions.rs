//! HTTP/2 without sockets: two sessions of ours with a wire between them, and what breaks the rules (RFC 9113 §5, §6, §8; CVE-2023-44487,
//! CVE-2024-27316).

mod support;

use isthmus_http_prototype::h2::frame::{self, Code, HEADER, flag, kind, setting};
use isthmus_http_prototype::h2::hpack::Encoder;
use isthmus_http_prototype::h2::{Fault, Happened, Role, Session};
use isthmus_http_prototype::limits;
use isthmus_http_prototype::message::Head;
use support::Dice;

const MOST: usize = 1 << 20;

struct End {
    session: Session<()>,
    out: Vec<u8>,
    held: Vec<u8>,
    head: Head,
}

impl End {
    fn new(role: Role) -> Self {
        let mut out = Vec::new();
        Self { session: Session::new(role, &mut out), out, held: Vec::new(), head: Head::default() }
    }

    /// What happened, in words; bodies are counted and credited where `take` says so.
    fn read(&mut self, bytes: &[u8], mut take: impl FnMut(u32, &[u8]) -> bool) -> Result<Vec<String>, Code> {
        let held = [std::mem::take(&mut self.held), bytes.to_vec()].concat();
        let mut rest = held.as_slice();
        let mut words = Vec::new();
        while let Some(happened) = self.session.next(&mut rest, &mut self.head, &mut self.out)? {
            words.push(match happened {
                Happened::Head { stream, end, trailers, outcome } => {
                    if outcome.is_ok() && !trailers && self.head.status == 0 {
                        self.session.accept(stream, (), end, None);
                    }
                    format!("head {stream} {end} {trailers} {outcome:?}")
                }
                Happened::Data { stream, data, end } => {
                    if take(stream, data) {
                        self.session.took_all(stream, &mut self.out);
                    }
                    format!("data {stream} {} {end}", data.len())
                }
                Happened::Reset { stream } => {
                    self.session.remove(stream, &mut self.out);
                    format!("reset {stream}")
                }
                Happened::GoAway { last } => format!("goaway {last}"),
            });
        }
        self.session.pump(MOST, &mut self.out, |()| {});
        self.held = rest.to_vec();
        Ok(words)
    }

    fn ask(&mut self, end: bool) -> u32 {
        let stream = self.session.open(()).unwrap();
        self.session.send_head(stream, end, &mut self.out, |encoder, out| {
            encoder.method(b"POST", out);
            [(":scheme", "http"), (":path", "/"), (":authority", "a")]
                .iter()
                .for_each(|(name, value)| encoder.field(name.as_bytes(), value.as_bytes(), out));
        });
        stream
    }
}

/// A server that has had its SETTINGS, and what it says to frames.
fn said(frames: &[u8]) -> Result<Vec<String>, Code> {
    let mut server = End::new(Role::Server);
    let mut settings = Vec::new();
    frame::write_settings(&mut settings, &[]);
    server.read(&settings, |_, _| true)?;
    server.read(frames, |_, _| true)
}

fn made(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, kind, flags, stream, payload);
    out
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::default(), Vec::new());
    fields.iter().for_each(|(name, value)| encoder.field(name.as_bytes(), value.as_bytes(), &mut out));
    out
}

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

fn request(stream: u32, fields: &[(&str, &str)], end: bool) -> Vec<u8> {
    made(kind::HEADERS, flag::END_HEADERS | u8::from(end), stream, &block(fields))
}

#[test]
fn nothing_is_sent_beyond_either_window_and_all_of_it_arrives() {
    let mut dice = Dice::new(7);
    for _ in 0..40 {
        let (mut client, mut server) = (End::new(Role::Client), End::new(Role::Server));
        let streams: Vec<u32> = (0..1 + dice.below(6)).map(|_| client.ask(false)).collect();
        let sizes: Vec<usize> = streams.iter().map(|_| dice.below(600_000)).collect();
        let mut left = sizes.clone();
        let mut got = vec![0; streams.len()];
        let mut stalled = 0;
        while got != sizes {
            for (at, stream) in streams.iter().enumerate() {
                // What is not sent waits in the session: a caller that is told to wait does.
                let length = left[at].min(dice.below(40_000));
                let last = length == left[at];
                if (length > 0 || sizes[at] == 0) && left[at] > 0 {
                    client.session.send_data(*stream, &vec![at as u8; length], last, dice.below(5) > 0, &mut client.out);
                    left[at] -= length;
                }
            }
            let up = std::mem::take(&mut client.out);
            let cut = dice.below(up.len() + 1);
            let hungry = dice.below(3) > 0;
            let mut before = got.clone();
            for part in [&up[..cut], &up[cut..]] {
                server
                    .read(part, |stream, data| {
                        let at = streams.iter().position(|each| *each == stream).unwrap();
                        assert!(data.iter().all(|byte| usize::from(*byte) == at));
                        before[at] += data.len();
                        hungry
                    })
                    .unwrap();
            }
            got = before;
            // Those that were not hungry are now.
            streams.iter().for_each(|stream| server.session.took_all(*stream, &mut server.out));
            let down = std::mem::take(&mut server.out);
            client.read(&down, |_, _| true).unwrap();
            stalled += 1;
            assert!(stalled < 10_000, "{got:?} of {sizes:?}");
        }
    }
}

#[test]
fn whoever_sends_more_than_was_allowed_is_stopped() {
    let mut frames = request(1, &GET, false);
    let payload = vec![0; frame::LARGEST];
    let mut server = End::new(Role::Server);
    let mut settings = Vec::new();
    frame::write_settings(&mut settings, &[]);
    server.read(&settings, |_, _| false).unwrap();
    for _ in 0..limits::STREAM_WINDOW as usize / frame::LARGEST {
        frames.extend(made(kind::DATA, 0, 1, &payload));
    }
    assert_eq!(server.read(&frames, |_, _| false).unwrap().len(), 1 + 16);
    assert_eq!(server.read(&made(kind::DATA, 0, 1, &[0]), |_, _| false), Ok(vec!["reset 1".to_owned()]));
    // And of the connection, however many streams there are.
    let mut server = End::new(Role::Server);
    server.read(&settings, |_, _| false).unwrap();
    let mut outcome = Ok(vec![]);
    for stream in (1..20).step_by(2) {
        outcome = outcome.and_then(|_| server.read(&request(stream, &GET, false), |_, _| false));
        for _ in 0..16 {
            outcome = outcome.and_then(|_| server.read(&made(kind::DATA, 0, stream, &payload), |_, _| false));
        }
    }
    assert_eq!(outcome, Err(Code::FLOW_CONTROL_ERROR));
}

#[test]
fn windows_may_shrink_below_nothing_and_never_grow_beyond_what_can_be_said() {
    let update = |stream: u32, by: u32| made(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    assert_eq!(said(&update(0, 0x7fff_ffff)), Err(Code::FLOW_CONTROL_ERROR));
    assert_eq!(said(&update(0, 0)), Err(Code::PROTOCOL_ERROR));
    assert_eq!(said(&update(1, 1)), Err(Code::PROTOCOL_ERROR));
    let open = request(1, &GET, true);
    assert_eq!(said(&[open.clone(), update(1, 0x7fff_ffff)].concat()).unwrap()[1], "reset 1");
    let window = |size: u32| {
        let mut out = Vec::new();
        frame::write_settings(&mut out, &[(setting::INITIAL_WINDOW_SIZE, size)]);
        out
    };
    assert_eq!(said(&window(0x8000_0000)), Err(Code::FLOW_CONTROL_ERROR));
    let mut server = End::new(Role::Server);
    server.read(&window(10), |_, _| true).unwrap();
    server.read(&open, |_, _| true).unwrap();
    server.out.clear();
    assert!(server.session.send_data(1, &[7; 30], true, true, &mut server.out));
    assert_eq!(server.out.len(), HEADER + 10);
    server.read(&[window(0), update(1, 5)].concat(), |_, _| true).unwrap();
    server.out.clear();
    // 10 less than none, and 5 more: 5 are still missing before one byte may go.
    server.read(&update(1, 5), |_, _| true).unwrap();
    assert!(server.out.is_empty());
    server.read(&update(1, 20), |_, _| true).unwrap();
    assert_eq!(server.out, made(kind::DATA, flag::END_STREAM, 1, &[7; 20]));
}

#[test]
fn frames_that_break_the_rules_end_the_connection() {
    let calm = Code::ENHANCE_YOUR_CALM;
    let cases: Vec<(Vec<u8>, Code)> = vec![
        (vec![0x01, 0, 0, kind::DATA, 0, 0, 0, 0, 1], Code::FRAME_SIZE_ERROR),
        (made(kind::DATA, 0, 0, &[]), Code::PROTOCOL_ERROR),
        (made(kind::DATA, 0, 1, &[]), Code::PROTOCOL_ERROR),
        (made(kind::HEADERS, flag::END_HEADERS, 0, &block(&GET)), Code::PROTOCOL_ERROR),
        (made(kind::HEADERS, flag::END_HEADERS, 2, &block(&GET)), Code::PROTOCOL_ERROR),
        (made(kind::HEADERS, flag::END_HEADERS | flag::PADDED, 1, &[9, 0x82]), Code::PROTOCOL_ERROR),
        (made(kind::HEADERS, flag::END_HEADERS, 1, &[0x80]), Code::COMPRESSION_ERROR),
        (made(kind::CONTINUATION, flag::END_HEADERS, 1, &[]), Code::PROTOCOL_ERROR),
        ([made(kind::HEADERS, 0, 1, &[]), made(kind::PING, 0, 0, &[0; 8])].concat(), Code::PROTOCOL_ERROR),
        (made(kind::PUSH_PROMISE, 0, 1, &[0; 4]), Code::PROTOCOL_ERROR),
        (made(kind::PING, 0, 0, &[0; 7]), Code::FRAME_SIZE_ERROR),
        (made(kind::RST_STREAM, 0, 1, &[0; 4]), Code::PROTOCOL_ERROR),
        (made(kind::SETTINGS, flag::ACK, 0, &[0; 6]), Code::FRAME_SIZE_ERROR),
        (made(kind::SETTINGS, 0, 0, &[0; 5]), Code::FRAME_SIZE_ERROR),
        ([made(kind::HEADERS, 0, 1, &[]), made(kind::CONTINUATION, 0, 1, &[]).repeat(40)].concat(), calm),
        ([made(kind::HEADERS, 0, 1, &[]), made(kind::CONTINUATION, 0, 1, &[0; 16_384]).repeat(5)].concat(), calm),
        ([request(1, &GET, false), made(kind::DATA, 0, 1, &[]).repeat(200)].concat(), calm),
    ];
    for (at, (frames, code)) in cases.iter().enumerate() {
        assert_eq!(said(frames), Err(*code), "{at}");
    }
    let mut server = End::new(Role::Server);
    assert_eq!(server.read(&request(1, &GET, true), |_, _| true), Err(Code::PROTOCOL_ERROR));
}

#[test]
fn heads_that_break_the_rules_cost_their_stream_alone() {
    let with = |more: &[(&'static str, &'static str)]| [&GET[..], more].concat();
    let cases: Vec<Vec<(&str, &str)>> = vec![
        GET[1..].to_vec(),
        with(&[(":path", "/x")]),
        with(&[("x", "1"), (":authority", "b")]),
        with(&[("X", "1")]),
        with(&[("x y", "1")]),
        with(&[("x", "a\r\nb")]),
        with(&[("x", "a\0")]),
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("te", "gzip")]),
        with(&[(":unknown", "1")]),
        with(&[(":status", "200")]),
        vec![(":method", "G T"), (":scheme", "http"), (":path", "/")],
        vec![(":method", "GET"), (":scheme", "http"), (":path", "")],
    ];
    for fields in cases {
        let words = said(&[request(1, &fields, true), request(3, &GET, true)].concat()).unwrap();
        assert_eq!(
            words,
            [format!("head 1 true false {:?}", Err::<(), _>(Fault::Malformed)), "head 3 true false Ok(())".to_owned()],
            "{fields:?}"
        );
    }
    let long = "x".repeat(900);
    let large: Vec<(&str, &str)> = with(&[]).into_iter().chain((0..80).map(|_| ("x-long", long.as_str()))).collect();
    let mut frames = Vec::from([0; HEADER]);
    frames.extend(block(&large).iter().chain(&[]));
    frame::close_headers(&mut frames, 0, 1, flag::END_STREAM, frame::LARGEST);
    let words = said(&frames);
    // Their second and later lines are one byte each in the block, and 938 in the list that they make.
    assert_eq!(words, Ok(vec![format!("head 1 true false {:?}", Err::<(), _>(Fault::TooLarge))]));
}

#[test]
fn garbage_never_panics() {
    let mut dice = Dice::new(42);
    let mut client = End::new(Role::Client);
    for at in 0..4 {
        let stream = client.ask(at == 0);
        if at > 0 {
            client.session.send_data(stream, &[1; 300], at == 1, true, &mut client.out);
        }
        if at == 3 {
            client.session.reset(stream, Code::CANCEL, &mut client.out);
        }
    }
    frame::write(&mut client.out, kind::PING, 0, 0, &[0; 8]);
    let valid = client.out;
    for round in 0..60_000 {
        let bytes = dice.damage(&valid);
        let mut end = End::new(if round % 2 == 0 { Role::Server } else { Role::Client });
        if round % 2 == 1 {
            (0..3).for_each(|_| {
                end.ask(false);
            });
        }
        let cut = dice.below(bytes.len() + 1);
        if end.read(&bytes[..cut], |_, _| round % 3 > 0).is_ok() {
            let _ = end.read(&bytes[cut..], |_, _| true);
        }
    }
}
