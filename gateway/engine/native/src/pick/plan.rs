use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Random;
use crate::tables::{Endpoint, PlanMessage};

/// Who is picked from while neither the cluster nor the suspicions change (gateway/balance/plan.ts).
#[derive(Default)]
pub struct Plan {
    pools: Vec<Pool>,
    /// In this order: priorities that hold no load now; then those under suspicion and those that their registry calls unhealthy.
    fallbacks: Vec<Vec<Host>>,
}

struct Pool {
    load: f64,
    localities: Vec<Locality>,
}

struct Locality {
    weight: f64,
    standing: f64,
    hosts: Vec<Host>,
}

#[derive(Clone, Copy)]
struct Host {
    /// Its place in the cluster's endpoints.
    at: u32,
    weight: f64,
}

impl Plan {
    /// Err: it names an endpoint that is not there.
    pub fn new(message: PlanMessage, endpoints: usize) -> Result<Self, String> {
        let host = |at: u32, weight: f64| {
            let known = (at as usize) < endpoints && weight.is_finite();
            if known { Ok(Host { at, weight }) } else { Err(format!("the plan names endpoint {at} of {endpoints}")) }
        };
        let hosts = |list: &[(u32, f64)]| list.iter().map(|&(at, weight)| host(at, weight)).collect::<Result<Vec<_>, _>>();
        let mut pools = Vec::with_capacity(message.pools.len());
        for pool in &message.pools {
            let mut localities = Vec::with_capacity(pool.localities.len());
            for each in &pool.localities {
                localities.push(Locality { weight: each.weight, standing: each.standing, hosts: hosts(&each.hosts)? });
            }
            pools.push(Pool { load: pool.load, localities });
        }
        let fallbacks = message.spare.iter().chain(&message.suspects);
        let fallbacks = fallbacks.map(|list| list.iter().map(|&at| host(at, 1.0)).collect()).collect::<Result<_, _>>()?;
        Ok(Self { pools, fallbacks })
    }
}

/// How hosts of one locality share it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    RoundRobin,
    LeastRequest,
    Random,
}

/// Where the rotations of one cluster stand. Belongs to one plan; `standing` goes on to the next.
pub struct Picker {
    /// By place in the cluster's endpoints.
    pub standing: Vec<f64>,
    /// By pool and locality.
    localities: Vec<Vec<f64>>,
}

impl Picker {
    pub fn new(standing: Vec<f64>, plan: &Plan) -> Self {
        let localities = plan.pools.iter().map(|pool| pool.localities.iter().map(|each| each.standing).collect()).collect();
        Self { standing, localities }
    }

    /// `excluded` are left out, and their shares go to the others. None: nobody is left.
    pub fn pick(
        &mut self,
        plan: &Plan,
        sharing: Sharing,
        endpoints: &[Arc<Endpoint>],
        excluded: &[u32],
        random: &mut Random,
    ) -> Option<u32> {
        let is_left = |host: &Host| !excluded.contains(&host.at);
        let open = |pool: &Pool| pool.localities.iter().any(|each| each.hosts.iter().any(is_left));
        let pools: Vec<usize> = (0..plan.pools.len()).filter(|&at| open(&plan.pools[at])).collect();
        if let Some(at) = draw_pool(&plan.pools, &pools, random) {
            let pool = &plan.pools[at];
            let left = |at: usize| pool.localities[at].hosts.iter().any(is_left);
            let candidates: Vec<usize> = (0..pool.localities.len()).filter(|&at| left(at)).collect();
            let locality = match candidates.as_slice() {
                [only] => *only,
                _ => rotate(&candidates, |&at| pool.localities[at].weight, |&at| at, &mut self.localities[at])?,
            };
            let hosts: Vec<Host> = pool.localities[locality].hosts.iter().copied().filter(is_left).collect();
            return self.among(&hosts, sharing, endpoints, random);
        }
        for hosts in &plan.fallbacks {
            let left: Vec<Host> = hosts.iter().copied().filter(is_left).collect();
            if !left.is_empty() {
                return self.among(&left, sharing, endpoints, random);
            }
        }
        None
    }

