//! The end of an instance whose keeper was killed.

use std::time::Duration;

use cutover_core::spec::Drain;

use super::super::exits::Ending;
use super::super::files::{self, Kept, Start};
use super::leftovers::Leftovers;
use super::life::Life;
use super::{detail, survey};

/// How long an app that has lost its keeper is left alone. It still serves: in the first moments it
/// is taken off the route, and in the rest requests inside it can end.
const PEACE: Duration = Duration::from_secs(2);

impl Life {
    /// The keeper died and took its knowledge with it: end what it has left.
    pub(super) async fn bury(&mut self, kept: &Kept) {
        self.reap().await;
        // A stop comes after the requests have ended, so nothing has to be waited for.
        let stop = self.wish.borrow().stop;
        let mut exit = survey::unsaid(kept);
        if stop {
            exit.ending = Ending::Asked;
        } else {
            self.show_lost(&exit);
        }
        if kept.at.is_of_this_boot() {
            let start = files::read::<Start>(&self.folder.start()).ok().flatten();
            if let (Some(spare), Some(start)) = (self.spare.take(), &start) {
                // Without it the app fares as if there were no platform.
                let _ = spare.follow(&self.folder, start.log_limit);
            }
            let grace = start.map_or(Drain::default().stop, |start| start.grace);
            let leftovers = Leftovers::of(&self.folder, Some(kept));
            if !stop {
                leftovers.last(PEACE).await;
            }
            exit.left = self.end(&leftovers, grace.0).await;
        }
        self.note(exit).await;
    }

    /// Ends them; gives those that nothing ends.
    pub(super) async fn end(&self, leftovers: &Leftovers, grace: Duration) -> Vec<i32> {
        let tell = |left: &[i32]| {
            if let Some(what) = detail::stubborn(left) {
                self.show_stubborn(&what);
            }
        };
        leftovers.end(grace, tell).await
    }
}
