//! Reads the tables that both engines' tests share, and makes what tests need: a mesh, two ends in memory.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

pub mod counting;
pub mod invariants;
pub mod mesh;
pub mod pipe;
pub mod random;
pub mod scene;

use isthmus_engine::parse::client_hello::HelloOutcome;
pub use mesh::*;
use serde::{Deserialize, de::DeserializeOwned};

/// `test/vectors/NAME.json`.
pub fn table<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../../../test/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Bytes, written in hexadecimal.
#[derive(Clone, Debug)]
pub struct Hex(pub Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(|| serde::de::Error::custom("no hexadecimal"))?;
        Ok(Self(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
    }
}

/// `client-hello.json`: neither hello nor fault: more is to come.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloVector {
    pub name: String,
    pub bytes: Hex,
    pub max_bytes: usize,
    /// Bytes that the outcome takes.
    pub after: usize,
    hello: Option<Hello>,
    fault: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Hello {
    sni: Option<String>,
    /// Each byte a letter of Latin-1.
    alpn: Vec<String>,
    encrypted_client_hello: bool,
}

impl HelloVector {
    pub fn is_final(&self) -> bool {
        self.hello.is_some() || self.fault.is_some()
    }

    pub fn check(&self, outcome: &HelloOutcome<'_>) {
        let found = match outcome {
            HelloOutcome::More { .. } => (None, None),
            HelloOutcome::Fault(fault) => (None, Some(fault.as_str().to_owned())),
            HelloOutcome::Hello(hello) => {
                let alpn = hello.alpn.iter().map(|protocol| protocol.iter().copied().map(char::from).collect()).collect();
                let sni = hello.sni.as_deref().map(str::to_owned);
                (Some(Hello { sni, alpn, encrypted_client_hello: hello.encrypted_client_hello }), None)
            }
        };
        assert_eq!((&found.0, &found.1), (&self.hello, &self.fault), "{}", self.name);
    }
}
