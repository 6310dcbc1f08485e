/// Why a request is answered here, or a response thrown away: a status, and a word for the log, as the TypeScript path has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    pub status: u16,
    pub detail: &'static str,
}

pub const fn refused(status: u16, detail: &'static str) -> Refused {
    Refused { status, detail }
}
