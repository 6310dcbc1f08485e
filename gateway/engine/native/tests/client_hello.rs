//! What the vectors cannot say of the ClientHello reader: what it borrows, when it asks to be called again, and where its maximum is.

use std::borrow::Cow;

use isthmus_engine::parse::client_hello::{HelloFault, HelloOutcome, HelloScan, parse_client_hello};

const MAX: usize = 16_384;

/// Without extensions.
fn smallest() -> Vec<u8> {
    let mut message = vec![1, 0, 0, 41, 3, 3];
    message.extend([7; 32]);
    message.extend([0, 0, 2, 0x13, 1, 1, 0]);
    message
}

fn in_records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[22, 3, 1, 0, part.len() as u8], part].concat();
    message.chunks(size).flat_map(record).collect()
}

#[test]
fn one_record_is_borrowed_and_more_are_not() {
    let mut message = smallest();
    message.extend([0, 10, 0, 0, 0, 6, 0, 4, 0, 0, 1, b'a']);
    message[3] += 12;
    for (size, borrowed) in [(255, true), (20, false)] {
        let bytes = in_records(&message, size);
        let HelloOutcome::Hello(hello) = parse_client_hello(&bytes, MAX) else { panic!("a hello in records of {size}") };
        assert_eq!(hello.sni.as_deref(), Some("a"));
        assert_eq!(matches!(hello.sni, Some(Cow::Borrowed(_))), borrowed);
    }
}

#[test]
fn at_least_is_where_something_may_change_and_nowhere_before() {
    for size in [1, 2, 3, 4, 5, 9, 200] {
        let bytes = in_records(&smallest(), size);
        let mut scan = HelloScan::default();
        let (mut asked, mut at) = (0, 0);
        while let HelloOutcome::More { at_least } = scan.read(&bytes[..at], MAX) {
            assert!(at_least > at && at_least <= bytes.len());
            for early in at..at_least {
                assert_eq!(parse_client_hello(&bytes[..early], MAX), HelloOutcome::More { at_least }, "{early} bytes");
            }
            (asked, at) = (asked + 1, at_least);
        }
        assert_eq!(at, bytes.len());
        assert!(asked <= 4 * bytes.len().div_ceil(5 + size) + 2, "asked {asked} times");
    }
}

#[test]
fn the_maximum_counts_every_byte_and_holds_however_they_come() {
    let bytes = in_records(&smallest(), 10);
    assert!(matches!(parse_client_hello(&bytes, bytes.len()), HelloOutcome::Hello(_)));
    assert_eq!(parse_client_hello(&bytes, bytes.len() - 1), HelloOutcome::Fault(HelloFault::Oversized));
    assert!(matches!(parse_client_hello(&bytes[..bytes.len() - 2], bytes.len() - 1), HelloOutcome::More { .. }));
    assert_eq!(parse_client_hello(&[22, 3, 1, 0, 4, 1, 0, 64, 0], MAX), HelloOutcome::Fault(HelloFault::Oversized), "by its own word");
}

#[test]
fn a_fault_stays() {
    let bytes = [22, 3, 1, 0, 4, 2, 0, 0, 1, 22, 3, 3, 0, 1, 0];
    let mut scan = HelloScan::default();
    for end in 9..=bytes.len() {
        assert_eq!(scan.read(&bytes[..end], MAX), HelloOutcome::Fault(HelloFault::Malformed));
    }
}
