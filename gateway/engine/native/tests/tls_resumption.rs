//! Sessions are taken up again by whoever is still who it was, and by nobody else.

mod support;

use isthmus_engine::tls::{Target, TicketKeys, TlsEnd, TlsFault};
use support::pipe::{OtherClient, give, seal, with_certificate};
use support::scene::{Scene, connect, target};
use support::{HOUR, START, san, set_now, uri};

#[test]
fn a_session_is_resumed_and_its_peer_is_known_on_both_sides() {
    let scene = Scene::new();
    let server = scene.server(&scene.east.svid("orders"), &[]);
    let client = scene.client(&scene.east.svid("caller"));
    let mut resumed = Vec::new();
    for _ in 0..4 {
        let [mut caller, mut callee] = connect(&client, &target("orders"), &server).unwrap();
        assert_eq!(caller.is_resumed(), callee.is_resumed());
        resumed.push(caller.is_resumed());
        assert_eq!(caller.peer().unwrap().spiffe_id, uri("orders"));
        assert_eq!(callee.peer().unwrap().spiffe_id, uri("caller"));
        let bytes = seal(&mut caller, b"as ever");
        assert_eq!(give(&mut callee, &bytes).unwrap(), b"as ever");
    }
    assert_eq!(resumed, [false, true, true, true]);
}

#[test]
fn whoever_has_other_demands_starts_anew() {
    let scene = Scene::new();
    let server = scene.server(&scene.east.svid("orders"), &[b"h2"]);
    let client = scene.client(&scene.east.svid("caller"));
    let first = target("orders");
    let others = [
        Target { uri_sans: vec![uri("orders"), uri("other")], ..first.clone() },
        Target { sni: "other.test".into(), ..first.clone() },
        Target { alpn: vec![b"h2".to_vec()], ..first.clone() },
        Target { endpoint: "10.0.0.2:8443".into(), ..first.clone() },
        Target { cluster_san: String::new(), trust_domain: "mesh.test".into(), ..first.clone() },
    ];
    for target in &others {
        assert!(!connect(&client, &first, &server).unwrap()[0].is_resumed() || target != &others[0]);
        assert!(!connect(&client, target, &server).unwrap()[0].is_resumed(), "{target:?}");
        assert!(connect(&client, target, &server).unwrap()[0].is_resumed(), "{target:?}");
    }
    // Who is expected to be somebody else is never resumed into that.
    let impostor = Target { uri_sans: vec![uri("other")], ..first.clone() };
    assert!(matches!(connect(&client, &impostor, &server).unwrap_err(), ("client", TlsFault::Identity(_))));
    let west = Target { cluster_san: san("west"), ..first };
    assert!(matches!(connect(&client, &west, &server).unwrap_err(), ("client", TlsFault::Identity(_))));
}

#[test]
fn a_certificate_that_was_taken_back_is_not_resumed() {
    let scene = Scene::new();
    let (orders, caller) = (scene.east.svid("orders"), scene.east.svid("caller"));
    let client = scene.client(&caller);
    let before = scene.server(&orders, &[]);
    for _ in 0..2 {
        connect(&client, &target("orders"), &before).unwrap();
    }
    let own = caller.own();
    let after = scene.server_denying(&orders, &[], &[own.serial()]);
    let refused = ("server", TlsFault::Identity(format!("serial {} is denied", own.serial())));
    // With a ticket, and without one.
    assert_eq!(connect(&client, &target("orders"), &after).unwrap_err(), refused);
    assert_eq!(connect(&scene.client(&caller), &target("orders"), &after).unwrap_err(), refused);
    // Others' tickets hold through the same change of the bundle.
    let other = scene.client(&scene.east.svid("other"));
    connect(&other, &target("orders"), &before).unwrap();
    assert!(connect(&other, &target("orders"), &after).unwrap()[1].is_resumed());
}

#[test]
fn a_refused_resumption_gives_no_ticket_and_no_byte() {
    let scene = Scene::new();
    let (orders, caller) = (scene.east.svid("orders"), scene.east.svid("caller"));
    let client = scene.client(&caller);
    connect(&client, &target("orders"), &scene.server(&orders, &[])).unwrap();
    let denying = scene.server_denying(&orders, &[], &[caller.own().serial()]);
    let mut client = TlsEnd::client(&client.target(&target("orders")).unwrap()).unwrap();
    let mut server = TlsEnd::server(&denying, |_| false).unwrap();
    let hello = support::pipe::take(&mut client);
    give(&mut server, &hello).unwrap();
    give(&mut client, &support::pipe::take(&mut server)).unwrap();
    assert!(client.is_resumed());
    let mut flight = support::pipe::take(&mut client);
    flight.extend(seal(&mut client, b"GET /secret"));
    let mut plaintext = vec![0; 4096];
    let fault = server.open(&mut flight, &mut plaintext).unwrap_err();
    assert_eq!(fault.word(), "peer-refused");
    assert!(server.outgoing().is_empty() && server.peer().is_none());
    assert_eq!(server.seal(b"anything", &mut [0; 1_000]), Err(fault));
}

