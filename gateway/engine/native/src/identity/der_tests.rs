use super::*;

fn oid_of(content: &[u8]) -> Result<String, DerError> {
    read_oid(Some(&Der { tag: OID, content, raw: content }))
}

fn time_of(tag: u8, text: &str) -> Result<i64, DerError> {
    read_time(Some(&Der { tag, content: text.as_bytes(), raw: &[] }))
}

#[test]
fn lengths_are_definite_and_minimal() {
    let wrong: [(&[u8], &str); 8] = [
        (&[], "truncated"),
        (&[0x30], "truncated"),
        (&[0x30, 2, 0], "truncated"),
        (&[0x30, 0x80, 0, 0], "length form"),
        (&[0x30, 0x84, 0, 0, 0, 1, 0], "length form"),
        (&[0x30, 0x81, 1, 0], "length is not minimal"),
        (&[0x30, 0x82, 0, 0x80], "length is not minimal"),
        (&[0x1f, 1, 0], "tag of several bytes"),
    ];
    for (bytes, reason) in wrong {
        assert_eq!(read(bytes).unwrap_err(), reason, "{bytes:?}");
    }
    assert_eq!(read(&[5, 0, 0]).unwrap_err(), "bytes after the end");
    assert_eq!(read(&[0; MAX_BYTES + 1]).unwrap_err(), "more than 65536 bytes");
    let mut long = vec![4, 0x81, 0x80];
    long.extend([7; 0x80]);
    assert_eq!(read(&long).unwrap().content, &[7; 0x80]);
}

#[test]
fn integers_are_minimal_and_not_negative() {
    let of = |content: &'static [u8]| read_unsigned(Some(&Der { tag: INTEGER, content, raw: &[] }), INTEGER);
    assert_eq!(of(&[0]), Ok(&[0][..]));
    assert_eq!(of(&[0, 0x80]), Ok(&[0x80][..]));
    assert_eq!(of(&[0, 0x7f]).unwrap_err(), "INTEGER is not minimal");
    assert_eq!(of(&[0, 0]).unwrap_err(), "INTEGER is not minimal");
    assert_eq!(of(&[0x80]).unwrap_err(), "negative INTEGER");
    assert_eq!(of(&[]).unwrap_err(), "empty INTEGER");
}

#[test]
fn object_identifiers_that_no_table_knows_are_spelled_out() {
    assert_eq!(oid_of(&[0x2a, 3, 4]).unwrap(), "1.2.3.4");
    assert_eq!(oid_of(&[0x88, 0x37, 3]).unwrap(), "2.999.3");
    assert_eq!(oid_of(&[0x2a, 0x80, 1]).unwrap_err(), "OID arc is not minimal");
    assert_eq!(oid_of(&[0x2a, 0x81]).unwrap_err(), "truncated OID");
    assert_eq!(oid_of(&[]).unwrap_err(), "truncated OID");
    assert_eq!(oid_of(&[0xff; 9]).unwrap_err(), "OID arc too big");
}

#[test]
fn times_are_in_the_one_form_that_certificates_may_have() {
    assert_eq!(time_of(UTC_TIME, "700101000000Z"), Ok(0));
    assert_eq!(time_of(UTC_TIME, "491231235959Z"), Ok(2_524_607_999_000));
    assert_eq!(time_of(UTC_TIME, "500101000000Z"), Ok(-631_152_000_000));
    assert_eq!(time_of(GENERALIZED_TIME, "20240229120000Z"), Ok(1_709_208_000_000));
    assert_eq!(time_of(GENERALIZED_TIME, "99991231235959Z"), Ok(253_402_300_799_000));
    for (tag, text) in
        [(UTC_TIME, "2602300000Z"), (UTC_TIME, "260230000000+"), (UTC_TIME, "26023000000aZ"), (GENERALIZED_TIME, "260101000000Z")]
    {
        assert_eq!(time_of(tag, text).unwrap_err(), "time form", "{text}");
    }
    for text in [
        "230229000000Z",
        "260431000000Z",
        "260001000000Z",
        "261301000000Z",
        "260100000000Z",
        "260101240000Z",
        "260101006000Z",
        "260101000060Z",
    ] {
        assert_eq!(time_of(UTC_TIME, text).unwrap_err(), "no such time", "{text}");
    }
    assert_eq!(time_of(GENERALIZED_TIME, "21000229000000Z").unwrap_err(), "no such time");
    assert_eq!(time_of(INTEGER, "").unwrap_err(), "not a time");
}
