use crate::message::Head;

/// A request as rules look at it.
pub struct Request<'a> {
    pub head: &'a Head,
    /// Without query.
    pub path: &'a [u8],
    /// Lower case, without port.
    pub host: Host<'a>,
}

/// Nearly all hosts come in lower case.
pub enum Host<'a> {
    AsItIs(&'a [u8]),
    Lowered(Vec<u8>),
}

impl Host<'_> {
    pub fn get(&self) -> &[u8] {
        match self {
            Self::AsItIs(host) => host,
            Self::Lowered(host) => host,
        }
    }
}

impl<'a> Request<'a> {
    pub fn new(head: &'a Head) -> Self {
        let host = without_port(head.get(head.authority));
        let host = if host.iter().any(u8::is_ascii_uppercase) { Host::Lowered(host.to_ascii_lowercase()) } else { Host::AsItIs(host) };
        Self { head, path: head.path_without_query(), host }
    }

    /// Whether there is a line of that name whose value passes, or where it is one of `ONE_LINE` all of them joined.
    pub fn header(&self, name: &[u8], test: impl Fn(&[u8]) -> bool) -> bool {
        let mut lines = self.head.live().filter(|(each, _)| *each == name).map(|(_, value)| value);
        let Some(first) = lines.next() else {
            return self.pseudo(name).is_some_and(test);
        };
        if !ONE_LINE.contains(&name) {
            return test(first) || lines.any(test);
        }
        match lines.next() {
            None => test(first),
            Some(second) => {
                let all: Vec<&[u8]> = [first, second].into_iter().chain(lines).collect();
                test(&all.join(&b","[..]))
            }
        }
    }

    /// The first value of a parameter, as it is written.
    pub fn query(&self, name: &[u8]) -> Option<&'a [u8]> {
        let query = self.head.get(self.head.path).get(self.path.len() + 1..).filter(|query| !query.is_empty())?;
        query.split(|byte| *byte == b'&').find_map(|part| {
            let equals = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            (&part[..equals] == name).then(|| part.get(equals + 1..).unwrap_or_default())
        })
    }

    fn pseudo(&self, name: &[u8]) -> Option<&[u8]> {
        let head = self.head;
        match name {
            b":method" => Some(head.get(head.method)),
            b":path" => Some(head.get(head.path)),
            b":authority" | b"host" => Some(head.get(head.authority)),
            b":scheme" => Some(self.scheme()),
            _ => None,
        }
    }

    pub fn scheme(&self) -> &[u8] {
        match self.head.get(self.head.scheme) {
            b"https" => b"https",
            _ => b"http",
        }
    }
}

/// An IPv6 address keeps its brackets.
fn without_port(authority: &[u8]) -> &[u8] {
    let colon = if authority.first() == Some(&b'[') {
        authority.windows(2).rposition(|pair| pair == b"]:").map(|at| at + 1)
    } else {
        authority.iter().rposition(|byte| *byte == b':')
    };
    &authority[..colon.unwrap_or(authority.len())]
}

/// Of what is sent on several lines, what Envoy holds as one, joined by commas (`gateway/routing/http-match.ts`).
const ONE_LINE: &[&[u8]] = &[
    b"accept",
    b"accept-encoding",
    b"access-control-request-headers",
    b"access-control-request-method",
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-type",
    b"grpc-timeout",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"origin",
    b"pragma",
    b"referer",
    b"user-agent",
    b"via",
    b"x-client-trace-id",
    b"x-forwarded-host",
    b"x-request-id",
];