#[test]
fn a_client_whose_certificate_has_ended_is_not_resumed() {
    let scene = Scene::new();
    let server = scene.server(&scene.east.svid_for("orders", 3 * HOUR), &[]);
    let client = scene.client(&scene.east.svid_for("caller", HOUR / 2));
    connect(&client, &target("orders"), &server).unwrap();
    set_now(START + HOUR / 2 + 1_000);
    let (side, fault) = connect(&client, &target("orders"), &server).unwrap_err();
    assert_eq!((side, fault.to_string().as_str()), ("server", "peer refused: expired at 2026-11-22T00:30:00.000Z"));
}

#[test]
fn a_server_whose_certificate_has_ended_is_asked_for_its_new_one() {
    let scene = Scene::new();
    let client = scene.client(&scene.east.svid_for("caller", 3 * HOUR));
    connect(&client, &target("orders"), &scene.server(&scene.east.svid_for("orders", HOUR / 2), &[])).unwrap();
    set_now(START + HOUR / 2 + 1_000);
    let renewed = scene.server(&scene.east.svid_for("orders", HOUR), &[]);
    let [client, _] = connect(&client, &target("orders"), &renewed).unwrap();
    assert!(!client.is_resumed());
    assert!(client.peer().unwrap().not_after_ms > START + HOUR);
}

#[test]
fn a_changed_svid_or_bundle_starts_anew_at_the_client() {
    let scene = Scene::new();
    let server = scene.server(&scene.east.svid("orders"), &[]);
    let caller = scene.east.svid("caller");
    connect(&scene.client(&caller), &target("orders"), &server).unwrap();
    assert!(!connect(&scene.client(&caller), &target("orders"), &server).unwrap()[0].is_resumed());
    assert!(!connect(&scene.client(&scene.east.svid("caller")), &target("orders"), &server).unwrap()[0].is_resumed());
}

#[test]
fn a_renewed_svid_of_a_server_keeps_its_sessions_and_another_identity_does_not() {
    let scene = Scene::new();
    let client = scene.client(&scene.east.svid("caller"));
    let either = Target { uri_sans: vec![uri("orders"), uri("others")], ..target("orders") };
    connect(&client, &either, &scene.server(&scene.east.svid("orders"), &[])).unwrap();
    assert!(connect(&client, &either, &scene.server(&scene.east.svid("orders"), &[])).unwrap()[0].is_resumed());
    let [end, _] = connect(&client, &either, &scene.server(&scene.east.svid("others"), &[])).unwrap();
    assert_eq!((end.is_resumed(), end.peer().unwrap().service_account.as_str()), (false, "others"));
    // Nor does another process, whose keys are others.
    let elsewhere = Scene { tickets: TicketKeys::new().unwrap(), ..scene };
    assert!(!connect(&client, &either, &elsewhere.server(&elsewhere.east.svid("others"), &[])).unwrap()[0].is_resumed());
}

#[test]
fn tls_1_2_is_verified_again_as_well() {
    let scene = Scene::new();
    let (orders, caller) = (scene.east.svid("orders"), scene.east.svid("caller"));
    let config = with_certificate(&caller, &[&rustls::version::TLS12]);
    let server = scene.server(&orders, &[]);
    for resumed in [false, true] {
        let mut client = OtherClient::new(&config, "orders.test");
        let mut end = TlsEnd::server(&server, |_| false).unwrap();
        client.shuttle(&mut end).unwrap();
        assert_eq!((end.version(), end.is_resumed()), ("TLSv1.2", resumed));
        assert_eq!(end.peer().unwrap().spiffe_id, uri("caller"));
    }
    let denying = scene.server_denying(&orders, &[], &[caller.own().serial()]);
    let mut end = TlsEnd::server(&denying, |_| false).unwrap();
    let fault = OtherClient::new(&config, "orders.test").shuttle(&mut end).unwrap_err();
    assert_eq!(fault.word(), "peer-refused");
}
