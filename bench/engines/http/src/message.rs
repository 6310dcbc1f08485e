//! The head of a message, of either version: one text, and where in it everything is. One is filled again and again.

/// A piece of `Head`'s text.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Span {
    at: u32,
    len: u32,
}

/// Names that the proxy itself has to do with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    Other,
    Connection,
    ContentLength,
    Cookie,
    Host,
    /// Keep-Alive, Proxy-Connection, Upgrade, HTTP2-Settings: of one hop (RFC 9110 §7.6.1), whatever Connection says.
    OfThisHop,
    Te,
    Trailer,
    TransferEncoding,
    ForwardedFor,
    RequestId,
    /// What only the mesh may say: nobody's own gets through.
    OfTheMesh,
}

#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: Span,
    pub value: Span,
    pub known: Known,
    /// It does not go on.
    pub gone: bool,
}

/// Names in lower case. Pseudo-header fields and the parts of a start line are kept apart from `fields`.
#[derive(Clone, Default, Debug)]
pub struct Head {
    text: Vec<u8>,
    pub fields: Vec<Field>,
    pub method: Span,
    /// With its query.
    pub path: Span,
    /// Host or :authority.
    pub authority: Span,
    pub scheme: Span,
    /// Of a response.
    pub status: u16,
    /// HTTP/1.0.
    pub old: bool,
}

/// How a message's body goes on. A length was read from Content-Length, which stays among the fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    None,
    Length(u64),
    Streamed,
}

impl Head {
    /// An answer of our own, which has no body.
    pub fn reply(status: u16) -> Self {
        let mut head = Self { status, ..Self::default() };
        head.push(b"content-length", b"0");
        head
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        (self.method, self.path, self.authority, self.scheme) = <(Span, Span, Span, Span)>::default();
        self.status = 0;
        self.old = false;
    }

    pub fn get(&self, span: Span) -> &[u8] {
        &self.text[span.at as usize..][..span.len as usize]
    }

    /// Bytes of everything that was put in.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    pub fn put(&mut self, bytes: &[u8]) -> Span {
        let at = self.text.len() as u32;
        self.text.extend_from_slice(bytes);
        Span { at, len: bytes.len() as u32 }
    }

    /// Puts a text of bytes that `map` makes of others; it stops at the first that is made 0. The bytes that were taken.
    pub fn put_mapped(&mut self, bytes: &[u8], map: &[u8; 256]) -> Span {
        let at = self.text.len();
        self.text.extend(bytes.iter().map(|byte| map[usize::from(*byte)]).take_while(|byte| *byte != 0));
        Span { at: at as u32, len: (self.text.len() - at) as u32 }
    }

    /// `name`: in lower case.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let name = self.put(name);
        let value = self.put(value);
        self.push_spans(name, value);
    }

    pub fn push_spans(&mut self, name: Span, value: Span) {
        let known = known(self.get(name));
        self.fields.push(Field { name, value, known, gone: false });
    }

    /// Fields that go on: name, value.
    pub fn live(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().filter(|field| !field.gone).map(|field| (self.get(field.name), self.get(field.value)))
    }

    /// The first that goes on.
    pub fn value_of(&self, known: Known) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.known == known && !field.gone).map(|field| self.get(field.value))
    }

    pub fn drop_known(&mut self, known: Known) {
        self.fields.iter_mut().filter(|field| field.known == known).for_each(|field| field.gone = true);
    }

    /// Where `path`'s query begins; its end where there is none.
    pub fn path_without_query(&self) -> &[u8] {
        let path = self.get(self.path);
        path.split(|byte| *byte == b'?').next().unwrap_or(path)
    }
}

impl Span {
    pub fn len(self) -> usize {
        self.len as usize
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The same without its first `skip` bytes and no longer than `len`.
    pub fn part(self, skip: usize, len: usize) -> Self {
        let skip = (skip as u32).min(self.len);
        Self { at: self.at + skip, len: (len as u32).min(self.len - skip) }
    }
}

fn known(name: &[u8]) -> Known {
    match name {
        b"te" => Known::Te,
        b"host" => Known::Host,
        b"cookie" => Known::Cookie,
        b"trailer" => Known::Trailer,
        b"upgrade" | b"keep-alive" | b"proxy-connection" | b"http2-settings" => Known::OfThisHop,
        b"connection" => Known::Connection,
        b"x-request-id" => Known::RequestId,
        b"content-length" => Known::ContentLength,
        b"x-forwarded-for" => Known::ForwardedFor,
        b"transfer-encoding" => Known::TransferEncoding,
        b"x-isthmus-local-origin" | b"x-forwarded-client-cert" => Known::OfTheMesh,
        _ => Known::Other,
    }
}
