//! Whatever bytes come, an end answers with a fault: it never panics, and never takes one peer for another.

mod support;

use isthmus_engine::tls::TlsEnd;
use support::pipe::{give, seal, take};
use support::random::Random;
use support::scene::{Scene, connect, ends, target};

/// As an engine drives it: in any pieces, with writes between them.
fn feed(end: &mut TlsEnd, bytes: &[u8], random: &mut Random) {
    let [mut buffer, mut plaintext] = [vec![0; 100_000], vec![0; 100_000]];
    let mut left = bytes;
    while !left.is_empty() {
        let length = 1 + random.below(left.len());
        let (part, rest) = left.split_at(length);
        left = rest;
        let outcome = if random.below(2) == 0 {
            end.open(&mut part.to_vec(), &mut plaintext)
        } else {
            end.open_with(&mut buffer, &mut plaintext, |room| {
                room[..length].copy_from_slice(part);
                length
            })
        };
        let _ = end.seal(b"meanwhile", &mut buffer);
        // Debug builds of rustls assert that no alert follows close_notify; others send one more, which harms nobody.
        if !cfg!(debug_assertions) && random.below(8) == 0 {
            end.close();
        }
        if let Err(fault) = outcome {
            assert_eq!(end.open(&mut [], &mut []), Err(fault));
        }
    }
    let _ = end.end_of_input();
}

#[test]
fn damaged_handshakes_end_in_faults() {
    let scene = Scene::new();
    let client = scene.client(&scene.east.svid("caller"));
    let server = scene.server(&scene.east.svid("orders"), &[b"h2"]);
    let mut random = Random(0x5eed);
    for round in 0..3_000 {
        let [mut caller, mut callee] = ends(&client, &target("orders"), &server);
        // Which flight is damaged: the hello, the server's answer, the client's certificate.
        let flight = round % 3;
        let mut bytes = take(&mut caller);
        for turn in 0..=flight {
            let (from, to) = if turn % 2 == 0 { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
            if turn > 0 {
                bytes = take(from);
            }
            if turn == flight {
                random.damage(&mut bytes);
                feed(to, &bytes, &mut random);
            } else {
                give(to, &bytes).unwrap();
            }
        }
        for end in [caller, callee] {
            let account = end.peer().map(|peer| peer.service_account.clone());
            assert!(matches!(account.as_deref(), None | Some("caller" | "orders")), "{account:?}");
        }
    }
}

#[test]
fn damaged_traffic_ends_in_faults() {
    let scene = Scene::new();
    let client = scene.client(&scene.east.svid("caller"));
    let server = scene.server(&scene.east.svid("orders"), &[]);
    let mut random = Random(0xfeed);
    for _ in 0..1_000 {
        let [mut caller, mut callee] = connect(&client, &target("orders"), &server).unwrap();
        let mut bytes: Vec<u8> = (0..4).flat_map(|n| seal(&mut caller, &vec![1; n * 700])).collect();
        caller.close();
        bytes.extend(take(&mut caller));
        random.damage(&mut bytes);
        feed(&mut callee, &bytes, &mut random);
    }
}

#[test]
fn random_bytes_end_in_faults() {
    let scene = Scene::new();
    let server = scene.server(&scene.east.svid("orders"), &[]);
    let mut random = Random(0xbad);
    for _ in 0..2_000 {
        let mut bytes: Vec<u8> = (0..random.below(600)).map(|_| random.below(256) as u8).collect();
        // Often enough what looks like a record, or like a hello in one.
        for (at, byte) in [22, 3, 1, 0, 200, 1, 0, 0, 196].iter().enumerate().take(random.below(10)) {
            if let Some(into) = bytes.get_mut(at) {
                *into = *byte;
            }
        }
        let mut end = TlsEnd::server(&server, |_| false).unwrap();
        feed(&mut end, &bytes, &mut random);
        assert!(end.peer().is_none());
    }
}

#[test]
fn what_never_becomes_whole_is_given_up() {
    let scene = Scene::new();
    let mut end = TlsEnd::server(&scene.server(&scene.east.svid("orders"), &[]), |_| false).unwrap();
    // A hello of 60,000 bytes in records of one byte each takes six times the room.
    let mut first = vec![22, 3, 1, 0, 4, 1, 0, 234, 96];
    let mut fault = None;
    for _ in 0..60_000 {
        match give(&mut end, &first) {
            Ok(_) => first = vec![22, 3, 1, 0, 1, 0],
            Err(error) => {
                fault = Some(error);
                break;
            }
        }
    }
    assert_eq!(fault.unwrap().word(), "handshake-failed");
}

#[test]
fn who_has_proven_nothing_is_kept_no_more_than_a_handshake_takes() {
    let scene = Scene::new();
    let mut server = TlsEnd::server(&scene.server(&scene.east.svid("orders"), &[]), |_| false).unwrap();
    // A ClientHello of 60,000 bytes, in records of 1,000 (RFC 8446 §5.1): it never becomes whole.
    let mut message = vec![1, 0, 0xea, 0x60];
    message.resize(30_000, 0);
    let mut given = 0;
    let fault = message.chunks(1_000).find_map(|part| {
        given += part.len();
        let record = [&[22, 3, 1, 3, 232][..], part].concat();
        give(&mut server, &record).err()
    });
    assert!(fault.unwrap().to_string().contains("without an end of the message"));
    assert!((24 * 1024 - 1_000..26 * 1024).contains(&given), "{given}");
}
