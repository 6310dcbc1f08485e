use std::time::{Duration, Instant};

use crate::net::{Epoll, Events, thread_cpu_ns};

/// How long a thread stays awake for what may come.
const AWAKE: Duration = Duration::from_micros(50);
/// What a manner is judged by: so many waits.
const JUDGED: u32 = 64;
/// Waits of them that may be in vain, or have found the CPU wanted by somebody else, before staying awake is given up.
const MOST_IN_VAIN: u32 = 8;
/// Judgements of a trial.
const TRIED: u32 = 4;
/// The other manner is tried after so many judgements, and then after twice as many each time that it was not the better one.
const TRY_AFTER: u32 = 16;
const MOST_TRY_AFTER: u32 = 1_024;
/// It has to cost less than so much of the one before, in hundredths.
const CHEAPER: u64 = 92;
/// With more bytes for an event than this streams are moved in bulk, and who looks more often has more events for the same bytes.
const MOST_BYTES: u64 = 4_096;
/// A look that took so long has found the CPU wanted by somebody else.
const CROWDED: Duration = Duration::from_micros(100);

/// How a thread waits for what is ready: asleep, or awake for a moment first. Being put to sleep and woken takes CPU, of those that are woken as
/// well, and time, on a virtual machine tens of µs; staying awake takes CPU as long as nothing comes. Which of them costs less is a matter of the
/// traffic and the machine, so both are measured, by the thread's own CPU for each event: awake only while that is the cheaper one. Threads that
/// are woken for several events at once, or move bytes in bulk, have enough to do, and sleep: one that looks more often has more events for the same
/// bytes.
pub struct Waiting {
    manner: Manner,
    /// ns of CPU for an event, lately, by the manner that is not on trial.
    usual: Option<u64>,
    /// Judgements of the other manner so far, and what they came to; none: it is not on trial.
    trial: Option<(u32, Seen)>,
    /// Judgements since the last trial, and after how many there is the next.
    judged: u32,
    try_after: u32,
    seen: Seen,
    /// Of the thread when `seen` began.
    began: Spent,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    Asleep,
    Awake,
}

/// By a thread since it began.
#[derive(Clone, Copy, Default)]
struct Spent {
    /// ns.
    cpu: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    /// That could wait: not those that were asked to return at once.
    waits: u32,
    in_vain: u32,
    events: u64,
    /// ns.
    cpu: u64,
}

impl Default for Waiting {
    fn default() -> Self {
        let (usual, trial, seen) = (None, None, Seen::default());
        Self { manner: Manner::Asleep, usual, trial, judged: 0, try_after: TRY_AFTER, seen, began: Spent::default() }
    }
}

impl Waiting {
    /// As `Epoll::wait`. `bytes`: of streams that the thread has moved since it began. `alone`: no other thread waits for the same listeners; they
    /// would be woken for callers that one awake has taken.
    pub fn wait(&mut self, epoll: &Epoll, events: &mut Events, timeout_ms: i32, bytes: u64, alone: impl FnOnce() -> bool) {
        // Here what came before has been served, too.
        if self.seen.waits >= JUDGED || self.seen.in_vain > MOST_IN_VAIN {
            self.judge(Spent { cpu: thread_cpu_ns(), bytes }, alone);
        }
        if timeout_ms == 0 || self.manner == Manner::Asleep || !self.stay_awake(epoll, events) {
            epoll.wait(events, timeout_ms);
        }
        self.seen.waits += u32::from(timeout_ms != 0);
        self.seen.events += events.len() as u64;
    }

    /// Whether something came.
    fn stay_awake(&mut self, epoll: &Epoll, events: &mut Events) -> bool {
        let begun = Instant::now();
        loop {
            epoll.wait(events, 0);
            let passed = begun.elapsed();
            if !events.is_empty() {
                self.seen.in_vain += u32::from(passed >= CROWDED);
                return true;
            }
            if passed >= AWAKE {
                self.seen.in_vain += 1;
                return false;
            }
            // Whoever else wants this CPU may be the one that is waited for.
            std::thread::yield_now();
        }
    }

