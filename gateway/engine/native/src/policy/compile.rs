//! Conditions, ready to be asked: what their patterns cost is paid once.

use super::authz::L4Facts;
use super::cidr::{self, Cidr};
use super::pattern::{Pattern, any_matches};
use super::rules::{Attribute, AuthzCondition, AuthzTest, PolicyError};
use super::truth::{Truth, every_true, not_true, some_true};

#[derive(Clone, Debug)]
pub(super) enum Condition {
    All(Box<[Condition]>),
    Any(Box<[Condition]>),
    Not(Box<Condition>),
    /// Of a request, or of what this version does not know: a connection does not tell.
    Open,
    Principal(Box<[Pattern]>),
    Namespace(Box<[Pattern]>),
    Cluster(Box<[Pattern]>),
    TrustDomain(Box<[Pattern]>),
    ServiceAccount(Box<[String]>),
    SourceIp(Box<[Cidr]>),
    DestinationIp(Box<[Cidr]>),
    Port(Box<[u16]>),
    Sni(Box<[Pattern]>),
}

impl Condition {
    pub(super) fn compile(condition: &AuthzCondition) -> Result<Self, PolicyError> {
        let each = |of: &[AuthzCondition]| of.iter().map(Self::compile).collect::<Result<_, _>>();
        Ok(match condition {
            AuthzCondition::All { of } => Self::All(each(of)?),
            AuthzCondition::Any { of } => Self::Any(each(of)?),
            AuthzCondition::Not { of } => Self::Not(Box::new(Self::compile(of)?)),
            AuthzCondition::Unknown => Self::Open,
            AuthzCondition::Test(test) => Self::compile_test(test)?,
        })
    }

    fn compile_test(AuthzTest { attribute, patterns }: &AuthzTest) -> Result<Self, PolicyError> {
        Ok(match attribute {
            Attribute::Principal => Self::Principal(Pattern::all(patterns)),
            Attribute::Namespace => Self::Namespace(Pattern::all(patterns)),
            Attribute::Cluster => Self::Cluster(Pattern::all(patterns)),
            Attribute::TrustDomain => Self::TrustDomain(Pattern::all(patterns)),
            Attribute::ServiceAccount => Self::ServiceAccount(patterns.clone().into()),
            Attribute::SourceIp => Self::SourceIp(cidr::strict(patterns)?),
            Attribute::DestinationIp => Self::DestinationIp(cidr::strict(patterns)?),
            Attribute::Port => Self::Port(patterns.iter().filter_map(|text| plain_number(text)).collect()),
            Attribute::Sni => Self::Sni(Pattern::all(patterns)),
            Attribute::Method | Attribute::Path | Attribute::Host | Attribute::Header | Attribute::RequestPrincipal | Attribute::Claim => {
                Self::Open
            }
        })
    }

    /// Whether it holds by itself.
    pub(super) fn holds(&self, facts: &L4Facts<'_>) -> Truth {
        match self {
            Self::All(of) => every_true(of.iter().map(|each| each.holds(facts))),
            Self::Any(of) => some_true(of.iter().map(|each| each.holds(facts))),
            Self::Not(of) => not_true(of.holds(facts)),
            Self::Open => None,
            Self::Principal(patterns) => Some(any_matches(patterns, facts.principal)),
            Self::Namespace(patterns) => Some(any_matches(patterns, facts.namespace)),
            Self::Cluster(patterns) => Some(any_matches(patterns, facts.cluster)),
            Self::TrustDomain(patterns) => Some(any_matches(patterns, trust_domain(facts.principal))),
            Self::ServiceAccount(accounts) => Some(accounts.iter().any(|account| is_account(account, facts))),
            Self::SourceIp(ranges) => Some(ranges.iter().any(|range| range.contains(facts.source))),
            Self::DestinationIp(ranges) => Some(ranges.iter().any(|range| range.contains(facts.destination))),
            Self::Port(ports) => Some(ports.contains(&facts.port)),
            Self::Sni(patterns) => Some(any_matches(patterns, facts.sni)),
        }
    }

    /// It looks at a request, or at what may be one.
    pub(super) fn mentions_request(&self) -> bool {
        match self {
            Self::All(of) | Self::Any(of) => of.iter().any(Self::mentions_request),
            Self::Not(of) => of.mentions_request(),
            Self::Open => true,
            _ => false,
        }
    }
}

/// Ports are compared as texts: what is written otherwise is none.
fn plain_number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number: &u16| number.to_string() == text)
}

/// Empty where there is none.
pub(super) fn trust_domain(principal: &str) -> &str {
    principal.split_once('/').map_or("", |(domain, _)| domain)
}

/// `account`: NAMESPACE/SERVICE_ACCOUNT of TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT; of another domain it is none of ours.
fn is_account(account: &str, facts: &L4Facts<'_>) -> bool {
    let own = if facts.foreign { None } else { own_account(facts.principal) };
    match own {
        None => account.is_empty(),
        Some((namespace, name)) => account.split_once('/') == Some((namespace, name)),
    }
}

fn own_account(principal: &str) -> Option<(&str, &str)> {
    let mut parts = principal.split('/').skip(1);
    let [ns, namespace, sa, account] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    (ns == "ns" && sa == "sa").then_some((namespace, account))
}
