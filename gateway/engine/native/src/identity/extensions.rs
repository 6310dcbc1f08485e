use std::collections::HashSet;

use super::der::{self, Der, DerError};
use super::oids;

/// The extensions that path validation here understands (RFC 5280 §4.2). Absent ones are `None`.
#[derive(Debug, Default)]
pub struct Extensions {
    pub basic_constraints: Option<BasicConstraints>,
    pub key_usage: Option<KeyUsage>,
    /// OIDs.
    pub extended_key_usage: Option<Vec<String>>,
    pub subject_alt_name: Option<SubjectAltName>,
    pub name_constraints: Option<NameConstraints>,
    /// Critical ones that are none of these: whoever meets one must refuse.
    pub unknown_critical: Vec<String>,
}

#[derive(Debug)]
pub struct BasicConstraints {
    pub ca: bool,
    pub path_length: Option<u32>,
}

#[derive(Debug)]
pub struct KeyUsage {
    pub digital_signature: bool,
    pub key_cert_sign: bool,
}

#[derive(Debug)]
pub struct SubjectAltName {
    pub uris: Vec<String>,
    pub dns: Vec<String>,
    /// Names of other types: email, IP, directory, ...
    pub others: usize,
}

#[derive(Debug)]
pub struct NameConstraints {
    pub permitted_dns: Vec<String>,
    pub excluded_dns: Vec<String>,
    /// Constraints on other types of names, which nothing here can check.
    pub others: usize,
}

/// `Extensions ::= SEQUENCE OF Extension`.
pub fn read_extensions(whole: &Der) -> Result<Extensions, DerError> {
    let mut found = Extensions::default();
    let mut seen = HashSet::new();
    for element in der::sequence(Some(whole))? {
        let parts = der::sequence(Some(&element))?;
        let id = der::read_oid(parts.first())?;
        if !seen.insert(id.clone()) {
            return Err(format!("extension {id} twice"));
        }
        let critical = parts.len() == 3 && der::read_boolean(parts.get(1))?;
        if !(2..=3).contains(&parts.len()) {
            return Err("extension form".into());
        }
        let value = der::read(der::expect(parts.last(), der::OCTET_STRING)?.content)?;
        if !read_known(&mut found, &id, &value)? && critical {
            found.unknown_critical.push(id);
        }
    }
    Ok(found)
}

fn read_known(into: &mut Extensions, id: &str, value: &Der) -> Result<bool, DerError> {
    match id {
        oids::BASIC_CONSTRAINTS => into.basic_constraints = Some(read_basic_constraints(value)?),
        oids::KEY_USAGE => into.key_usage = Some(read_key_usage(value)?),
        oids::EXTENDED_KEY_USAGE => {
            let uses = der::sequence(Some(value))?;
            into.extended_key_usage = Some(uses.iter().map(|part| der::read_oid(Some(part))).collect::<Result<_, _>>()?);
        }
        oids::SUBJECT_ALT_NAME => into.subject_alt_name = Some(read_subject_alt_name(value)?),
        oids::NAME_CONSTRAINTS => into.name_constraints = Some(read_name_constraints(value)?),
        // Hints for finding an issuer: of the right form, and not asked for.
        oids::SUBJECT_KEY_IDENTIFIER => drop(der::expect(Some(value), der::OCTET_STRING)?),
        oids::AUTHORITY_KEY_IDENTIFIER => drop(der::sequence(Some(value))?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn read_basic_constraints(value: &Der) -> Result<BasicConstraints, DerError> {
    let parts = der::sequence(Some(value))?;
    let ca = match parts.first() {
        Some(part) if part.tag == der::BOOLEAN => der::read_boolean(Some(part))?,
        _ => false,
    };
    let length = parts.iter().find(|part| part.tag == der::INTEGER);
    let path_length = length.map(|part| der::read_small_int(Some(part))).transpose()?;
    Ok(BasicConstraints { ca, path_length })
}

fn read_key_usage(value: &Der) -> Result<KeyUsage, DerError> {
    match der::expect(Some(value), der::BIT_STRING)?.content {
        [0..=7, first, ..] => Ok(KeyUsage { digital_signature: first & 0x80 != 0, key_cert_sign: first & 0x04 != 0 }),
        _ => Err("KeyUsage".into()),
    }
}

const DNS_NAME: u8 = der::primitive(2);
const URI_NAME: u8 = der::primitive(6);

fn names_of(list: &[Der], wanted: u8) -> Result<Vec<String>, DerError> {
    list.iter().filter(|name| name.tag == wanted).map(der::read_ia5).collect()
}

fn read_subject_alt_name(value: &Der) -> Result<SubjectAltName, DerError> {
    let names = der::sequence(Some(value))?;
    let uris = names_of(&names, URI_NAME)?;
    let dns = names_of(&names, DNS_NAME)?;
    let others = names.len() - uris.len() - dns.len();
    Ok(SubjectAltName { uris, dns, others })
}

fn read_name_constraints(value: &Der) -> Result<NameConstraints, DerError> {
    let permitted = subtrees(value, 0)?;
    let excluded = subtrees(value, 1)?;
    let permitted_dns = names_of(&permitted, DNS_NAME)?;
    let excluded_dns = names_of(&excluded, DNS_NAME)?;
    let others = permitted.len() + excluded.len() - permitted_dns.len() - excluded_dns.len();
    Ok(NameConstraints { permitted_dns, excluded_dns, others })
}

/// The bases of `[n]`, permitted or excluded subtrees.
fn subtrees<'a>(value: &Der<'a>, n: u8) -> Result<Vec<Der<'a>>, DerError> {
    let parts = der::sequence(Some(value))?;
    let Some(list) = parts.iter().find(|part| part.tag == der::constructed(n)) else {
        return Ok(Vec::new());
    };
    let base = |subtree: &Der<'a>| {
        let parts = der::sequence(Some(subtree))?;
        let base = *parts.first().ok_or("GeneralSubtree")?;
        // RFC 5280 §4.2.1.10: minimum is 0 and absent in DER, maximum is absent.
        match parts.get(1) {
            None => Ok(base),
            Some(bound) => Err(format!("GeneralSubtree bound {}", super::hex::encode(der::read_unsigned(Some(bound), bound.tag)?))),
        }
    };
    list.children()?.iter().map(base).collect()
}
