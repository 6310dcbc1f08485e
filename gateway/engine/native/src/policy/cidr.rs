//! Ranges of addresses. IPv4 is the part `::ffff:0:0/96` of IPv6 (RFC 4291 §2.5.5.2), so that an address means the same whichever family of
//! socket it came by.

use std::net::IpAddr;

use super::rules::PolicyError;

/// A range, as its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: u128,
    mask: u128,
}

impl Cidr {
    /// ADDRESS/BITS, or an address alone. Bits of the address behind the range do not count. `None`: neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest: u32 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => longest,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok().filter(|bits| *bits <= longest)?,
            Some(_) => return None,
        };
        // Of IPv4 the 96 bits before the address count as well.
        let mask = u128::MAX.checked_shl(longest - bits).unwrap_or(0);
        Some(Self { network: bits_of(address) & mask, mask })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        bits_of(address) & self.mask == self.network
    }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whose connections a listener takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceRanges {
    /// The bind address is the border.
    Any,
    /// Empty: nobody.
    Listed(Box<[Cidr]>),
}

impl SourceRanges {
    /// Entries that are no range allow nobody.
    pub fn listed(cidrs: &[String]) -> Self {
        Self::Listed(cidrs.iter().filter_map(|cidr| Cidr::parse(cidr)).collect())
    }

    pub fn allow(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(ranges) => ranges.iter().any(|range| range.contains(address)),
        }
    }
}

/// The form of the tables: a list, or the word `any`.
impl<'de> serde::Deserialize<'de> for SourceRanges {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            Listed(Vec<String>),
            Word(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Listed(cidrs) => Ok(Self::listed(&cidrs)),
            Form::Word(word) if word == "any" => Ok(Self::Any),
            Form::Word(word) => Err(serde::de::Error::custom(format!("\"{word}\" is neither a list of ranges nor \"any\""))),
        }
    }
}

/// Ranges of a rule, each as ADDRESS/BITS: one that is none would change whom the rule means.
pub(super) fn strict(cidrs: &[String]) -> Result<Box<[Cidr]>, PolicyError> {
    let range = |cidr: &str| if cidr.contains('/') { Cidr::parse(cidr) } else { None };
    let strict = |cidr: &String| range(cidr).ok_or_else(|| PolicyError::NotARange(cidr.clone()));
    cidrs.iter().map(strict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_takes_nothing_but_ranges() {
        let strict = |cidr: &str| strict(&[cidr.to_owned()]).map(|ranges| ranges.len());
        assert_eq!(strict("10.0.0.0/8"), Ok(1));
        for wrong in ["10.0.0.1", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "orders/8", ""] {
            assert_eq!(strict(wrong), Err(PolicyError::NotARange(wrong.to_owned())));
        }
    }

    #[test]
    fn tables_say_any_or_a_list() {
        let read = |text: &str| serde_json::from_str::<SourceRanges>(text);
        assert_eq!(read("\"any\"").ok(), Some(SourceRanges::Any));
        assert_eq!(read("[]").ok(), Some(SourceRanges::listed(&[])));
        assert!(read("\"all\"").is_err() && read("null").is_err());
    }
}
