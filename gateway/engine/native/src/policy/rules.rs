//! Authorisation rules as TypeScript writes them (`core/authz/contract.ts`, where the words are explained).

use std::fmt;

use serde::Deserialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Allow,
    Deny,
    /// Decides nothing: what it matches is marked in the access log.
    Audit,
}

/// Its own fields, everything in `also` and `when` must hold. A rule without any condition matches everybody.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuthzRule {
    pub action: Action,
    /// For logs and explain; several rules may share one.
    pub name: String,
    pub principals: Vec<String>,
    pub namespaces: Vec<String>,
    pub clusters: Vec<String>,
    #[serde(default)]
    pub also: Vec<AuthzMatch>,
    #[serde(default)]
    pub when: Option<AuthzCondition>,
}

/// All non-empty fields must hold; of each list one entry has to match, of the last two none may.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthzMatch {
    pub principals: Vec<String>,
    pub namespaces: Vec<String>,
    pub clusters: Vec<String>,
    pub not_principals: Vec<String>,
    pub not_namespaces: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AuthzCondition {
    All {
        of: Vec<AuthzCondition>,
    },
    Any {
        of: Vec<AuthzCondition>,
    },
    Not {
        of: Box<AuthzCondition>,
    },
    /// What this version does not know. It may hold or not.
    Unknown,
    Test(AuthzTest),
}

/// One attribute is like one of the patterns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuthzTest {
    pub attribute: Attribute,
    pub patterns: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    Principal,
    Namespace,
    Cluster,
    ServiceAccount,
    TrustDomain,
    SourceIp,
    DestinationIp,
    Port,
    Sni,
    Method,
    Path,
    Host,
    Header,
    RequestPrincipal,
    Claim,
}

impl Attribute {
    /// A byte stream has none of these.
    pub const fn is_of_request(self) -> bool {
        matches!(self, Self::Method | Self::Path | Self::Host | Self::Header | Self::RequestPrincipal | Self::Claim)
    }
}

/// Why rules cannot be enforced; the tables that hold them are refused whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    NotARange(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARange(text) => write!(f, "\"{text}\" is no address range; write it as ADDRESS/BITS"),
        }
    }
}

impl std::error::Error for PolicyError {}
