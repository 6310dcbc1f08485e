/// A text that must be equal, `*` for anything that is not empty, or a text with `*` at its beginning or its end, as Istio's
/// AuthorizationPolicy has them. No pattern matches the empty value: what was not proven is nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        if let Some(prefix) = text.strip_suffix('*') {
            Self::Prefix(prefix.into())
        } else if let Some(suffix) = text.strip_prefix('*') {
            Self::Suffix(suffix.into())
        } else {
            Self::Exact(text.into())
        }
    }

    pub(super) fn all(texts: &[String]) -> Box<[Self]> {
        texts.iter().map(|text| Self::new(text)).collect()
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        !value.is_empty()
            && match self {
                Self::Exact(text) => value == &**text,
                Self::Prefix(text) => value.starts_with(&**text),
                Self::Suffix(text) => value.ends_with(&**text),
            }
    }
}

/// One of them matches.
pub(super) fn any_matches(patterns: &[Pattern], value: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(value))
}

/// The trust domain that a principal's pattern names in full; `None` where it leaves one open.
pub(super) fn trust_domain_of(pattern: &str) -> Option<&str> {
    let (named, _) = pattern.split_once('/')?;
    (!named.is_empty() && !named.contains('*')).then_some(named)
}
