//! What an mTLS end says to a caller: the mesh's one evaluation (`core/authz`), for connections.

use std::net::IpAddr;

use super::compile::{Condition, trust_domain};
use super::pattern::{Pattern, any_matches, trust_domain_of};
use super::rules::{Action, AuthzMatch, AuthzRule, PolicyError};
use super::truth::Truth;

/// Who calls, as its SVID proves it, and the connection that it came by.
#[derive(Clone, Copy, Debug)]
pub struct L4Facts<'a> {
    /// TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT, without the scheme. Empty: it came in the clear, as nobody.
    pub principal: &'a str,
    /// Of the principal.
    pub namespace: &'a str,
    /// Mesh cluster, as proven by the DNS SAN.
    pub cluster: &'a str,
    /// Of another trust domain, as its bundle proves it; namespace and cluster are empty then.
    pub foreign: bool,
    /// The direct peer's, which may be a gateway's.
    pub source: IpAddr,
    pub destination: IpAddr,
    /// The service port that the caller asked for.
    pub port: u16,
    pub sni: &'a str,
}

/// Rules of one mTLS end, compiled. Immutable.
#[derive(Clone, Debug, Default)]
pub struct CompiledRules {
    rules: Box<[Rule]>,
}

impl CompiledRules {
    /// An error names what cannot be enforced.
    pub fn compile(rules: &[AuthzRule]) -> Result<Self, PolicyError> {
        Ok(Self { rules: rules.iter().map(Rule::compile).collect::<Result<_, _>>()? })
    }
}

/// Of a byte stream: deny rules first, then any allow rule, otherwise refused. In Envoy's words, `none` where no allow rule matched; `None`:
/// allowed. Of what the facts do not tell, an allow rule lets nobody in by it, and a deny rule refuses. Costs no more than its rules.
pub fn denial(rules: &CompiledRules, facts: &L4Facts<'_>) -> Option<String> {
    let CompiledRules { rules } = rules;
    decide(rules, facts, Requests::None)
}

/// Of a connection that carries requests, each to be judged later: refused only where none of them could be allowed.
pub fn connection_denial(rules: &CompiledRules, facts: &L4Facts<'_>) -> Option<String> {
    let CompiledRules { rules } = rules;
    let truths = |action| of_action(rules, action).map(|rule| rule.matches(facts, Requests::ToCome));
    let denied = truths(Action::Deny).any(|truth| truth == Some(true));
    let may_be_allowed = !denied && truths(Action::Allow).any(|truth| truth != Some(false));
    if may_be_allowed { None } else { decide(rules, facts, Requests::ToCome) }
}

/// Names of the audit rules that mark a byte stream, each once, in their order.
pub fn audited_by<'a>(rules: &'a CompiledRules, facts: &L4Facts<'_>) -> Vec<&'a str> {
    let mut names = Vec::new();
    for rule in of_action(&rules.rules, Action::Audit) {
        if !names.contains(&&*rule.name) && rule.matches(facts, Requests::None) != Some(false) {
            names.push(&*rule.name);
        }
    }
    names
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Requests {
    /// A byte stream has none.
    None,
    ToCome,
}

fn decide(rules: &[Rule], facts: &L4Facts<'_>, requests: Requests) -> Option<String> {
    let denied = of_action(rules, Action::Deny).find(|rule| rule.matches(facts, requests) != Some(false));
    if denied.is_none() && of_action(rules, Action::Allow).any(|rule| rule.matches(facts, requests) == Some(true)) {
        return None;
    }
    let name = denied.map_or("none", |rule| &rule.name);
    Some(format!("rbac_access_denied_matched_policy[{name}]"))
}

fn of_action(rules: &[Rule], action: Action) -> impl Iterator<Item = &Rule> {
    rules.iter().filter(move |rule| rule.action == action)
}

#[derive(Clone, Debug)]
struct Rule {
    action: Action,
    name: Box<str>,
    own: Match,
    also: Box<[Match]>,
    when: Option<Condition>,
    /// Principals' patterns that name their trust domain in full, with that domain: they alone let in callers of another one.
    full_principals: Box<[(Box<str>, Pattern)]>,
}

impl Rule {
    fn compile(rule: &AuthzRule) -> Result<Self, PolicyError> {
        let AuthzRule { action, name, principals, namespaces, clusters, also, when } = rule;
        let named = principals.iter().chain(also.iter().flat_map(|each| &each.principals));
        Ok(Self {
            action: *action,
            name: name.as_str().into(),
            own: Match::new(principals, namespaces, clusters, &[], &[]),
            also: also.iter().map(Match::compile).collect(),
            when: when.as_ref().map(Condition::compile).transpose()?,
            full_principals: named.filter_map(|text| Some((trust_domain_of(text)?.into(), Pattern::new(text)))).collect(),
        })
    }

    fn matches(&self, facts: &L4Facts<'_>, requests: Requests) -> Truth {
        if self.action == Action::Allow && !self.admits(facts) {
            return Some(false);
        }
        if !self.own.includes(facts) || !self.also.iter().all(|each| each.includes(facts)) {
            return Some(false);
        }
        let Some(when) = &self.when else { return Some(true) };
        // As Istio has it: on a byte stream such a rule is no rule at all, whatever else would match.
        if requests == Requests::None && self.action == Action::Allow && when.mentions_request() {
            return Some(false);
        }
        when.holds(facts)
    }

    /// Whether an allow rule is for that caller at all. Identities of another trust domain stay other: what lets in `*`, a namespace's
    /// look-alike or everybody means those of the mesh's own, and one of another domain is let in only by a principal that names its trust
    /// domain in full.
    fn admits(&self, facts: &L4Facts<'_>) -> bool {
        let names =
            |(domain, pattern): &(Box<str>, Pattern)| **domain == *trust_domain(facts.principal) && pattern.matches(facts.principal);
        !facts.foreign || self.full_principals.iter().any(names)
    }
}

#[derive(Clone, Debug)]
struct Match {
    principals: Box<[Pattern]>,
    namespaces: Box<[Pattern]>,
    clusters: Box<[Pattern]>,
    not_principals: Box<[Pattern]>,
    not_namespaces: Box<[Pattern]>,
}

impl Match {
    fn new(
        principals: &[String],
        namespaces: &[String],
        clusters: &[String],
        not_principals: &[String],
        not_namespaces: &[String],
    ) -> Self {
        let [principals, namespaces, clusters] = [principals, namespaces, clusters].map(Pattern::all);
        let [not_principals, not_namespaces] = [not_principals, not_namespaces].map(Pattern::all);
        Self { principals, namespaces, clusters, not_principals, not_namespaces }
    }

    fn compile(of: &AuthzMatch) -> Self {
        Self::new(&of.principals, &of.namespaces, &of.clusters, &of.not_principals, &of.not_namespaces)
    }

    fn includes(&self, facts: &L4Facts<'_>) -> bool {
        let any_or_none = |patterns: &[Pattern], value: &str| patterns.is_empty() || any_matches(patterns, value);
        any_or_none(&self.principals, facts.principal)
            && any_or_none(&self.namespaces, facts.namespace)
            && any_or_none(&self.clusters, facts.cluster)
            && !any_matches(&self.not_principals, facts.principal)
            && !any_matches(&self.not_namespaces, facts.namespace)
    }
}
