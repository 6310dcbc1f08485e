//! `--name value` pairs.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::str::FromStr;

pub struct Args {
    values: HashMap<String, String>,
}

/// Whom to load, and with which names.
pub struct Target {
    pub address: SocketAddrV4,
    /// With `{}` where the number of the route goes; None: no ClientHello.
    pub sni: Option<String>,
    pub routes: usize,
}

impl Args {
    /// Refuses names that are not `known`, and names without a value.
    pub fn parse(mut given: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, String> {
        let mut values = HashMap::new();
        while let Some(name) = given.next() {
            let bare = name.strip_prefix("--").filter(|bare| known.contains(bare));
            let bare = bare.ok_or_else(|| format!("{name}: not one of --{}", known.join(" --")))?;
            let value = given.next().ok_or_else(|| format!("{name}: no value"))?;
            values.insert(bare.to_owned(), value);
        }
        Ok(Self { values })
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("--{name} {text}: not a number that fits")),
        }
    }

    pub fn target(&self) -> Result<Target, String> {
        let text = self.text("target").ok_or("--target HOST:PORT is missing")?;
        let address = text.parse().map_err(|_| format!("--target {text}: not an IPv4 address and port"))?;
        let routes = self.number("routes", 1_usize)?.max(1);
        Ok(Target { address, sni: self.text("sni").map(str::to_owned), routes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[&str]) -> Result<Args, String> {
        Args::parse(given.iter().map(|each| (*each).to_owned()), &["target", "size"])
    }

    #[test]
    fn wrong_arguments_are_named() {
        assert_eq!(parse(&["--sise", "1"]).err().unwrap(), "--sise: not one of --target --size");
        assert_eq!(parse(&["--size"]).err().unwrap(), "--size: no value");
        assert!(parse(&["--size", "x"]).unwrap().number("size", 1_u32).is_err());
        assert_eq!(parse(&[]).unwrap().number("size", 64_u32), Ok(64));
        assert!(parse(&["--target", "nowhere"]).unwrap().target().is_err());
    }
}
