//! A letter for each release on the screen, that it keeps for as long as it is there.

use std::collections::{BTreeMap, BTreeSet};

use cutover_core::id::ReleaseId;
use cutover_engine::api::AppStatus;

/// Which release has which letter.
#[derive(Debug, Default)]
pub(crate) struct Marks(BTreeMap<ReleaseId, usize>);

impl Marks {
    /// Gives every release of the app a letter, and those that are gone lose theirs.
    pub(crate) fn update(&mut self, app: &AppStatus) {
        let live = app.live.iter().map(|release| release.id);
        let to = app.rollout.iter().map(|rollout| rollout.to.id);
        let warm = app.standby.iter().map(|(release, _)| release.id);
        let running = app.instances.iter().map(|one| one.release.id);
        let served = app.shares.keys().copied();
        let there: Vec<ReleaseId> =
            live.chain(to).chain(warm).chain(running).chain(served).collect();
        let kept: BTreeSet<ReleaseId> = there.iter().copied().collect();
        self.0.retain(|release, _| kept.contains(release));
        for release in there {
            let taken: BTreeSet<usize> = self.0.values().copied().collect();
            let free = (0..).find(|place| !taken.contains(place)).unwrap_or_default();
            self.0.entry(release).or_insert(free);
        }
    }

    /// The place of a release, from 0; its letter and its colour follow from it.
    pub(crate) fn of(&self, release: ReleaseId) -> Option<usize> {
        self.0.get(&release).copied()
    }

    /// Every release that has one, in the order of the letters.
    pub(crate) fn releases(&self) -> Vec<ReleaseId> {
        let mut all: Vec<_> = self.0.iter().map(|(release, place)| (*place, *release)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, release)| release).collect()
    }
}

/// `A` for the first place.
pub(crate) fn letter(place: usize) -> char {
    u32::try_from(place)
        .ok()
        .and_then(|place| char::from_digit(place + 10, 36))
        .map_or('?', |c| c.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_release_keeps_its_letter_and_a_free_one_is_given_again() {
        let mut marks = Marks::default();
        let letters = |marks: &Marks| -> Vec<(u32, char)> {
            let all = marks.releases();
            all.iter().map(|id| (id.0, letter(marks.of(*id).unwrap()))).collect()
        };
        marks.update(&sample::canary());
        assert_eq!(letters(&marks), [(1, 'A'), (2, 'B')]);
        let mut app = sample::idle();
        (app.live, app.shares) = (Some(sample::release(2, "v2")), BTreeMap::new());
        app.instances.clear();
        marks.update(&app);
        assert_eq!(letters(&marks), [(2, 'B')], "live now, and B as before");
        app.rollout = sample::canary().rollout;
        app.rollout.as_mut().unwrap().to = sample::release(3, "v3");
        marks.update(&app);
        assert_eq!(letters(&marks), [(3, 'A'), (2, 'B')]);
    }
}