    fn judge(&mut self, now: Spent, alone: impl FnOnce() -> bool) {
        let seen = Seen { cpu: now.cpu.saturating_sub(self.began.cpu), ..self.seen };
        let bytes = now.bytes - self.began.bytes;
        (self.seen, self.began) = (Seen::default(), now);
        let suited = bytes <= seen.events.saturating_mul(MOST_BYTES) && alone();
        if self.manner == Manner::Awake && (seen.in_vain > MOST_IN_VAIN || !suited) {
            return self.go_asleep();
        }
        if let Some((judged, before)) = self.trial {
            return self.go_on_trying(judged + 1, before.and(seen));
        }
        // Timers alone, or nearly: nothing to judge by.
        if seen.events < u64::from(seen.waits) / 2 {
            return;
        }
        let cost = seen.cost();
        self.usual = Some(self.usual.map_or(cost, |usual| (usual * 7 + cost) / 8));
        self.judged = self.judged.saturating_add(1);
        let single = seen.events < u64::from(seen.waits) * 5 / 4;
        if self.judged >= self.try_after && (self.manner == Manner::Awake || (single && suited)) {
            self.trial = Some((0, Seen::default()));
            self.change();
        }
    }

    fn go_on_trying(&mut self, judged: u32, all: Seen) {
        if judged < TRIED {
            self.trial = Some((judged, all));
            return;
        }
        self.trial = None;
        if self.usual.is_some_and(|usual| all.cost().saturating_mul(100) < usual.saturating_mul(CHEAPER)) {
            (self.usual, self.judged, self.try_after) = (Some(all.cost()), 0, TRY_AFTER);
        } else {
            self.try_after = (self.try_after * 2).min(MOST_TRY_AFTER);
            self.change();
        }
    }

    /// Little comes, or what does not suit it. Where that was found out by a trial, the next one is later; where it is the traffic that has changed,
    /// what it will be next is anybody's guess.
    fn go_asleep(&mut self) {
        if self.trial.take().is_some() {
            self.try_after = (self.try_after * 2).min(MOST_TRY_AFTER);
        } else {
            (self.usual, self.try_after) = (None, TRY_AFTER);
        }
        self.change();
    }

    fn change(&mut self) {
        self.judged = 0;
        self.manner = if self.manner == Manner::Asleep { Manner::Awake } else { Manner::Asleep };
    }
}

impl Seen {
    /// ns of CPU for an event.
    fn cost(self) -> u64 {
        self.cpu / self.events.max(1)
    }

