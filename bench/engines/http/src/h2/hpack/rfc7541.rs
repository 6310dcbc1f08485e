//! RFC 7541, appendix C: C.2 to C.4 as requests, C.5 and C.6 as responses with a table of 256 bytes.

use super::{Decoder, Malformed};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|each| !each.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn decode(decoder: &mut Decoder, hex: &str) -> Result<Vec<String>, Malformed> {
    let mut fields = Vec::new();
    decoder.decode(&bytes(hex), |name, value| {
        fields.push(format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
    })?;
    Ok(fields)
}

/// Blocks of one connection in order, what they say, and the size of the table afterwards.
fn check(prelude: &str, blocks: &[(&str, &[&str], usize)]) {
    let mut decoder = Decoder::default();
    assert_eq!(decode(&mut decoder, prelude), Ok(vec![]));
    for (hex, fields, size) in blocks {
        assert_eq!(decode(&mut decoder, hex).unwrap(), *fields, "{hex}");
        assert_eq!(decoder.table().size(), *size, "{hex}");
    }
}

#[test]
fn c_2_representations() {
    check("", &[("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", &["custom-key: custom-header"], 55)]);
    check("", &[("040c 2f73 616d 706c 652f 7061 7468", &[":path: /sample/path"], 0)]);
    check("", &[("1008 7061 7373 776f 7264 0673 6563 7265 74", &["password: secret"], 0)]);
    check("", &[("82", &[":method: GET"], 0)]);
}

const FIRST: [&str; 4] = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const SECOND: [&str; 5] = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"];
const THIRD: [&str; 5] =
    [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"];

#[test]
fn c_3_requests_without_huffman_codes() {
    check(
        "",
        &[
            ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", &FIRST, 57),
            ("8286 84be 5808 6e6f 2d63 6163 6865", &SECOND, 110),
            ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", &THIRD, 164),
        ],
    );
}

#[test]
fn c_4_requests_with_huffman_codes() {
    check(
        "",
        &[
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", &FIRST, 57),
            ("8286 84be 5886 a8eb 1064 9cbf", &SECOND, 110),
            ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", &THIRD, 164),
        ],
    );
}

const MOVED: [&str; 4] =
    [":status: 302", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"];
const TEMPORARY: [&str; 4] =
    [":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT", "location: https://www.example.com"];
const FOUND: [&str; 6] = [
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
];
/// A table of 256 bytes (§6.3).
const SMALL: &str = "3fe101";

#[test]
fn c_5_responses_without_huffman_codes() {
    check(
        SMALL,
        &[
            (
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768
                 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                &MOVED,
                222,
            ),
            ("4803 3330 37c1 c0bf", &TEMPORARY, 222),
            (
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153
                 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                 3d31",
                &FOUND,
                215,
            ),
        ],
    );
}

#[test]
fn c_6_responses_with_huffman_codes() {
    check(
        SMALL,
        &[
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8
                 e9ae 82ae 43d3",
                &MOVED,
                222,
            ),
            ("4883 640e ffc1 c0bf", &TEMPORARY, 222),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b
                 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                &FOUND,
                215,
            ),
        ],
    );
}

#[test]
fn what_no_encoder_writes_is_an_error() {
    // No index 0, an index behind the table, a string that is cut, an integer without end, a table larger than we allow, its size in the middle.
    for hex in ["80", "be", "ff80808080808001", "0005 6162", "7f ff ff ff ff ff", "3fe2 1f", "8220", "00 85 ff ff ff ff ff 00"] {
        assert_eq!(decode(&mut Decoder::default(), hex), Err(Malformed), "{hex}");
    }
}

#[test]
fn what_the_encoder_writes_the_decoder_reads_while_tables_change() {
    let (mut encoder, mut decoder) = (super::Encoder::default(), Decoder::default());
    for round in 0..2_000u32 {
        if round % 97 == 0 {
            encoder.limit(round * 3);
            encoder.limit(4_096 - round);
        }
        let value = format!("{}", round % 41 * 1_000);
        let fields = [
            (":path", format!("/{round}")),
            ("x-a", value.repeat(1 + round as usize % 70)),
            ("user-agent", value),
            ("accept", String::new()),
            ("cookie", "secret".to_owned()),
        ];
        let mut block = Vec::new();
        encoder.begin(&mut block);
        fields.iter().for_each(|(name, value)| encoder.field(name.as_bytes(), value.as_bytes(), &mut block));
        let mut read = Vec::new();
        decoder.decode(&block, |name, value| read.push((name.to_vec(), value.to_vec()))).unwrap();
        let expected: Vec<_> = fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        assert_eq!(read, expected, "{round}");
    }
}
