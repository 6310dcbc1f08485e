//! Two ends of mTLS in memory: who gets through, what faults say, and how streams end.

mod support;

use isthmus_engine::tls::{ClientContext, OwnIdentity, ServerContext, Target, TlsEnd, TlsFault};
use support::pipe::{give, seal, shuttle, take};
use support::scene::{Scene, connect, ends, target};
use support::{HOUR, Mesh, START, Svid, now, san, set_now, uri};

#[test]
fn both_ends_know_who_is_there_and_bytes_pass_both_ways() {
    let scene = Scene::new();
    let (caller, orders) = (scene.east.svid("caller"), scene.east.svid("orders"));
    let [mut client, mut server] = ends(&scene.client(&caller), &target("orders"), &scene.server(&orders, &[]));
    assert!(client.is_handshaking() && client.peer().is_none() && client.version().is_empty());
    assert_eq!(client.seal(b"too early", &mut []).unwrap().taken, 0);
    shuttle(&mut client, &mut server).unwrap();
    assert_eq!((client.version(), server.version()), ("TLSv1.3", "TLSv1.3"));
    assert!(!client.is_handshaking() && !server.is_handshaking() && !server.is_resumed());
    assert_eq!(client.peer().unwrap().spiffe_id, uri("orders"));
    let peer = server.peer().unwrap();
    assert_eq!((peer.spiffe_id.as_str(), peer.cluster.as_str(), peer.foreign), (uri("caller").as_str(), "east", false));
    assert_eq!(peer.serial, caller.own().serial());
    let said: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    for size in [1, 64, 16_384, 16_385, 300_000] {
        let up = seal(&mut client, &said[..size]);
        assert_eq!(give(&mut server, &up).unwrap(), said[..size], "up {size}");
        let down = seal(&mut server, &said[..size]);
        assert_eq!(give(&mut client, &down).unwrap(), said[..size], "down {size}");
    }
}

#[test]
fn a_handshake_may_come_in_any_pieces() {
    let scene = Scene::new();
    let (client, server) = (scene.client(&scene.east.svid("caller")), scene.server(&scene.east.svid("orders"), &[b"h2"]));
    for piece in [1, 3, 64, 700] {
        let [mut caller, mut callee] = ends(&client, &target("orders"), &server);
        for _ in 0..4 {
            for part in take(&mut caller).chunks(piece) {
                give(&mut callee, part).unwrap();
            }
            for part in take(&mut callee).chunks(piece) {
                give(&mut caller, part).unwrap();
            }
        }
        assert_eq!(caller.peer().unwrap().service_account, "orders", "in pieces of {piece}");
        assert_eq!(callee.peer().unwrap().service_account, "caller", "in pieces of {piece}");
    }
}

#[test]
fn an_identity_of_a_federated_domain_is_that_and_none_of_ours() {
    let scene = Scene::new();
    let partner = Mesh::of("partner.example");
    let (ours, theirs) = (scene.east.svid("orders"), partner.cluster("east").svid("orders"));
    let trust = scene.mesh.bundle_with(&partner);
    let server = ServerContext::new(&ours.own(), trust.clone(), &[], &scene.tickets, now, true).unwrap();
    let client = ClientContext::new(&theirs.own(), partner.bundle_with(&scene.mesh), now, true).unwrap();
    let ours_there = Target { trust_domain: "mesh.test".into(), cluster_san: String::new(), ..target("orders") };
    for resumed in [false, true] {
        let [caller, callee] = connect(&client, &ours_there, &server).unwrap();
        assert_eq!((callee.is_resumed(), caller.peer().unwrap().foreign), (resumed, true));
        let peer = callee.peer().unwrap();
        assert_eq!(peer.spiffe_id, "spiffe://partner.example/ns/shop/sa/orders");
        assert_eq!((peer.foreign, peer.namespace.as_str(), peer.cluster.as_str()), (true, "", ""));
    }
    let strict = scene.server(&ours, &[]);
    let (side, fault) = connect(&client, &ours_there, &strict).unwrap_err();
    assert_eq!((side, fault.to_string().as_str()), ("server", "peer refused: is of trust domain partner.example, not mesh.test"));
}

