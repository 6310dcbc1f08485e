/// Whether something holds; `None`: that cannot be told, as something that it asks for is not known. What decides on it must not let anybody
/// in by what may not hold, nor spare anybody from what may.
pub(super) type Truth = Option<bool>;

pub(super) fn every_true(truths: impl IntoIterator<Item = Truth>) -> Truth {
    decided_by(false, truths)
}

pub(super) fn some_true(truths: impl IntoIterator<Item = Truth>) -> Truth {
    decided_by(true, truths)
}

/// One such truth decides; else one that is not known leaves it open.
fn decided_by(decisive: bool, truths: impl IntoIterator<Item = Truth>) -> Truth {
    let mut open = false;
    for truth in truths {
        match truth {
            Some(truth) if truth == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!decisive)
}

pub(super) fn not_true(truth: Truth) -> Truth {
    truth.map(|truth| !truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kleenes_three_values() {
        let (yes, no, open) = (Some(true), Some(false), None);
        assert_eq!([every_true([]), every_true([yes, open]), every_true([open, no])], [yes, open, no]);
        assert_eq!([some_true([]), some_true([no, open]), some_true([open, yes])], [no, open, yes]);
        assert_eq!([not_true(yes), not_true(no), not_true(open)], [no, yes, open]);
    }
}
