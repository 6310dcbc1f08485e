//! What holds of the parsers whatever bytes come. Tests ask it of the tables, mutated, and of the fuzzers' corpus; the fuzzers of all else.

use isthmus_engine::parse::client_hello::{HelloOutcome, HelloScan, parse_client_hello};
use isthmus_engine::parse::find_rule::find_rule;
use isthmus_engine::parse::proxy_protocol::{
    ProxiedConnection, ProxyEnds, ProxyHeader, ProxyOutcome, ProxyVersion, parse_proxy_header, write_proxy_header,
};
use isthmus_engine::parse::sni_name::{parse_sni_name, sni_name, terminated_subset};

/// Two bytes for the maximum, one for the size of chunks, then the flight.
pub fn client_hello(data: &[u8]) {
    let [high, low, size, flight @ ..] = data else { return };
    let max_bytes = 1 + usize::from(u16::from_be_bytes([*high, *low]));
    let whole = parse_client_hello(flight, max_bytes);
    let mut scan = HelloScan::default();
    let mut before = HelloOutcome::More { at_least: 1 };
    for end in ends(flight.len(), *size) {
        let outcome = scan.read(&flight[..end], max_bytes);
        match before {
            HelloOutcome::More { at_least } if at_least <= end => {}
            ref before => assert_eq!(&outcome, before, "nothing changes before it may, and nothing that is final"),
        }
        match &outcome {
            HelloOutcome::More { at_least } => assert!(*at_least > end && *at_least <= max_bytes),
            // It has been final for a chunk: enough.
            _ if outcome == before => break,
            _ => {}
        }
        before = outcome;
    }
    if !flight.is_empty() {
        assert_eq!(before, whole, "in chunks of {size} and at once");
    }
    if let HelloOutcome::Hello(hello) = &whole {
        assert_eq!(parse_client_hello(flight.get(..max_bytes).unwrap_or(flight), max_bytes), whole);
        assert!(hello.sni.as_ref().is_none_or(|name| (1..=255).contains(&name.len()) && **name == name.to_ascii_lowercase()));
        assert!(hello.alpn.iter().all(|protocol| !protocol.is_empty()));
        assert_eq!(hello.alpn.is_empty(), hello.alpn.iter().next().is_none());
        assert_eq!(HelloOutcome::Hello(hello.clone().into_owned()), whole);
    }
}

/// One byte for the size of chunks, then what comes.
pub fn proxy_protocol(data: &[u8]) {
    let [size, bytes @ ..] = data else { return };
    let mut before = ProxyOutcome::More { at_least: 1 };
    for end in ends(bytes.len(), *size) {
        let outcome = parse_proxy_header(&bytes[..end]);
        match before {
            ProxyOutcome::More { at_least } if at_least <= end => {}
            ref before => assert_eq!(&outcome, before, "nothing changes before it may, and nothing that is final"),
        }
        match &outcome {
            ProxyOutcome::More { at_least } => assert!(*at_least > end && *at_least <= 4_096),
            _ if outcome == before => break,
            _ => {}
        }
        before = outcome;
    }
    if !bytes.is_empty() {
        assert_eq!(before, parse_proxy_header(bytes), "in chunks of {size} and at once");
    }
    if let ProxyOutcome::Done(header) = before {
        proxy_header(&header, bytes);
    }
}

fn proxy_header(header: &ProxyHeader<'_>, bytes: &[u8]) {
    assert!(header.consumed <= bytes.len().min(4_096));
    assert_eq!(parse_proxy_header(&bytes[..header.consumed]), ProxyOutcome::Done(header.clone()));
    let attributes: usize = header.attributes.iter().map(|(_, value)| 3 + value.len()).sum();
    assert!(attributes + 16 <= header.consumed || attributes == 0);
    let ProxyEnds::Proxied { source, destination } = header.ends else {
        return;
    };
    assert_eq!(source.is_ipv4(), destination.is_ipv4());
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut written = Vec::new();
        let told = ProxiedConnection { ends: Some((source, destination)), ..ProxiedConnection::default() };
        write_proxy_header(version, Some(&told), &mut written);
        let again = ProxyHeader { consumed: written.len(), ends: header.ends, attributes: Default::default() };
        assert_eq!(parse_proxy_header(&written), ProxyOutcome::Done(again));
    }
}

/// A name, and behind a line's end the one that has a rule.
pub fn sni_names(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (asked, known) = text.split_once('\n').unwrap_or((text, ""));
    for name in [asked, known] {
        let Some(target) = parse_sni_name(name) else { continue };
        assert!(target.port > 0 && !target.host.is_empty() && !target.subset.contains('.'));
        assert_eq!(parse_sni_name(&sni_name(target)), Some(target));
    }
    for any_subset in [false, true] {
        let found = find_rule(asked, |name| (name == known).then_some(name.to_owned()), |_| any_subset);
        let Some(found) = found else { continue };
        if found == asked {
            continue;
        }
        let ends = |name: &str| parse_sni_name(name).map(|target| (target.port, target.host.to_owned()));
        assert_eq!(ends(&found), ends(asked), "what stands in for a name is of its service");
        let ended = |name: &str| parse_sni_name(name).is_some_and(|target| terminated_subset(target.subset).is_some());
        assert_eq!(ended(&found), ended(asked), "and an mTLS end of a gateway for none but such");
    }
}

/// 1 to 256 bytes at a time.
fn ends(length: usize, size: u8) -> impl Iterator<Item = usize> {
    let size = 1 + usize::from(size);
    (1..=length.div_ceil(size)).map(move |chunk| length.min(chunk * size))
}
