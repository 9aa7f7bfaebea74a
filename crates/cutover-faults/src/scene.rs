//! One run while it goes on: the world, its users, and the release under way.

use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;

use crate::checks::Allowed;
use crate::choices::{Choices, Moment};
use crate::failure::Failure;
use crate::fault::Fault;
use crate::journal::Journal;
use crate::users::Users;
use crate::world::{App, Pattern, Ports, Ran, Started, Version, World};

/// How many apps are released at once where it is many.
const CROWD: u32 = 20;
/// Requests a second: of one app alone, and of each of many.
const RATE: f64 = 40.0;
const RATE_OF_MANY: f64 = 4.0;
/// A release that takes this long hangs.
const RELEASE: Duration = Duration::from_secs(120);

/// What the fault did, and what it explains.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) allowed: Allowed,
    /// From the fault until the part that was hit did its work again.
    pub(crate) back: Option<Duration>,
    /// Promises that were broken while the fault was there.
    pub(crate) wrong: Vec<String>,
    /// What a reader of the report should know.
    pub(crate) note: Option<String>,
    /// Daemons that were started by hand; they end with the world.
    pub(crate) daemons: Vec<Started>,
    /// What holds a port that was stolen.
    pub(crate) thief: Option<TcpListener>,
}

/// The run.
pub(crate) struct Scene<'a> {
    pub(crate) choices: &'a Choices,
    pub(crate) world: World,
    pub(crate) apps: Vec<App>,
    pub(crate) users: Vec<Users>,
    pub(crate) deploys: Vec<Started>,
    pub(crate) effect: Effect,
    /// The newest record before the release.
    pub(crate) mark: u64,
    /// When the run began, in milliseconds since 1970.
    pub(crate) from: u64,
    released: Instant,
    ports: &'a Ports,
}

pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl<'a> Scene<'a> {
    /// A world with its apps, none of them released yet.
    pub(crate) fn new(
        choices: &'a Choices,
        world: World,
        ports: &'a Ports,
    ) -> Result<Scene<'a>, Failure> {
        let mut random = fastrand::Rng::with_seed(choices.seed.0);
        let mut scene = Scene {
            choices,
            world,
            apps: Vec::new(),
            users: Vec::new(),
            deploys: Vec::new(),
            effect: Effect::default(),
            mark: 0,
            from: unix_ms(),
            released: Instant::now(),
            ports,
        };
        let (count, n) = if choices.fault == Fault::Crowd { (CROWD, 1) } else { (1, 3) };
        for number in 0..count {
            let name = if count == 1 { "shop".to_owned() } else { format!("shop-{number}") };
            let listen = ports.take(&mut random)?;
            scene.apps.push(App::new(&scene.world, &name, listen, n)?);
        }
        Ok(scene)
    }

    /// Releases the first version of every app, and lets users come.
    pub(crate) fn begin(&mut self, runtime: &Handle) -> Result<(), Failure> {
        let mut first = Vec::new();
        for app in &self.apps {
            app.write_spec(self.world.program(), Version::First)?;
            first.push(self.world.start(&app.folder, "deploy v1 --json --pattern rolling")?);
        }
        for deploy in first {
            let ran = deploy.wait(RELEASE)?;
            if ran.code != Some(0) {
                return Err(Failure::Said(format!("the first release failed: {ran}")));
            }
        }
        let rate = if self.apps.len() == 1 { RATE } else { RATE_OF_MANY };
        for (app, number) in self.apps.iter().zip(0..) {
            let seed = self.choices.seed.0.wrapping_add(number);
            self.users.push(Users::come(runtime, app, rate, seed)?);
        }
        let served = |users: &Users| users.a_while(20.min(rate as u64), Duration::from_secs(20));
        if !self.users.iter().all(served) {
            return Err(Failure::Said("users are not served before the fault".to_owned()));
        }
        Ok(())
    }

    /// Asks for the next version of every app.
    pub(crate) fn release(&mut self) -> Result<(), Failure> {
        self.mark = Journal::open(&self.world.state())?.newest()?;
        for (app, number) in self.apps.iter().zip(0..) {
            app.write_spec(self.world.program(), self.choices.version)?;
            let all = Pattern::ALL;
            let pattern = match self.apps.len() {
                1 => self.choices.pattern,
                _ => all[number % all.len()],
            };
            let line = format!("deploy v2 --json --pattern {pattern}");
            self.deploys.push(self.world.start(&app.folder, &line)?);
        }
        self.released = Instant::now();
        Ok(())
    }

    /// Waits for the moment of the fault. A release that is over before is hit at rest.
    pub(crate) fn wait_for_moment(&mut self) -> Result<(), Failure> {
        match self.choices.moment {
            Moment::Time(time) => {
                std::thread::sleep(time.saturating_sub(self.released.elapsed()));
            }
            Moment::Record(number) => {
                let journal = Journal::open(&self.world.state())?;
                while journal.count_after(self.mark)? < number
                    && !self.deploys.iter_mut().all(Started::is_over)
                    && self.released.elapsed() < RELEASE
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        Ok(())
    }

    /// Waits until every command that follows a release has ended; gives what they said.
    pub(crate) fn follow(&mut self) -> Result<Vec<Ran>, Failure> {
        let mut concluded = false;
        let end = Instant::now() + RELEASE;
        while !self.deploys.iter_mut().all(Started::is_over) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
            if self.choices.conclude && !concluded {
                concluded = self.conclude()?;
            }
        }
        self.deploys.drain(..).map(|deploy| deploy.wait(Duration::ZERO)).collect()
    }

    /// Ends an experiment that is on in favour of the new version; true if it was asked for.
    fn conclude(&self) -> Result<bool, Failure> {
        let [app] = self.apps.as_slice() else { return Ok(false) };
        if self.choices.pattern != Pattern::AbTesting {
            return Ok(true);
        }
        let status = self.world.ask_daemon(&format!("/v1/apps/{}", app.name));
        let is_on = status.is_some_and(|status| status["rollout"]["reached"] == true);
        if is_on {
            // It may be over just now; how it ended is looked at in any case.
            self.world.run_in(&app.folder, "experiment conclude --keep b --detach")?;
        }
        Ok(is_on)
    }

    /// Are users served, whatever there is no room, no daemon or no journal for? Between the versions
    /// of a big bang nobody serves, and what comes next may need just that.
    pub(crate) fn users_are_served(&self) -> bool {
        let may_be_down = self.choices.pattern == Pattern::BigBang;
        let served = |users: &Users| users.a_while(10, Duration::from_secs(10));
        may_be_down || self.users.iter().all(served)
    }

    /// One of these, as the seed says.
    pub(crate) fn pick<T>(&self, mut of: Vec<T>) -> Option<T> {
        let index = (of.len() as f64 * self.choices.which) as usize;
        (index < of.len()).then(|| of.swap_remove(index))
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        for app in &self.apps {
            self.ports.give_back(app.listen);
        }
    }
}
