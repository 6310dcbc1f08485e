//! What one rule asks of a request (`gateway/routing/{http-match,string-match}.ts`).

use super::message::{MatchMessage, NamedMessage, PathMessage, TextMessage};
use super::request::Request;

pub struct Match {
    path: Option<(Path, bool)>,
    method: Option<Text>,
    scheme: Option<Text>,
    authority: Option<Text>,
    headers: Box<[Named]>,
    query: Box<[Named]>,
}

enum Text {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
}

enum Path {
    Text(Text),
    Segments(Box<[u8]>),
}

struct Named {
    name: Box<[u8]>,
    value: Option<Text>,
    wanted: bool,
}

impl Match {
    pub fn compile(message: &MatchMessage) -> Result<Self, String> {
        if !message.source_labels.is_empty() {
            return Err("sourceLabels are decided before the tables are written".to_owned());
        }
        let text = |text: &Option<TextMessage>| text.as_ref().map(|text| Text::compile(text, false)).transpose();
        let all = |named: &[NamedMessage]| named.iter().map(Named::compile).collect::<Result<_, _>>();
        Ok(Self {
            path: message.path.as_ref().map(|path| Path::compile(path, message.ignore_case)).transpose()?,
            method: text(&message.method)?,
            scheme: text(&message.scheme)?,
            authority: message.authority.as_ref().map(|text| Text::compile(text, true)).transpose()?,
            headers: all(&message.headers)?,
            query: all(&message.query)?,
        })
    }

    /// All that is said must hold.
    pub fn holds(&self, request: &Request<'_>) -> bool {
        let head = request.head;
        let is = |text: &Option<Text>, value: &[u8]| text.as_ref().is_none_or(|text| text.holds(value, false));
        self.path.as_ref().is_none_or(|(path, ignore_case)| path.holds(request.path, *ignore_case))
            && is(&self.method, head.get(head.method))
            && is(&self.scheme, request.scheme())
            && is(&self.authority, request.host.get())
            && self.headers.iter().all(|each| request.header(&each.name, |value| each.allows(value)) == each.wanted)
            && self.query.iter().all(|each| request.query(&each.name).is_some_and(|value| each.allows(value)) == each.wanted)
    }
}

impl Text {
    fn compile(message: &TextMessage, ignore_case: bool) -> Result<Self, String> {
        let bytes = |text: &str| latin1(text, ignore_case);
        Ok(match message {
            TextMessage::Exact(text) => Self::Exact(bytes(text)?),
            TextMessage::Prefix(text) => Self::Prefix(bytes(text)?),
            TextMessage::Suffix(text) => Self::Suffix(bytes(text)?),
        })
    }

    fn holds(&self, value: &[u8], ignore_case: bool) -> bool {
        let equal = |part: &[u8], wanted: &[u8]| if ignore_case { part.eq_ignore_ascii_case(wanted) } else { part == wanted };
        match self {
            Self::Exact(wanted) => equal(value, wanted),
            Self::Prefix(wanted) => value.get(..wanted.len()).is_some_and(|part| equal(part, wanted)),
            Self::Suffix(wanted) => value.len().checked_sub(wanted.len()).is_some_and(|at| equal(&value[at..], wanted)),
        }
    }
}

impl Path {
    fn compile(message: &PathMessage, ignore_case: bool) -> Result<(Self, bool), String> {
        let bytes = |text: &str| latin1(text, ignore_case);
        let path = match message {
            PathMessage::Exact(text) => Self::Text(Text::Exact(bytes(text)?)),
            PathMessage::Prefix(text) => Self::Text(Text::Prefix(bytes(text)?)),
            // `/` is every path.
            PathMessage::Segments(text) if text == "/" => Self::Segments(Box::default()),
            PathMessage::Segments(text) => Self::Segments(bytes(text)?),
        };
        Ok((path, ignore_case))
    }

    fn holds(&self, path: &[u8], ignore_case: bool) -> bool {
        match self {
            Self::Text(text) => text.holds(path, ignore_case),
            Self::Segments(wanted) if wanted.is_empty() => true,
            Self::Segments(wanted) => {
                let within = path
                    .get(..wanted.len())
                    .is_some_and(|part| if ignore_case { part.eq_ignore_ascii_case(wanted) } else { *part == **wanted });
                within && matches!(path.get(wanted.len()), None | Some(b'/'))
            }
        }
    }
}

impl Named {
    fn compile(NamedMessage { name, value, not }: &NamedMessage) -> Result<Self, String> {
        let value = value.as_ref().map(|value| Text::compile(value, false)).transpose()?;
        Ok(Self { name: latin1(name, false)?, value, wanted: !not })
    }

    fn allows(&self, value: &[u8]) -> bool {
        self.value.as_ref().is_none_or(|text| text.holds(value, false))
    }
}

/// As what is read from the wire is a text to TypeScript. One that no header can hold is refused.
fn latin1(text: &str, lower: bool) -> Result<Box<[u8]>, String> {
    let bytes: Option<Box<[u8]>> = text.chars().map(|each| u8::try_from(u32::from(each)).ok()).collect();
    let bytes = bytes.ok_or_else(|| format!("{text:?} holds what no request can"))?;
    Ok(if lower { bytes.to_ascii_lowercase().into() } else { bytes })
}
