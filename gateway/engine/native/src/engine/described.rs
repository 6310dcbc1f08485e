/// Connections whose ends are described one by one, in a second; beyond it those alone that did not end well. A million an hour are 278.
const DESCRIBED_A_SECOND: u64 = 200;
const DESCRIBED_WITH_REASON: u64 = 500;

/// Whose end is described by itself, and whose counts in a sum.
#[derive(Default)]
pub struct Described {
    second: u64,
    /// In this second.
    ended: u64,
    described: u64,
    /// So many ended in the second before that those of this one that end well are spread over it. Whoever reads them would have all of them to do
    /// at its beginning, and each byte would wait for that.
    spread: bool,
}

impl Described {
    /// One more has ended. `now`: monotonic ms; `every`: ms from one time that TypeScript looks to the next.
    pub fn admit(&mut self, now: u64, every: u64, went_well: bool) -> bool {
        let second = now / 1_000;
        // Threads look at their clocks once a turn: one may still be in the second before.
        if second > self.second {
            let spread = self.second + 1 == second && self.ended > DESCRIBED_WITH_REASON;
            *self = Self { second, spread, ..Self::default() };
        }
        self.ended += 1;
        let most = if went_well { DESCRIBED_A_SECOND } else { DESCRIBED_WITH_REASON };
        let by_now =
            if self.spread && went_well { most * (now.saturating_sub(self.second * 1_000) / every + 1) * every / 1_000 } else { most };
        let admitted = self.described < by_now.min(most);
        self.described += u64::from(admitted);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(described: &mut Described, now: u64, went_well: bool, ends: usize) -> usize {
        (0..ends).filter(|_| described.admit(now, 200, went_well)).count()
    }

    #[test]
    fn a_part_of_each_second_the_longest_what_failed() {
        let mut described = Described::default();
        assert_eq!(admitted(&mut described, 5_900, true, 250), 200);
        assert_eq!(admitted(&mut described, 5_900, false, 250), 250, "of what failed 500 in all");
        assert_eq!(admitted(&mut described, 5_999, false, 250), 50);
        assert_eq!(admitted(&mut described, 7_000, true, 250), 200, "after a second without any");
        assert_eq!(admitted(&mut described, 8_000, true, 250), 200, "250 are few enough to be read at once");
    }

    #[test]
    fn where_more_end_than_that_for_long_they_are_spread_over_the_second() {
        let mut described = Described::default();
        admitted(&mut described, 1_000, true, 501);
        assert_eq!(admitted(&mut described, 2_000, true, 250), 40);
        assert_eq!(admitted(&mut described, 1_999, true, 250), 0, "by the clock of another thread");
        assert_eq!(admitted(&mut described, 2_199, true, 250), 0);
        assert_eq!(admitted(&mut described, 2_500, true, 250), 80);
        assert_eq!(admitted(&mut described, 2_999, true, 250), 80, "and are as many");
        assert_eq!(admitted(&mut described, 2_999, false, 501), 300);
    }
}
