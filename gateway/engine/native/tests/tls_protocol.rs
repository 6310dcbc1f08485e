//! What other implementations may do to an end: TLS 1.2, new keys in mid-stream.

mod support;

use std::io::{Read, Write};

use isthmus_engine::tls::TlsEnd;
use support::pipe::{OtherClient, seal, take, with_certificate};
use support::scene::Scene;

#[test]
fn tls_1_2_is_spoken_and_ends_by_halves_as_well() {
    let scene = Scene::new();
    let config = with_certificate(&scene.east.svid("caller"), &[&rustls::version::TLS12]);
    let mut client = OtherClient::new(&config, "orders.test");
    let mut server = TlsEnd::server(&scene.server(&scene.east.svid("orders"), &[b"h2"]), |_| false).unwrap();
    client.shuttle(&mut server).unwrap();
    assert_eq!((server.version(), server.peer().unwrap().service_account.as_str()), ("TLSv1.2", "caller"));
    let said = vec![5; 50_000];
    client.connection().writer().write_all(&said).unwrap();
    client.connection().send_close_notify();
    assert!(client.shuttle(&mut server).unwrap() == said);
    assert_eq!(server.end_of_input(), Ok(()));
    let bytes = seal(&mut server, b"an answer");
    server.close();
    client.hear(&[bytes, take(&mut server)].concat());
    let mut heard = Vec::new();
    assert_eq!(client.connection().reader().read_to_end(&mut heard).unwrap(), 9);
    assert!(server.is_closed());
}

#[test]
fn keys_that_the_other_side_renews_are_renewed_here_too() {
    let scene = Scene::new();
    let config = with_certificate(&scene.east.svid("caller"), &[&rustls::version::TLS13]);
    let mut client = OtherClient::new(&config, "orders.test");
    let mut server = TlsEnd::server(&scene.server(&scene.east.svid("orders"), &[]), |_| false).unwrap();
    client.shuttle(&mut server).unwrap();
    for round in 0..20_u8 {
        client.connection().refresh_traffic_keys().unwrap();
        let said = vec![round; 20_000];
        client.connection().writer().write_all(&said).unwrap();
        assert!(client.shuttle(&mut server).unwrap() == said, "up, round {round}");
        // It asked for ours, which begin with what is written next.
        let bytes = seal(&mut server, &said);
        client.hear(&bytes);
        let mut heard = vec![0; said.len()];
        client.connection().reader().read_exact(&mut heard).unwrap();
        assert!(heard == said, "down, round {round}");
    }
}

#[test]
fn an_end_that_is_told_of_a_failure_says_which() {
    let scene = Scene::new();
    let mut server = TlsEnd::server(&scene.server(&scene.east.svid("orders"), &[]), |_| false).unwrap();
    // A fatal handshake_failure, in the clear.
    let fault = support::pipe::give(&mut server, &[21, 3, 3, 0, 2, 2, 40]).unwrap_err();
    assert_eq!(fault.to_string(), "TLS failed: received fatal alert: HandshakeFailure");
    assert_eq!(fault.word(), "handshake-failed");
    assert!(take(&mut server).is_empty());
}
