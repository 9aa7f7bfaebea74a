//! The table in force for one app, ready for use.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use cutover_core::dataplane::{AppState, Publication};
use cutover_core::id::ReleaseId;
use cutover_core::table::{Deal, Table};
use http::request::Parts;

use crate::app::App;
use crate::choose::choose;
use crate::dealing::Dealing;
use crate::flags::Flagging;
use crate::instance::Instance;
use crate::marks;
use crate::mirror::Mirroring;
use crate::routes::Door;
use crate::split::Split;

/// With more requests than this inside each of its instances, the marked release gets no more for
/// their marks: they are dealt as those without.
const OVERLOADED: u32 = 128;

/// The table in force for one app, ready for use.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) app: Arc<App>,
    pub(crate) publication: Publication,
    /// Where the preview really listens.
    pub(crate) preview_at: Option<SocketAddr>,
    serving: Vec<Arc<Instance>>,
    /// Where in `serving` each release is.
    releases: Vec<(ReleaseId, Range<usize>)>,
    preview: Vec<Arc<Instance>>,
    pub(crate) split: Option<Arc<Split<ReleaseId>>>,
    /// `None` while no flag is on for anybody.
    pub(crate) flags: Option<Arc<Flagging>>,
    /// `None` while nothing is copied.
    pub(crate) mirror: Option<Mirroring>,
}

impl Route {
    /// Makes a table ready. Its instances are entered, so it must come into force next.
    pub(crate) fn new(
        app: &Arc<App>,
        publication: Publication,
        preview_at: Option<SocketAddr>,
        before: Option<&Route>,
    ) -> Arc<Route> {
        let table = &publication.table;
        let enter = |(id, address): (&_, &SocketAddr)| app.instance(*id, *address);
        let serving: Vec<_> = table.serving.iter().map(enter).collect();
        let preview = table.preview.iter().map(enter).collect();
        // Entered also where none is copied now: they are drained when they leave.
        let mirrored = table.mirrored.iter().map(enter).collect();
        let releases = releases(&serving);
        let split = split(table, app, before);
        let flags = (!table.flags.is_empty()).then(|| {
            let before = before.and_then(|before| before.flags.as_deref());
            Arc::new(Flagging::new(&table.flags, app, before))
        });
        let old = before.and_then(|before| before.mirror.as_ref());
        let mirror = Mirroring::new(mirrored, table.mirror, app, old);
        Arc::new(Route {
            app: Arc::clone(app),
            preview_at,
            serving,
            releases,
            preview,
            split,
            flags,
            mirror,
            publication,
        })
    }

    /// The instance for a request, with what its flags are there; `None` while nobody serves it.
    pub(crate) fn deal(
        &self,
        door: &Door,
        request: &Parts,
        dealing: &mut Dealing,
        avoid: Option<&Arc<Instance>>,
    ) -> Option<&Arc<Instance>> {
        let chosen = match door {
            Door::Preview(_) => choose(&self.preview, avoid)?,
            Door::Users(_) => self.deal_live(request, dealing, avoid)?,
        };
        dealing.decide(self, request);
        Some(chosen)
    }

    fn deal_live(
        &self,
        request: &Parts,
        dealing: &mut Dealing,
        avoid: Option<&Arc<Instance>>,
    ) -> Option<&Arc<Instance>> {
        if self.publication.table.deal == Deal::Held {
            return None;
        }
        let group = self.group(request, dealing);
        let chosen = choose(group, avoid)?;
        if avoid.is_some_and(|avoid| Arc::ptr_eq(avoid, chosen)) {
            // Alone in its release; another one is better than none.
            return choose(&self.serving, avoid);
        }
        Some(chosen)
    }

    /// The instances among which a request may choose: those of its release if it has one that
    /// serves, else all.
    fn group(&self, request: &Parts, dealing: &mut Dealing) -> &[Arc<Instance>] {
        let table = &self.publication.table;
        if let Some(marked) = &table.marked
            && let Some(group) = self.release(marked.to)
            && group.iter().any(|instance| instance.load() <= OVERLOADED)
            && marked.rules.iter().any(|rule| marks::holds(rule, request))
        {
            return group;
        }
        dealing.side(self, request).and_then(|side| self.release(side)).unwrap_or(&self.serving)
    }

    fn release(&self, release: ReleaseId) -> Option<&[Arc<Instance>]> {
        let (_, range) = self.releases.iter().find(|(id, _)| *id == release)?;
        self.serving.get(range.clone())
    }

    /// Does the table in force name this instance?
    pub(crate) fn names(&self, instance: &Instance) -> bool {
        let table = &self.publication.table;
        [&table.serving, &table.preview, &table.mirrored]
            .iter()
            .any(|named| named.get(&instance.id) == Some(&instance.address))
    }

    /// What is in force, and what is going on.
    pub(crate) fn state(&self) -> AppState {
        AppState {
            generation: self.publication.generation,
            table: self.publication.table.clone(),
            frontend: self.publication.frontend.clone(),
            preview: self.preview_at,
            held: self.app.hold.len(),
            in_flight: self.app.in_flight(),
        }
    }
}

fn releases(serving: &[Arc<Instance>]) -> Vec<(ReleaseId, Range<usize>)> {
    let mut releases: Vec<(ReleaseId, Range<usize>)> = Vec::new();
    for (place, instance) in serving.iter().enumerate() {
        match releases.last_mut() {
            Some((release, range)) if *release == instance.id.release => range.end = place + 1,
            _ => releases.push((instance.id.release, place..place + 1)),
        }
    }
    releases
}

fn split(table: &Table, app: &App, before: Option<&Route>) -> Option<Arc<Split<ReleaseId>>> {
    let Deal::Split { shares, favoured, .. } = &table.deal else { return None };
    let mut shares: Vec<_> =
        shares.iter().map(|(release, share)| (*release, share.permille())).collect();
    shares.sort_by_key(|(release, _)| release != favoured);
    let before = before.and_then(|before| before.split.as_ref());
    Some(Split::new(shares, app.seed("split")).after(before))
}
