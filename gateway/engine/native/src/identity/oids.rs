//! Object identifiers that certificates of this mesh use (RFC 5280, 5480, 5758).

pub const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
pub const KEY_USAGE: &str = "2.5.29.15";
pub const SUBJECT_ALT_NAME: &str = "2.5.29.17";
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
pub const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

/// What a signature of a certificate may be made by: ECDSA or RSA PKCS #1 with SHA-256, 384 or 512. Contents of the OBJECT IDENTIFIERs.
pub const SIGNATURE_ALGORITHMS: [&[u8]; 6] = [
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d],
];

/// The identifier with this content, where every certificate has it: saves spelling it out.
pub fn known(content: &[u8]) -> Option<&'static str> {
    Some(match content {
        [0x55, 0x1d, 14] => SUBJECT_KEY_IDENTIFIER,
        [0x55, 0x1d, 15] => KEY_USAGE,
        [0x55, 0x1d, 17] => SUBJECT_ALT_NAME,
        [0x55, 0x1d, 19] => BASIC_CONSTRAINTS,
        [0x55, 0x1d, 30] => NAME_CONSTRAINTS,
        [0x55, 0x1d, 35] => AUTHORITY_KEY_IDENTIFIER,
        [0x55, 0x1d, 37] => EXTENDED_KEY_USAGE,
        [0x2b, 6, 1, 5, 5, 7, 3, 1] => SERVER_AUTH,
        [0x2b, 6, 1, 5, 5, 7, 3, 2] => CLIENT_AUTH,
        _ => return None,
    })
}
