//! One instance as the data plane knows it: the same value in every table that names it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use cutover_core::dataplane::InFlight;
use cutover_core::id::InstanceId;

use crate::pool::{Line, Pool};
use crate::wire::Wire;

/// How long an instance that refused a connection is passed over while another can serve.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// What is known about an instance, shared by all tables and requests.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) address: SocketAddr,
    users: Pool,
    copies: Pool,
    /// Ordinary requests inside; see [`crate::claim`] for the order of operations.
    pub(crate) requests: AtomicU32,
    /// Upgraded connections inside.
    pub(crate) upgraded: AtomicU32,
    /// 0 while in the table, else the number of its leaving.
    departure: AtomicU64,
    /// The drain limit has passed: what still is inside is cut.
    cutting: AtomicBool,
    born: Instant,
    /// Milliseconds after `born`.
    refused_until: AtomicU64,
    wires: Mutex<Vec<Weak<Wire>>>,
}

impl Instance {
    pub(crate) fn new(id: InstanceId, address: SocketAddr) -> Arc<Instance> {
        Arc::new(Instance {
            id,
            address,
            users: Pool::default(),
            copies: Pool::default(),
            requests: AtomicU32::new(0),
            upgraded: AtomicU32::new(0),
            departure: AtomicU64::new(0),
            cutting: AtomicBool::new(false),
            born: Instant::now(),
            refused_until: AtomicU64::new(0),
            wires: Mutex::default(),
        })
    }

    /// What is inside now.
    pub(crate) fn in_flight(&self) -> InFlight {
        InFlight {
            requests: self.requests.load(Ordering::SeqCst),
            upgraded: self.upgraded.load(Ordering::SeqCst),
        }
    }

    /// How busy it is, to choose the less busy of two.
    pub(crate) fn load(&self) -> u32 {
        let inside = self.in_flight();
        inside.requests.saturating_add(inside.upgraded)
    }

    /// Its idle connections of this line.
    pub(crate) fn pool(&self, line: Line) -> &Pool {
        match line {
            Line::Users => &self.users,
            Line::Copies => &self.copies,
        }
    }

    /// Closes connections that were idle too long.
    pub(crate) fn tidy(&self) {
        self.users.expire();
        self.copies.expire();
    }

    /// The table names it (again).
    pub(crate) fn enter(&self) {
        self.departure.store(0, Ordering::SeqCst);
        self.cutting.store(false, Ordering::SeqCst);
        self.users.open();
        self.copies.open();
    }

    /// The table names it no longer.
    pub(crate) fn leave(&self, departure: u64) {
        self.departure.store(departure, Ordering::SeqCst);
        self.users.close();
        self.copies.close();
    }

    /// Which leaving was the last; 0 while it is in the table.
    pub(crate) fn departure(&self) -> u64 {
        self.departure.load(Ordering::SeqCst)
    }

    /// Has it left the table?
    pub(crate) fn has_left(&self) -> bool {
        self.departure() != 0
    }

    /// It refused a connection.
    pub(crate) fn refused(&self) {
        let until = millis(self.born.elapsed() + REFUSED_FOR);
        self.refused_until.store(until, Ordering::Relaxed);
    }

    /// Did it refuse one just now?
    pub(crate) fn is_refusing(&self) -> bool {
        // The clock is read only for the few instances that ever refused.
        match self.refused_until.load(Ordering::Relaxed) {
            0 => false,
            until => millis(self.born.elapsed()) < until,
        }
    }

    /// A connection to it was made.
    pub(crate) fn connected(&self, wire: &Arc<Wire>) {
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        if wires.len() == wires.capacity() {
            wires.retain(|wire| wire.strong_count() > 0);
        }
        wires.push(Arc::downgrade(wire));
        // Under the lock: either this sees the flag, or `cut_requests` sees the wire.
        if self.cutting.load(Ordering::SeqCst) {
            wire.cut();
        }
    }

    /// Ends every ordinary request inside, and those that get here late.
    pub(crate) fn cut_requests(&self) {
        let wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        self.cutting.store(true, Ordering::SeqCst);
        for wire in wires.iter().filter_map(Weak::upgrade) {
            if !wire.is_upgraded() {
                wire.cut();
            }
        }
    }

    /// The upgraded connections now inside.
    pub(crate) fn upgraded_wires(&self) -> Vec<Arc<Wire>> {
        let wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        wires.iter().filter_map(Weak::upgrade).filter(|wire| wire.is_upgraded()).collect()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
