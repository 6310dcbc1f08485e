use std::collections::HashMap;

/// Finds by host name: exact, then the longest `*.suffix`, then `*` (`gateway/routing/by-domain.ts`).
#[derive(Default)]
pub struct ByDomain {
    exact: HashMap<Vec<u8>, usize>,
    suffixes: Vec<(Vec<u8>, usize)>,
    any: Option<usize>,
}

impl ByDomain {
    /// Of one domain said twice, the first holds.
    pub fn add(&mut self, domain: &str, value: usize) {
        let name = domain.to_lowercase();
        match name.strip_prefix('*') {
            Some("") => self.any = self.any.or(Some(value)),
            Some(suffix) => {
                self.suffixes.push((suffix.into(), value));
                self.suffixes.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
            }
            None => drop(self.exact.entry(name.into_bytes()).or_insert(value)),
        }
    }

    /// `host`: lower case, without port.
    pub fn find(&self, host: &[u8]) -> Option<usize> {
        let by_suffix = || {
            // At least one character stands for the star.
            let fits = |suffix: &[u8]| host.len() > suffix.len() && host.ends_with(suffix);
            self.suffixes.iter().find(|(suffix, _)| fits(suffix)).map(|(_, value)| *value)
        };
        let exact = if self.exact.is_empty() { None } else { self.exact.get(host).copied() };
        exact.or_else(by_suffix).or(self.any)
    }
}