#[test]
fn a_stream_may_come_in_any_pieces() {
    let [mut client, mut server] = Scene::new().connected();
    let said: Vec<u8> = (0..70_000_u32).map(|n| (n % 253) as u8).collect();
    for piece in [1, 2, 5, 1_000, 16_401, 40_000] {
        let whole = seal(&mut client, &said);
        let mut heard = Vec::new();
        for part in whole.chunks(piece) {
            heard.extend(give(&mut server, part).unwrap());
        }
        assert!(heard == said, "in pieces of {piece}");
        let (whole, mut at, mut heard) = (seal(&mut client, &said), 0, Vec::new());
        let [mut buffer, mut plaintext] = [vec![0; 256 * 1024], vec![0; 256 * 1024]];
        while at < whole.len() {
            let receive = |room: &mut [u8]| {
                let length = piece.min(whole.len() - at).min(room.len());
                room[..length].copy_from_slice(&whole[at..at + length]);
                at += length;
                length
            };
            let opened = server.open_with(&mut buffer, &mut plaintext, receive).unwrap();
            heard.extend_from_slice(&plaintext[..opened.plaintext]);
            // Nothing to read changes nothing, and what is written meanwhile neither.
            assert_eq!(server.open_with(&mut buffer, &mut plaintext, |_| 0).unwrap().plaintext, 0);
            let back = seal(&mut server, b"go on");
            assert_eq!(give(&mut client, &back).unwrap(), b"go on");
        }
        assert!(heard == said, "read in pieces of {piece}");
    }
}

#[test]
fn no_more_is_taken_than_there_is_room_for() {
    let [mut client, mut server] = Scene::new().connected();
    let said = vec![7; 100_000];
    for room in [0, 128, 160, 161, 1_000, 16_384 + 160, 20_000, 50_000] {
        let mut out = vec![0; room];
        let sealed = client.seal(&said, &mut out).unwrap();
        assert!(sealed.written <= room && (sealed.taken > 0) == (room > 160), "{room}: {sealed:?}");
        assert!(sealed.taken + 400 >= room.min(100_000), "room is used, {room}: {sealed:?}");
        assert_eq!(give(&mut server, &out[..sealed.written]).unwrap().len(), sealed.taken);
    }
}

#[test]
fn a_peer_that_is_not_who_it_must_be_is_refused_with_the_reason() {
    let scene = Scene::new();
    let (caller, orders) = (scene.east.svid("caller"), scene.east.svid("orders"));
    let fault_of = |client: &Svid, server: &Svid, target: &Target| {
        let [mut client, mut server] = ends(&scene.client(client), target, &scene.server(server, &[]));
        let fault = shuttle(&mut client, &mut server).unwrap_err();
        let told = if fault.0 == "client" { give(&mut server, &take(&mut client)) } else { give(&mut client, &take(&mut server)) };
        assert_eq!(told.unwrap_err().to_string(), "TLS failed: received fatal alert: CertificateUnknown");
        fault
    };
    let other = Target { uri_sans: vec![uri("other")], ..target("orders") };
    let reason = format!("is {}, expected {}", uri("orders"), uri("other"));
    assert_eq!(fault_of(&caller, &orders, &other), ("client", TlsFault::Identity(reason)));
    let west = Target { cluster_san: san("west"), ..target("orders") };
    let reason = "is east.cluster.mesh.test, expected west.cluster.mesh.test".into();
    assert_eq!(fault_of(&caller, &orders, &west), ("client", TlsFault::Identity(reason)));
    let stranger = Mesh::new().cluster("east").svid("caller");
    let reason = "its issuer does not chain to a root of the bundle".into();
    assert_eq!(fault_of(&stranger, &orders, &target("orders")), ("server", TlsFault::Identity(reason)));
    let short = scene.east.svid_for("caller", HOUR / 2);
    set_now(START + HOUR / 2 + 1_000);
    let (side, fault) = fault_of(&short, &orders, &target("orders"));
    assert_eq!((side, fault.word()), ("server", "peer-refused"));
    assert_eq!(fault.to_string(), "peer refused: expired at 2026-11-22T00:30:00.000Z");
}

#[test]
fn nobody_comes_in_without_a_certificate() {
    let scene = Scene::new();
    let mut server = TlsEnd::server(&scene.server(&scene.east.svid("orders"), &[]), |_| false).unwrap();
    let mut client = support::pipe::without_certificate("orders.test");
    let fault = client.shuttle(&mut server).unwrap_err();
    assert_eq!(fault, TlsFault::Identity("no certificate".into()));
}