    fn and(self, other: Self) -> Self {
        Self {
            waits: self.waits + other.waits,
            in_vain: self.in_vain + other.in_vain,
            events: self.events + other.events,
            cpu: self.cpu + other.cpu,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    /// A thread whose waits cost what they are said to, ns an event.
    #[derive(Default)]
    struct Costs {
        waiting: Waiting,
        spent: Spent,
    }

    #[derive(Clone, Copy)]
    struct Traffic {
        asleep: u64,
        awake: u64,
        in_vain: u32,
        /// For each wait.
        events: u64,
        /// For each event.
        bytes: u64,
        alone: bool,
    }

    const SINGLE: Traffic = Traffic { asleep: 20_000, awake: 10_000, in_vain: 0, events: 1, bytes: 64, alone: true };

    impl Costs {
        /// How many of so many judgements were of waits awake.
        fn awake(&mut self, judgements: usize, traffic: Traffic) -> usize {
            (0..judgements).filter(|_| self.judgement(traffic) == Manner::Awake).count()
        }

        fn judgement(&mut self, traffic: Traffic) -> Manner {
            let manner = self.waiting.manner;
            let (cost, in_vain) = if manner == Manner::Asleep { (traffic.asleep, 0) } else { (traffic.awake, traffic.in_vain) };
            let events = traffic.events * u64::from(JUDGED);
            self.waiting.seen = Seen { waits: JUDGED, in_vain, events, ..Seen::default() };
            self.spent.cpu += cost * events;
            self.spent.bytes += traffic.bytes * events;
            self.waiting.judge(self.spent, || traffic.alone);
            manner
        }
    }

    #[test]
    fn awake_where_that_costs_less_but_for_a_trial_now_and_then() {
        let mut costs = Costs::default();
        assert_eq!(costs.awake(16, SINGLE), 0);
        assert!(costs.awake(1_000, SINGLE) > 970);
        assert!(costs.awake(10_000, SINGLE) > 9_940, "one connection in a hundred must not notice");
    }

    #[test]
    fn asleep_where_it_does_not_and_trials_become_rare() {
        for dearer in [Traffic { awake: 19_000, ..SINGLE }, Traffic { in_vain: MOST_IN_VAIN + 1, ..SINGLE }] {
            let mut costs = Costs::default();
            costs.awake(2_000, dearer);
            assert!(costs.awake(10_000, dearer) <= 40, "a little less is noise");
        }
    }

    #[test]
    fn asleep_where_there_is_enough_to_do_or_others_wait_for_the_same_callers() {
        let unsuited = [Traffic { alone: false, ..SINGLE }, Traffic { bytes: 5_000, ..SINGLE }];
        for busy in [Traffic { events: 2, ..SINGLE }, Traffic { events: 0, ..SINGLE }].into_iter().chain(unsuited) {
            assert_eq!(Costs::default().awake(1_000, busy), 0);
        }
        for now_unsuited in unsuited {
            let mut costs = Costs::default();
            costs.awake(100, SINGLE);
            assert_eq!(costs.waiting.manner, Manner::Awake);
            assert!(costs.awake(1_000, now_unsuited) <= 1, "as soon as it is seen");
        }
    }

    #[test]
    fn asleep_as_soon_as_little_comes_and_awake_again_soon_after_it_comes_back() {
        let mut costs = Costs::default();
        costs.awake(100, SINGLE);
        assert_eq!(costs.judgement(Traffic { in_vain: MOST_IN_VAIN + 1, ..SINGLE }), Manner::Awake);
        assert_eq!(costs.waiting.manner, Manner::Asleep);
        assert!(costs.awake(40, SINGLE) >= 20);
    }

    #[test]
    fn other_traffic_is_judged_anew() {
        let mut costs = Costs::default();
        costs.awake(600, SINGLE);
        assert_eq!(costs.waiting.manner, Manner::Awake);
        costs.awake(MOST_TRY_AFTER as usize + 10, Traffic { asleep: 5_000, ..SINGLE });
        assert!(costs.awake(2_000, Traffic { asleep: 5_000, ..SINGLE }) < 100);
    }

    #[test]
    fn waits_until_something_is_ready_or_the_time_is_over() {
        let epoll = Epoll::new().unwrap();
        let (near, far) = crate::net::pair().unwrap();
        epoll.add_level(near.as_raw_fd(), 7).unwrap();
        let mut events = Events::with_capacity(4);
        let mut waiting = Waiting { manner: Manner::Awake, ..Waiting::default() };
        let begun = Instant::now();
        waiting.wait(&epoll, &mut events, 20, 0, || true);
        assert!(events.is_empty() && begun.elapsed() >= Duration::from_millis(20));
        crate::net::write(far.as_raw_fd(), b"x").unwrap();
        waiting.wait(&epoll, &mut events, -1, 0, || true);
        assert_eq!((events.len(), events.get(0).token, waiting.seen.in_vain, waiting.seen.waits), (1, 7, 1, 2));
        waiting.wait(&epoll, &mut events, 0, 0, || true);
        assert_eq!((events.len(), waiting.seen.waits), (1, 2), "one that may not wait is none to judge by");
    }
}
