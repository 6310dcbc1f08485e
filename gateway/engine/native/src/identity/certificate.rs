use super::der::{self, Der, DerError};
use super::extensions::{Extensions, read_extensions};
use super::{hex, signature};

/// An X.509 v3 certificate, read strictly from its DER. Nothing about it has been verified.
#[derive(Debug)]
pub struct Certificate {
    pub der: Vec<u8>,
    /// The signed part.
    pub tbs: Vec<u8>,
    /// Content of the AlgorithmIdentifier's OBJECT IDENTIFIER.
    pub signature_algorithm: Vec<u8>,
    pub signature: Vec<u8>,
    /// Lower-case hex without a sign byte.
    pub serial: String,
    /// DER of the names, to be compared byte by byte.
    pub issuer: Vec<u8>,
    pub subject: Vec<u8>,
    /// Unix ms.
    pub not_before: i64,
    pub not_after: i64,
    /// SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    pub extensions: Extensions,
}

impl Certificate {
    /// SHA-256 of the whole certificate, lower-case hex.
    pub fn fingerprint(&self) -> String {
        hex::encode(&signature::sha256(&[&self.der]))
    }
}

/// Says what is wrong; never panics, whatever the bytes.
pub fn parse_certificate(bytes: &[u8]) -> Result<Certificate, String> {
    read(bytes).map_err(|error| format!("not an X.509 certificate: {error}"))
}

fn read(bytes: &[u8]) -> Result<Certificate, DerError> {
    let whole = der::read(bytes)?;
    let parts = der::sequence(Some(&whole))?;
    if parts.len() > 3 {
        return Err("more than three parts".into());
    }
    let (tbs, algorithm) = (parts.first(), parts.get(1));
    let body = der::sequence(tbs)?;
    if der::read_small_int(Some(&der::read(der::expect(body.first(), der::constructed(0))?.content)?))? != 2 {
        return Err("not version 3".into());
    }
    let outer = der::expect(algorithm, der::SEQUENCE)?;
    if der::expect(body.get(2), der::SEQUENCE)?.raw != outer.raw {
        return Err("signature algorithm inside and outside differ".into());
    }
    let validity = der::sequence(body.get(4))?;
    let signature_algorithm = outer.children()?;
    der::read_oid(signature_algorithm.first())?;
    Ok(Certificate {
        der: whole.raw.to_vec(),
        tbs: der::expect(tbs, der::SEQUENCE)?.raw.to_vec(),
        signature_algorithm: der::expect(signature_algorithm.first(), der::OID)?.content.to_vec(),
        signature: der::read_bits(parts.get(2))?.to_vec(),
        serial: hex::encode(der::read_unsigned(body.get(1), der::INTEGER)?),
        issuer: der::expect(body.get(3), der::SEQUENCE)?.raw.to_vec(),
        subject: der::expect(body.get(5), der::SEQUENCE)?.raw.to_vec(),
        not_before: der::read_time(validity.first())?,
        not_after: der::read_time(validity.get(1))?,
        spki: der::expect(body.get(6), der::SEQUENCE)?.raw.to_vec(),
        extensions: extensions_of(body.get(7..).unwrap_or_default())?,
    })
}

fn extensions_of(optional: &[Der]) -> Result<Extensions, DerError> {
    match optional {
        [] => Ok(Extensions::default()),
        [wrapped] => read_extensions(&der::read(der::expect(Some(wrapped), der::constructed(3))?.content)?),
        _ => Err("unexpected part after the public key".into()),
    }
}
