//! Requests that wait for a server, in the order in which they came.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// The queue of one app.
///
/// Nobody is woken all at once: each one woken gets a [`Turn`] and passes it on by dropping it once
/// it has its instance, so that instances are claimed in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// Those with a sender wait; those without are awake and have not left yet.
    waiting: BTreeMap<u64, Option<oneshot::Sender<Turn>>>,
}

impl Hold {
    /// How many are held.
    pub(crate) fn len(&self) -> u32 {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        u32::try_from(queue.waiting.len()).unwrap_or(u32::MAX)
    }

    /// A place at the end of the queue; `None` if `most` are held.
    pub(crate) fn join(self: &Arc<Self>, most: u32) -> Option<Place> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if u32::try_from(queue.waiting.len()).unwrap_or(u32::MAX) >= most {
            return None;
        }
        let arrival = queue.next;
        queue.next += 1;
        let (sender, turn) = oneshot::channel();
        queue.waiting.insert(arrival, Some(sender));
        Some(Place { hold: Arc::clone(self), arrival, turn })
    }

    /// Wakes those that wait, one after the other. Called after each new table, whatever it says.
    pub(crate) fn release(self: &Arc<Self>) {
        self.call(Bound::Unbounded);
    }

    /// Gives the turn to the first one that waits within these bounds.
    fn call(self: &Arc<Self>, from: Bound<u64>) {
        let mut from = from;
        loop {
            let called = {
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                queue
                    .waiting
                    .range_mut((from, Bound::Unbounded))
                    .find_map(|(arrival, sender)| Some((*arrival, sender.take()?)))
            };
            let Some((arrival, sender)) = called else { return };
            let turn = Turn { hold: Arc::clone(self), arrival, passed: false };
            match sender.send(turn) {
                Ok(()) => return,
                Err(mut turn) => {
                    // It left in this moment. Not by dropping the turn, which would recurse once
                    // for each that left.
                    turn.passed = true;
                    from = Bound::Excluded(arrival);
                }
            }
        }
    }
}

/// A place in the queue, left by dropping it.
#[derive(Debug)]
pub(crate) struct Place {
    hold: Arc<Hold>,
    arrival: u64,
    turn: oneshot::Receiver<Turn>,
}

impl Place {
    /// Waits again, at the old place. The caller looks at the table *after* this and before it
    /// waits, so that no release is missed.
    pub(crate) fn rejoin(&mut self) {
        let (sender, turn) = oneshot::channel();
        let mut queue = self.hold.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.insert(self.arrival, Some(sender));
        drop(queue);
        self.turn = turn;
    }

    /// Waits for the turn.
    pub(crate) async fn turn(&mut self) -> Option<Turn> {
        (&mut self.turn).await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.hold.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.remove(&self.arrival);
    }
}

/// The right to claim before all that came later; passed on when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    hold: Arc<Hold>,
    arrival: u64,
    passed: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.passed {
            self.hold.call(Bound::Excluded(self.arrival));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn try_turn(place: &mut Place) -> Option<Turn> {
        place.turn().now_or_never().flatten()
    }

    #[test]
    fn turns_go_round_in_order_and_past_those_who_left() {
        let hold = Arc::new(Hold::default());
        let mut places: Vec<Place> = (0..4).map(|_| hold.join(4).unwrap()).collect();
        assert!(hold.join(4).is_none(), "only so many");
        hold.release();
        let first = try_turn(&mut places[0]).expect("the first one's turn");
        assert!(try_turn(&mut places[1]).is_none(), "not before the first one is done");
        drop(places.remove(1));
        drop(first);
        let third = try_turn(&mut places[1]).expect("the second one left");
        drop((third, places));
        assert_eq!(hold.len(), 0);
    }

    #[test]
    fn one_that_must_wait_again_keeps_its_place() {
        let hold = Arc::new(Hold::default());
        let mut first = hold.join(9).unwrap();
        let mut second = hold.join(9).unwrap();
        hold.release();
        let turn = try_turn(&mut first).unwrap();
        first.rejoin();
        drop(turn);
        drop(try_turn(&mut second).expect("the turn is passed on"));
        second.rejoin();
        hold.release();
        assert!(try_turn(&mut second).is_none());
        assert!(try_turn(&mut first).is_some());
    }
}
