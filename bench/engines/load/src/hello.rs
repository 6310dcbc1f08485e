//! A TLS 1.3 ClientHello as a client of the mesh sends it (RFC 8446, section 4.1.2), made once for each name.

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// A whole TLS record. The key share and the random are fixed: proxies that pass TLS through read no further than the name.
pub fn client_hello(sni: &str) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend((0..32).map(|i| i * 7 + 1));
    body.extend(counted8(&(0..32).collect::<Vec<u8>>()));
    body.extend(counted16(&[0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b]));
    body.extend(counted8(&[0]));
    body.extend(counted16(&extensions(sni)));
    let mut handshake = vec![CLIENT_HELLO, 0];
    handshake.extend(counted16(&body));
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(counted16(&handshake));
    record
}

/// What an origin says first to whoever began with a ClientHello, if it is no echo: as a TLS server does, without whose answer a proxy may not take a
/// connection for one that stands.
pub const GREETING: [u8; 16] = [HANDSHAKE, 3, 3, 0, 11, 2, 0, 0, 7, 3, 3, b'I', b'S', b'B', b'L', 0];

/// How long the record at the front is; None until its header is there, or when it is no handshake.
pub fn record_length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [HANDSHAKE, _, _, high, low, ..] => Some(5 + usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// Whether the bytes can be the front of such a record.
pub fn is_handshake(bytes: &[u8]) -> bool {
    bytes.first() == Some(&HANDSHAKE)
}

fn extensions(sni: &str) -> Vec<u8> {
    let mut name = vec![0];
    name.extend(counted16(sni.as_bytes()));
    let mut share = vec![0, 29];
    share.extend(counted16(&(0..32).map(|i| i * 5 + 9).collect::<Vec<u8>>()));
    let alpn = counted8(b"h2").into_iter().chain(counted8(b"http/1.1")).collect::<Vec<u8>>();
    [
        (0, counted16(&name)),
        (11, counted8(&[0])),
        (10, counted16(&[0, 29, 0, 23])),
        (13, counted16(&[4, 3, 8, 4, 4, 1, 5, 3])),
        (16, counted16(&alpn)),
        (43, counted8(&[3, 4, 3, 3])),
        (45, counted8(&[1])),
        (51, counted16(&share)),
    ]
    .iter()
    .flat_map(|(kind, data): &(u16, Vec<u8>)| kind.to_be_bytes().into_iter().chain(counted16(data)))
    .collect()
}

fn counted8(bytes: &[u8]) -> Vec<u8> {
    let mut counted = vec![bytes.len() as u8];
    counted.extend_from_slice(bytes);
    counted
}

fn counted16(bytes: &[u8]) -> Vec<u8> {
    let mut counted = (bytes.len() as u16).to_be_bytes().to_vec();
    counted.extend_from_slice(bytes);
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_says_its_own_length() {
        let hello = client_hello("orders.shop.mesh.internal");
        assert_eq!(record_length(&hello), Some(hello.len()));
        assert_eq!(record_length(&hello[..4]), None);
        assert_eq!(record_length(b"ISBLxxxx"), None);
    }

    #[test]
    fn the_handshake_fills_the_record() {
        let hello = client_hello("a.b");
        assert_eq!(usize::from(u16::from_be_bytes([hello[7], hello[8]])) + 9, hello.len());
    }
}
