//! Which rule answers for a name: the one of that name, or what stands in for it.

use super::sni_name::{ServiceTarget, gateway_subset_of, parse_sni_name, sni_name, terminated_subset};

/// Subsets of a service that is being moved: those who serve it from of old, and those who take it over.
const SIDES: [&str; 2] = ["isthmus-from", "isthmus-to"];

/// By the exact name; else, of a user's subset that has no name of its own here, the service it is a subset of, where `any_subset` says that
/// its rule is an mTLS end for all of them. So too of a side of a shift while this gateway knows of neither: callers may hear of it before,
/// and of its end after. Asks `look_up` up to four times; allocates only where the exact name is not known.
pub fn find_rule<T>(sni: &str, look_up: impl Fn(&str) -> Option<T>, any_subset: impl Fn(&T) -> bool) -> Option<T> {
    let exact = look_up(sni);
    if exact.is_some() {
        return exact;
    }
    let target = parse_sni_name(sni)?;
    let as_subset = |subset: &str| look_up(&sni_name(ServiceTarget { subset, ..target }));
    if let Some(whole) = of_unknown_shift(target.subset, as_subset) {
        return Some(whole);
    }
    // What asks a gateway to be the mTLS end is never for an end of its own.
    if target.subset.is_empty() || terminated_subset(target.subset).is_some() {
        return None;
    }
    as_subset("").filter(any_subset)
}

fn of_unknown_shift<T>(subset: &str, as_subset: impl Fn(&str) -> Option<T>) -> Option<T> {
    let ended = terminated_subset(subset);
    if !SIDES.contains(&ended.unwrap_or(subset)) {
        return None;
    }
    let named = |side: &str| {
        if ended.is_some() { as_subset(&gateway_subset_of(side)) } else { as_subset(side) }
    };
    if SIDES.into_iter().any(|side| named(side).is_some()) { None } else { named("") }
}