#[test]
fn application_protocols_are_agreed_where_both_have_one_and_are_no_reason_to_refuse() {
    let scene = Scene::new();
    let (client, orders) = (scene.client(&scene.east.svid("caller")), scene.east.svid("orders"));
    type Protocols = &'static [&'static [u8]];
    let cases: [(Protocols, Protocols, &[u8]); 5] = [
        (&[b"h2", b"http/1.1"], &[b"http/1.1", b"h2"], b"h2"),
        (&[b"h2"], &[b"http/1.1"], b""),
        (&[b"h2"], &[], b""),
        (&[], &[b"h2"], b""),
        (&[], &[], b""),
    ];
    for (spoken, offered, agreed) in cases {
        let target = Target { alpn: offered.iter().map(|each| each.to_vec()).collect(), ..target("orders") };
        let [client, server] = connect(&client, &target, &scene.server(&orders, spoken)).unwrap();
        assert_eq!((client.alpn(), server.alpn()), (agreed, agreed), "{spoken:?} and {offered:?}");
    }
}

#[test]
fn a_side_that_has_said_all_still_hears_the_other() {
    let [mut client, mut server] = Scene::new().connected();
    let mut bytes = seal(&mut client, b"all of it");
    client.close();
    client.close();
    bytes.extend(take(&mut client));
    assert_eq!(client.seal(b"more", &mut [0; 1_000]).unwrap(), Default::default());
    let [mut input, mut plaintext] = [bytes.clone(), vec![0; bytes.len()]];
    let opened = server.open(&mut input, &mut plaintext).unwrap();
    assert_eq!((&plaintext[..opened.plaintext], opened.closed), (&b"all of it"[..], true));
    assert_eq!(server.end_of_input(), Ok(()));
    assert!(!server.is_closed());
    let down = seal(&mut server, b"an answer");
    assert_eq!(give(&mut client, &down).unwrap(), b"an answer");
    server.close();
    assert_eq!(give(&mut client, &take(&mut server)).unwrap(), b"");
    assert!(client.is_closed() && server.is_closed());
    assert_eq!((client.end_of_input(), server.end_of_input()), (Ok(()), Ok(())));
}

#[test]
fn an_end_that_nobody_announced_is_a_break() {
    let scene = Scene::new();
    let [mut client, mut server] = scene.connected();
    let bytes = seal(&mut client, b"half");
    assert_eq!(give(&mut server, &bytes).unwrap(), b"half");
    assert_eq!(server.end_of_input(), Err(TlsFault::Truncated));
    assert_eq!(server.seal(b"x", &mut [0; 1_000]), Err(TlsFault::Truncated));
    let [mut client, _] =
        ends(&scene.client(&scene.east.svid("caller")), &target("orders"), &scene.server(&scene.east.svid("orders"), &[]));
    assert_eq!(client.end_of_input(), Err(TlsFault::Handshake("closed during the handshake".into())));
}

#[test]
fn a_record_that_was_tampered_with_is_a_fault_for_good() {
    let [mut client, mut server] = Scene::new().connected();
    let mut bytes = seal(&mut client, b"payload");
    *bytes.last_mut().unwrap() ^= 1;
    let fault = give(&mut server, &bytes).unwrap_err();
    assert_eq!(fault.word(), "handshake-failed");
    assert!(!server.outgoing().is_empty(), "an alert for the other side");
    let good = seal(&mut client, b"payload");
    assert_eq!(give(&mut server, &good).unwrap_err(), fault);
    assert_eq!(give(&mut client, &take(&mut server)).unwrap_err().to_string(), "TLS failed: received fatal alert: BadRecordMac");
}

#[test]
fn keys_that_fit_no_certificate_are_refused_in_words_and_never_shown() {
    let scene = Scene::new();
    let (caller, orders) = (scene.east.svid("caller"), scene.east.svid("orders"));
    let error = |chain: &[Vec<u8>], key: &[u8]| OwnIdentity::new(chain.to_vec(), key.to_vec()).unwrap_err();
    assert_eq!(error(&orders.chain, &caller.key), "the key is not that of the certificate");
    assert_eq!(error(&orders.chain, b"no key"), "the key is no PKCS#8 key that can sign");
    assert_eq!(error(&[], &caller.key), "no certificate");
    let [client, server] = scene.connected();
    let shown = format!("{:?} {:?} {:?} {:?}", caller.own(), scene.client(&caller), client, server);
    assert!(shown.contains("sa/caller") && shown.len() < 2_000, "{shown}");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let scene = Scene::new();
    let client = scene.client(&scene.east.svid("caller"));
    for sni in ["10.0.0.1", "a b", "..", "::1"] {
        assert!(client.target(&Target { sni: sni.into(), ..target("orders") }).is_err(), "{sni}");
    }
    let nameless = Target { sni: String::new(), ..target("orders") };
    let [client, _] = connect(&client, &nameless, &scene.server(&scene.east.svid("orders"), &[])).unwrap();
    assert_eq!(client.peer().unwrap().service_account, "orders");
}
