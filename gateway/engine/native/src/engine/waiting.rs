use std::time::{Duration, Instant};

use crate::net::{Epoll, Events, thread_cpu_ns};

/// How long a thread stays awake for what may come.
const AWAKE: Duration = Duration::from_micros(50);
/// What a manner is judged by: so many waits.
const JUDGED: u32 = 64;
/// Waits of them that may be in vain before staying awake is given up.
const MOST_IN_VAIN: u32 = 8;
/// The other manner is tried after so many judgements: rarely where it makes connections wait longer, which one in a hundred would notice.
const TRY_AWAKE_AFTER: u32 = 16;
const TRY_ASLEEP_AFTER: u32 = 256;
/// It has to cost less than so much of the one before, in hundredths.
const CHEAPER: u64 = 92;

/// How a thread waits for what is ready: asleep, or awake for a moment first. Being put to sleep and woken takes CPU, of those that are woken as
/// well, and time, on a virtual machine tens of µs; staying awake takes CPU as long as nothing comes. Which of them costs less is a matter of the
/// traffic and the machine, so both are measured, by the thread's own CPU for each event: awake only while that is the cheaper one.
#[derive(Default)]
pub struct Waiting {
    manner: Manner,
    /// ns of CPU for an event, lately, by the manner that was not tried last.
    usual: Option<u64>,
    /// It is a trial of the other manner.
    trial: bool,
    /// Judgements since the last.
    judged: u32,
    seen: Seen,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Manner {
    #[default]
    Asleep,
    Awake,
}

/// Since the last judgement.
#[derive(Default)]
struct Seen {
    waits: u32,
    in_vain: u32,
    events: u64,
    /// Of the thread when they began, ns.
    cpu: u64,
}

impl Waiting {
    /// As `Epoll::wait`.
    pub fn wait(&mut self, epoll: &Epoll, events: &mut Events, timeout_ms: i32) {
        if timeout_ms == 0 || self.manner == Manner::Asleep || !self.stay_awake(epoll, events) {
            epoll.wait(events, timeout_ms);
        }
        self.seen.waits += 1;
        self.seen.events += events.len() as u64;
        if self.seen.waits == JUDGED || self.seen.in_vain > MOST_IN_VAIN {
            self.judge(thread_cpu_ns());
        }
    }

    /// Whether something came. Whoever else wants this CPU has it meanwhile.
    fn stay_awake(&mut self, epoll: &Epoll, events: &mut Events) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < AWAKE {
            epoll.wait(events, 0);
            if !events.is_empty() {
                return true;
            }
            std::thread::yield_now();
        }
        self.seen.in_vain += 1;
        false
    }

    fn judge(&mut self, cpu: u64) {
        let seen = std::mem::replace(&mut self.seen, Seen { cpu, ..Seen::default() });
        let cost = cpu.saturating_sub(seen.cpu) / seen.events.max(1);
        let in_vain = seen.in_vain > MOST_IN_VAIN;
        if self.trial {
            let cheaper = self.usual.is_some_and(|usual| cost * 100 < usual * CHEAPER);
            self.trial = false;
            if cheaper && !in_vain {
                self.usual = Some(cost);
            } else {
                self.change();
            }
            return;
        }
        if in_vain {
            self.usual = None;
            self.change();
            return;
        }
        self.usual = Some(self.usual.map_or(cost, |usual| (usual * 7 + cost) / 8));
        self.judged += 1;
        let after = if self.manner == Manner::Asleep { TRY_AWAKE_AFTER } else { TRY_ASLEEP_AFTER };
        if self.judged >= after {
            self.trial = true;
            self.change();
        }
    }

    fn change(&mut self) {
        self.judged = 0;
        self.manner = if self.manner == Manner::Asleep { Manner::Awake } else { Manner::Asleep };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread whose waits cost what they are said to.
    #[derive(Default)]
    struct Costs {
        waiting: Waiting,
        cpu: u64,
    }

    impl Costs {
        /// `JUDGED` waits of 10 events each, by whatever manner it chose.
        fn wait(&mut self, asleep: u64, awake: u64, in_vain: u32) -> Manner {
            let manner = self.waiting.manner;
            let (cost, in_vain) = if manner == Manner::Asleep { (asleep, 0) } else { (awake, in_vain) };
            self.waiting.seen.in_vain = in_vain;
            self.waiting.seen.events = 640;
            self.cpu += cost * 640;
            self.waiting.judge(self.cpu);
            manner
        }

        /// How many of so many judgements were of waits awake.
        fn awake(&mut self, judgements: usize, asleep: u64, awake: u64, in_vain: u32) -> usize {
            (0..judgements).filter(|_| self.wait(asleep, awake, in_vain) == Manner::Awake).count()
        }
    }

    #[test]
    fn awake_where_that_costs_less_but_for_a_trial_now_and_then() {
        let mut costs = Costs::default();
        assert_eq!(costs.awake(16, 20_000, 10_000, 0), 0);
        let awake = costs.awake(1_000, 20_000, 10_000, 0);
        assert!((995..1_000).contains(&awake), "{awake}");
    }

    #[test]
    fn asleep_where_it_does_not_but_for_a_trial_now_and_then() {
        let mut costs = Costs::default();
        let awake = costs.awake(1_700, 10_000, 9_500, 0);
        assert_eq!(awake, 100, "a little less is noise");
    }

    #[test]
    fn asleep_as_soon_as_little_comes_whatever_it_costs() {
        let mut costs = Costs::default();
        costs.awake(100, 20_000, 10_000, 0);
        assert_eq!(costs.waiting.manner, Manner::Awake);
        costs.wait(20_000, 10_000, MOST_IN_VAIN + 1);
        assert_eq!(costs.waiting.manner, Manner::Asleep);
        assert_eq!(costs.awake(170, 20_000, 10_000, MOST_IN_VAIN + 1), 10);
    }

    #[test]
    fn other_traffic_is_judged_anew() {
        let mut costs = Costs::default();
        costs.awake(600, 20_000, 10_000, 0);
        assert_eq!(costs.waiting.manner, Manner::Awake);
        let awake = costs.awake(2_000, 5_000, 10_000, 0);
        assert!(awake < 600, "{awake}");
    }

    #[test]
    fn waits_until_something_is_ready_or_the_time_is_over() {
        let epoll = Epoll::new().unwrap();
        let (near, far) = crate::net::pair().unwrap();
        use std::os::fd::AsRawFd;
        epoll.add_level(near.as_raw_fd(), 7).unwrap();
        let mut events = Events::with_capacity(4);
        let mut waiting = Waiting { manner: Manner::Awake, ..Waiting::default() };
        let begun = Instant::now();
        waiting.wait(&epoll, &mut events, 20);
        assert!(events.is_empty() && begun.elapsed() >= Duration::from_millis(20));
        crate::net::write(far.as_raw_fd(), b"x").unwrap();
        waiting.wait(&epoll, &mut events, -1);
        assert_eq!((events.len(), events.get(0).token, waiting.seen.in_vain), (1, 7, 1));
    }
}
