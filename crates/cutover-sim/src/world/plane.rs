//! The data plane and the way to it: tables are late or lost, and so are their answers.

use std::collections::BTreeMap;
use std::time::Duration;

use cutover_core::dataplane::{AppState, DataPlaneState, Frontend, InFlight, Publication, Refusal};
use cutover_core::table::{Generation, Table};
use cutover_core::units::At;

use super::World;
use crate::strike::Blow;

/// The data plane and the way to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plane {
    /// Engines older than this are refused.
    pub(crate) fence: u32,
    pub(crate) in_force: (Generation, Table),
    /// `None` until a table was published, and after the app was removed.
    pub(crate) frontend: Option<Frontend>,
    /// Tables on their way to it, and whether their answer arrives.
    network: Vec<Letter>,
    /// Answers that nobody has read yet.
    answers: BTreeMap<u64, Result<(), Refusal>>,
    tickets: u64,
}

/// A table on its way.
#[derive(Debug, Clone)]
struct Letter {
    /// When it comes into force, if it is not refused.
    due: At,
    ticket: u64,
    publication: Publication,
    answered: bool,
}

impl Plane {
    /// Tables that may still come into force.
    pub(crate) fn on_the_way(&self) -> impl Iterator<Item = (Generation, &Table)> {
        let coming = |letter: &&Letter| {
            let generation = letter.publication.generation;
            generation > self.in_force.0 && generation.epoch >= self.fence
        };
        let letters = self.network.iter().filter(coming);
        letters.map(|letter| (letter.publication.generation, &letter.publication.table))
    }

    /// The same, in order.
    pub(crate) fn pending(&self) -> Vec<(Generation, Table)> {
        let mut pending: Vec<_> =
            self.on_the_way().map(|(generation, table)| (generation, table.clone())).collect();
        pending.sort_by_key(|(generation, _)| *generation);
        pending.dedup_by_key(|(generation, _)| *generation);
        pending
    }

    /// How many tables are on their way.
    pub(crate) fn letters(&self) -> usize {
        self.network.len()
    }

    /// Is nothing on its way?
    pub(crate) fn is_settled(&self) -> bool {
        self.on_the_way().next().is_none()
    }

    /// The answer to a table, once.
    pub(crate) fn answer(&mut self, ticket: u64) -> Option<Result<(), Refusal>> {
        self.answers.remove(&ticket)
    }
}

impl World {
    /// Sends a table; the ticket for its answer.
    pub(crate) fn post(&mut self, publication: &Publication) -> u64 {
        self.published += 1;
        self.plane.tickets += 1;
        let ticket = self.plane.tickets;
        let blow =
            self.next_blow.take_if(|blow| matches!(blow, Blow::TableLost | Blow::AnswerLost));
        let faults = self.scenario.faults;
        if self.dice.chance(faults.lost) || blow == Some(Blow::TableLost) {
            self.tell(|| "the table is lost".to_owned());
            return ticket;
        }
        let answered = !self.dice.chance(faults.lost) && blow != Some(Blow::AnswerLost);
        let due = self.now + self.dice.up_to(faults.late);
        let publication = publication.clone();
        self.plane.network.push(Letter { due, ticket, publication, answered });
        self.tables_arrive();
        ticket
    }

    /// Tables whose time has come come into force, in any order.
    pub(super) fn tables_arrive(&mut self) {
        let known = self.plane.network.len();
        while let Some(at) = self.plane.network.iter().position(|letter| letter.due <= self.now) {
            let Letter { ticket, publication, answered, .. } = self.plane.network.remove(at);
            let result = self.arrive(publication);
            if answered {
                self.plane.answers.insert(ticket, result);
            }
        }
        if known > 0 {
            self.note_routes();
        }
    }

    fn arrive(&mut self, publication: Publication) -> Result<(), Refusal> {
        let Publication { generation, frontend, table } = publication;
        let refused = |reason: &str| Refusal { reason: reason.to_owned(), taken: None };
        if generation.epoch < self.plane.fence {
            return Err(refused("of an older engine"));
        }
        let known = &self.plane.in_force;
        if generation < known.0 || (generation == known.0 && table != known.1) {
            return Err(refused("of an older generation"));
        }
        let news = generation > known.0;
        self.plane.in_force = (generation, table);
        self.plane.frontend = Some(frontend);
        if news {
            self.tell(|| format!("{generation:?} is in force"));
            let check = self.came_into_force();
            self.check(check);
        }
        Ok(())
    }

    /// Sends a table that arrives when it is told to.
    pub(crate) fn send(&mut self, (generation, table): (Generation, Table)) {
        let Some(frontend) = crate::ports::frontend(&self.scenario.spec) else { return };
        let publication = Publication { generation, frontend, table };
        let due = At(u64::MAX);
        self.plane.network.push(Letter { due, ticket: 0, publication, answered: false });
        self.note_routes();
    }

    /// The table of this place on the way arrives, before others that were sent earlier.
    pub(crate) fn arrives(&mut self, place: usize) {
        if place < self.plane.network.len() {
            let letter = self.plane.network.remove(place);
            // One that is refused changes nothing, and nobody waits for the answer.
            let _ = self.arrive(letter.publication);
            self.plane.frontend = None;
            let in_force = self.plane.in_force.0;
            self.plane.network.retain(|letter| letter.publication.generation > in_force);
            self.sent.retain(|sent| sent.0 > in_force);
            self.note_routes();
            for (id, real) in &mut self.instances {
                let serves = self.plane.in_force.1.names(*id);
                if serves && real.seen.state == cutover_core::observed::State::Ready {
                    real.seen.in_flight = 1;
                }
            }
        }
    }

    /// Tables on the way are lost.
    pub(crate) fn proxy_forgets(&mut self) {
        self.plane.network.clear();
        self.note_routes();
    }

    /// The data plane dies. Its keeper starts it again with what is in force; what was inside is
    /// lost, and so are tables on their way.
    pub(crate) fn proxy_dies(&mut self) {
        self.tell(|| "the data plane dies and is back".to_owned());
        self.proxy_forgets();
        self.instances.values_mut().for_each(|real| real.seen.in_flight = 0);
    }

    pub(crate) fn plane_state(&self) -> Option<AppState> {
        let frontend = self.plane.frontend.clone()?;
        let inside = self.instances.iter().filter(|(_, real)| real.seen.in_flight > 0);
        let inside = inside.map(|(id, real)| {
            let upgraded = real.seen.upgraded.min(real.seen.in_flight);
            (*id, InFlight { requests: real.seen.in_flight - upgraded, upgraded })
        });
        Some(AppState {
            generation: self.plane.in_force.0,
            table: self.plane.in_force.1.clone(),
            frontend,
            preview: None,
            held: 0,
            in_flight: inside.collect(),
        })
    }

    pub(crate) fn plane_states(&self) -> DataPlaneState {
        let apps =
            self.plane_state().map(|state| (crate::ports::subject(&self.scenario.spec), state));
        DataPlaneState { pid: 1, epoch: self.plane.fence, apps: apps.into_iter().collect() }
    }

    /// How long the engine waits for the answer to a table.
    pub(crate) const ANSWER: Duration = Duration::from_secs(2);
}
