use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::{CertificateError, Error, OtherError};

/// Why an end is no more. Reasons are for logs on this side; they hold public contents of certificates and nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// TLS held, but the peer is not who it must be; the reason is `identity`'s.
    Identity(String),
    /// TLS itself broke, in the handshake or after it, or the other side says so.
    Handshake(String),
    /// TCP ended after the handshake without close_notify: what came may be less than what was sent. A break, to be passed on as one.
    Truncated,
}

impl TlsFault {
    /// Stable word for counters and reports.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Identity(_) => "peer-refused",
            Self::Handshake(_) => "handshake-failed",
            Self::Truncated => "truncated",
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(reason) => write!(out, "peer refused: {reason}"),
            Self::Handshake(reason) => write!(out, "TLS failed: {reason}"),
            Self::Truncated => out.write_str("ended without close_notify"),
        }
    }
}

impl StdError for TlsFault {}

/// A refusal by `identity` on its way through rustls, which tells the peer no more than certificate_unknown (RFC 8446 §6.2).
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl StdError for Refused {}

pub fn refusal(reason: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(reason)))))
}

impl From<Error> for TlsFault {
    fn from(error: Error) -> Self {
        match &error {
            Error::NoCertificatesPresented => return Self::Identity("no certificate".into()),
            Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
                if let Some(Refused(reason)) = other.downcast_ref() {
                    return Self::Identity(reason.clone());
                }
            }
            _ => {}
        }
        Self::Handshake(error.to_string())
    }
}
