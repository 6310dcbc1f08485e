//! The tables' inputs, changed in ways that repeat: no panic, and whatever holds of the parsers still does.

mod support;

use support::invariants;
use support::{HelloVector, Hex, table};

/// Miri is some hundred times slower.
const EACH: usize = if cfg!(miri) { 1 } else { 300 };

/// xorshift64*; the same row each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        word as usize % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        const TELLING: [u8; 12] = [0, 1, 2, 3, 16, 22, 23, 0x20, 0x7f, 0x80, 0xfe, 0xff];
        if self.below(2) == 0 { TELLING[self.below(TELLING.len())] } else { self.below(256) as u8 }
    }

    fn mutated(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let end = at + self.below(bytes.len() + 1 - at).min(20);
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.byte()),
                2 => drop(bytes.drain(at..end)),
                3 => bytes.extend_from_within(at..end),
                4 => bytes.extend_from_slice(&other[self.below(other.len())..]),
                _ if at < bytes.len() => bytes[at] = self.byte(),
                _ => {}
            }
        }
        bytes
    }
}

#[test]
fn client_hellos() {
    let mut random = Random(0x1572_0a8b);
    let vectors: Vec<HelloVector> = table("client-hello");
    for HelloVector { bytes: Hex(bytes), .. } in &vectors {
        for _ in 0..EACH {
            let Hex(other) = &vectors[random.below(vectors.len())].bytes;
            let flight = random.mutated(bytes, other);
            let max = if random.below(2) == 0 { 16_383 } else { random.below(2 * flight.len() + 1) as u16 };
            let [high, low] = max.to_be_bytes();
            invariants::client_hello(&[&[high, low, random.byte()], &*flight].concat());
        }
    }
}

#[test]
fn proxy_headers() {
    #[derive(serde::Deserialize)]
    struct Headers {
        written: Vec<Header>,
        read: Vec<Header>,
    }
    #[derive(serde::Deserialize)]
    struct Header {
        header: Hex,
    }
    let mut random = Random(0x77);
    let Headers { written, read } = table("proxy-protocol");
    let headers: Vec<Vec<u8>> = written.into_iter().chain(read).map(|Header { header: Hex(bytes) }| bytes).collect();
    for bytes in &headers {
        for _ in 0..EACH {
            let other = random.below(headers.len());
            let changed = random.mutated(bytes, &headers[other]);
            invariants::proxy_protocol(&[&[random.byte()], &*changed].concat());
        }
    }
}

#[test]
fn sni_names() {
    #[derive(serde::Deserialize)]
    struct Names {
        names: Vec<Name>,
    }
    #[derive(serde::Deserialize)]
    struct Name {
        text: String,
    }
    let mut random = Random(0x5151);
    let Names { names } = table("sni-name");
    for Name { text } in &names {
        for _ in 0..EACH {
            let [one, other] = [0, 0].map(|_| names[random.below(names.len())].text.as_bytes());
            let changed = random.mutated(text.as_bytes(), one);
            invariants::sni_names(&[&*changed, b"\n", other].concat());
            invariants::sni_names(&[&*changed, b"\n", &*changed].concat());
        }
    }
}