    fn among(&mut self, hosts: &[Host], sharing: Sharing, endpoints: &[Arc<Endpoint>], random: &mut Random) -> Option<u32> {
        let active = |host: &Host| endpoints.get(host.at as usize).map_or(0, |e| e.active.load(Ordering::Relaxed));
        match (hosts, sharing) {
            ([], _) => None,
            ([only], _) => Some(only.at),
            (_, Sharing::Random) => {
                let mut left = random.draw() * hosts.iter().map(|host| host.weight).sum::<f64>();
                let drawn = hosts.iter().find(|host| {
                    left -= host.weight;
                    left < 0.0
                });
                drawn.or(hosts.last()).map(|host| host.at)
            }
            (_, Sharing::LeastRequest) if hosts.iter().all(|host| host.weight == hosts[0].weight) => {
                let (one, other) = (&hosts[random.below(hosts.len())], &hosts[random.below(hosts.len())]);
                Some(if active(other) < active(one) { other.at } else { one.at })
            }
            (_, Sharing::LeastRequest) => {
                let weight = |host: &Host| host.weight / f64::from(active(host) + 1);
                rotate(hosts, weight, |host| host.at as usize, &mut self.standing).map(|at| at as u32)
            }
            (_, Sharing::RoundRobin) => rotate(hosts, |host| host.weight, |host| host.at as usize, &mut self.standing).map(|at| at as u32),
        }
    }
}

/// A priority by its share of the load.
fn draw_pool(pools: &[Pool], open: &[usize], random: &mut Random) -> Option<usize> {
    if let [] | [_] = open {
        return open.first().copied();
    }
    let mut left = random.draw() * open.iter().map(|&at| pools[at].load).sum::<f64>();
    for &at in open {
        left -= pools[at].load;
        if left < 0.0 {
            return Some(at);
        }
    }
    open.last().copied()
}

/// Smooth weighted round robin (gateway/balance/rotate.ts): everybody gains its weight, the first of those with most pays the sum.
fn rotate<T>(items: &[T], weight_of: impl Fn(&T) -> f64, place: impl Fn(&T) -> usize, standing: &mut [f64]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    let mut total = 0.0;
    for item in items {
        let weight = weight_of(item);
        let seat = standing.get_mut(place(item))?;
        *seat += weight;
        total += weight;
        if best.is_none_or(|(_, most)| *seat > most) {
            best = Some((place(item), *seat));
        }
    }
    let (at, _) = best?;
    standing[at] -= total;
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pools: &str) -> Plan {
        Plan::new(serde_json::from_str(pools).unwrap(), 4).unwrap()
    }

    fn picks(plan: &Plan, excluded: &[u32], count: usize) -> Vec<u32> {
        let mut picker = Picker::new(vec![0.0; 4], plan);
        let mut random = Random::new(7);
        (0..count).map_while(|_| picker.pick(plan, Sharing::RoundRobin, &[], excluded, &mut random)).collect()
    }

    #[test]
    fn shares_are_exact_and_consecutive_picks_differ() {
        let plan = plan(r#"{"pools":[{"load":100,"localities":[{"weight":1,"hosts":[[0,3],[1,1]]}]}]}"#);
        assert_eq!(picks(&plan, &[], 8), [0, 0, 1, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn localities_take_turns_by_weight() {
        let plan = plan(r#"{"pools":[{"load":100,"localities":[{"weight":1,"hosts":[[0,1]]},{"weight":1,"hosts":[[1,1],[2,1]]}]}]}"#);
        let seen = picks(&plan, &[], 8);
        assert_eq!(seen.iter().filter(|&&at| at == 0).count(), 4);
        assert_eq!(seen.iter().filter(|&&at| at == 2).count(), 2);
    }

    #[test]
    fn whoever_was_tried_is_left_out_and_spare_comes_before_suspects() {
        let text = r#"{"pools":[{"load":100,"localities":[{"weight":1,"hosts":[[0,1]]}]}],"spare":[[1]],"suspects":[[2],[3]]}"#;
        let plan = plan(text);
        assert_eq!(picks(&plan, &[0], 1), [1]);
        assert_eq!(picks(&plan, &[0, 1], 1), [2]);
        assert_eq!(picks(&plan, &[0, 1, 2], 1), [3]);
        assert!(picks(&plan, &[0, 1, 2, 3], 1).is_empty());
    }

    #[test]
    fn pools_share_by_load() {
        let text = r#"{"pools":[{"load":70,"localities":[{"weight":1,"hosts":[[0,1]]}]},{"load":30,"localities":[{"weight":1,"hosts":[[1,1]]}]}]}"#;
        let seen = picks(&plan(text), &[], 10_000);
        let first = seen.iter().filter(|&&at| at == 0).count();
        assert!((6_700..7_300).contains(&first), "{first} of 10,000 went to the pool of 70 %");
    }

    #[test]
    fn a_plan_that_names_nobody_is_refused() {
        let message = serde_json::from_str(r#"{"pools":[],"spare":[[4]]}"#).unwrap();
        assert!(Plan::new(message, 4).is_err());
    }
}
