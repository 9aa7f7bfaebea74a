//! Metrics, hooks, time.

use std::time::Duration;

use cutover_core::metric::{Found, Reading};
use cutover_core::spec::Metric;
use cutover_core::units::At;
use cutover_engine::clock::Stamp;
use cutover_engine::ports::{
    Clock, Due, HookResult, Hooks, Memory, MetricError, MetricSource, Sides,
};

use super::Shared;
use crate::weather::Showing;

impl MetricSource for Shared {
    async fn read(
        &self,
        metric: &Metric,
        _sides: &Sides,
        _memory: &mut Memory,
    ) -> Result<Reading, MetricError> {
        self.call().await;
        let mut world = self.world();
        let showing = match world.scenario.showing {
            Showing::Wavering => {
                let all = [Showing::Alike, Showing::Worse, Showing::Nothing, Showing::Down];
                // Sometimes it is not even a number.
                if world.dice.chance(200) { None } else { world.dice.pick(&all) }
            }
            showing => Some(showing),
        };
        let nothing = || Found::Nothing("no data".to_owned());
        let found = match showing {
            Some(Showing::Alike) => Found::Value(1.0),
            Some(Showing::Worse) => Found::Value(1000.0),
            Some(Showing::Nothing) => nothing(),
            Some(Showing::Wavering) | None => Found::Value(f64::NAN),
            Some(Showing::Down) => {
                return Err(MetricError {
                    metric: metric.name.clone(),
                    from: "the simulated world".to_owned(),
                    reason: "it is down".to_owned(),
                    help: None,
                });
            }
        };
        Ok(Reading::of(found))
    }
}

impl Hooks for Shared {
    async fn run(&self, due: Due) -> HookResult {
        self.call().await;
        let (ok, until) = {
            let mut world = self.world();
            let fact = |name: &str| {
                let found = due.facts.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            };
            if fact("event") == "after-ready" {
                world.hook_runs += 1;
            }
            if world.hook_runs > world.hook_starts.len() {
                world.check(Err("I10 a hook ran more often than it was recorded".to_owned()));
            }
            let fails = if world.scenario.clean { 0 } else { world.scenario.suppose.hook_fails };
            let ok = !world.dice.chance(fails);
            (ok, world.now + world.dice.up_to(Duration::from_secs(4)))
        };
        self.wait(until).await;
        HookResult { ok, detail: String::new() }
    }
}

impl Clock for Shared {
    fn now(&self) -> At {
        self.world().now
    }

    fn stamp(&self) -> Stamp {
        let at = self.now();
        Stamp { at, boottime: at.0, boot: String::new() }
    }

    async fn sleep(&self, span: Duration) {
        if span > Duration::ZERO {
            let until = {
                let mut world = self.world();
                world.pace = span;
                world.now + span
            };
            // A world in which nothing happens may sleep longer than was asked.
            let longest = until + Duration::from_secs(3600);
            self.until(longest, move |world| (world.now >= until).then_some(())).await;
        }
    }
}
