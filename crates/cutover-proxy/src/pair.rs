//! A copied request and its copy: counted once it is known how both ended.

use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cutover_core::comparison::Copies;
use http::StatusCode;

use crate::app::App;
use crate::fingerprint::Fingerprint;

/// Both ends of a copied request.
#[derive(Debug)]
pub(crate) struct Pair {
    app: Arc<App>,
    /// The key of the fingerprints, where bodies are compared.
    key: Option<RandomState>,
    ends: Mutex<Ends>,
}

#[derive(Debug, Default)]
struct Ends {
    /// When the copy was sent, the request being whole.
    sent: Option<Instant>,
    original: Option<OriginalEnd>,
    copy: Option<CopyEnd>,
    is_counted: bool,
}

/// How an original ended.
#[derive(Debug)]
enum OriginalEnd {
    Answered(Answered),
    /// No whole answer.
    Broken,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// From the moment in which the copy was sent to the end of the answer.
    pub(crate) latency: Duration,
    /// Where bodies are compared.
    pub(crate) print: Option<Fingerprint>,
}

/// How a copy ended.
#[derive(Debug)]
pub(crate) enum CopyEnd {
    Answered(Answered),
    /// No connection, or it broke.
    Broken,
    /// Not within its time.
    Late,
    /// Its instance was taken out of service meanwhile.
    Cut,
}

impl Pair {
    pub(crate) fn new(app: &Arc<App>, compares_bodies: bool) -> Arc<Pair> {
        let key = compares_bodies.then(|| app.copying.key.clone());
        Arc::new(Pair { app: Arc::clone(app), key, ends: Mutex::default() })
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// For an answer whose body comes now.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.key.as_ref().map(Fingerprint::new)
    }

    /// The copy is sent now.
    pub(crate) fn sent(&self) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).sent = Some(Instant::now());
    }

    /// The copy has ended.
    pub(crate) fn copied(&self, end: CopyEnd) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.copy = Some(end);
        self.count(&mut ends);
    }

    fn count(&self, ends: &mut Ends) {
        let is_known = match (&ends.original, &ends.copy) {
            (_, None) => false,
            // If the original has no answer by now either, nothing speaks against the copy.
            (_, Some(CopyEnd::Late | CopyEnd::Cut)) => true,
            (original, Some(CopyEnd::Answered(_) | CopyEnd::Broken)) => original.is_some(),
        };
        if ends.is_counted || !is_known {
            return;
        }
        ends.is_counted = true;
        let original = match ends.original.take() {
            Some(OriginalEnd::Answered(answered)) => Some(answered),
            Some(OriginalEnd::Broken) | None => None,
        };
        let Some(copy) = ends.copy.take() else { return };
        let copies = compared(original.as_ref(), &copy);
        let of_copy = match &copy {
            CopyEnd::Answered(answered) => Some(answered.latency),
            CopyEnd::Broken | CopyEnd::Late | CopyEnd::Cut => None,
        };
        self.app.measure.copied(&copies, original.map(|answered| answered.latency), of_copy);
    }
}

/// The counts of one pair.
fn compared(original: Option<&Answered>, copy: &CopyEnd) -> Copies {
    let mut copies = Copies { sent: 1, ..Copies::default() };
    let counts = &mut copies.copy.counts;
    counts.requests = 1;
    match (original, copy) {
        (_, CopyEnd::Cut) => counts.cut = 1,
        (None, CopyEnd::Late) => copies.alone = 1,
        (_, CopyEnd::Broken) | (Some(_), CopyEnd::Late) => {
            counts.failed = 1;
            copies.unanswered = 1;
        }
        (original, CopyEnd::Answered(copy)) => {
            counts.errors = copy.status.is_server_error().into();
            match original {
                None => copies.alone = 1,
                Some(original) if original.status == copy.status => {
                    copies.same_status = 1;
                    if let (Some(one), Some(other)) = (&original.print, &copy.print) {
                        copies.same_body = (one == other).into();
                        copies.other_body = (one != other).into();
                    }
                }
                Some(original) => {
                    let (from, to) = (original.status.as_u16(), copy.status.as_u16());
                    copies.differ(format!("{from} → {to}"), 1);
                }
            }
        }
    }
    copies
}

/// The side of the original, while its answer comes through.
#[derive(Debug)]
pub(crate) struct Original {
    pair: Arc<Pair>,
    print: Option<Fingerprint>,
}

impl Original {
    pub(crate) fn new(pair: &Arc<Pair>) -> Original {
        Original { print: pair.fingerprint(), pair: Arc::clone(pair) }
    }

    /// A piece of the answer.
    pub(crate) fn see(&mut self, data: &[u8]) {
        if let Some(print) = &mut self.print {
            print.add(data);
        }
    }

    /// It has ended, with this status if the answer was whole.
    pub(crate) fn end(self, status: Option<StatusCode>) {
        let Original { pair, print } = self;
        let mut ends = pair.ends.lock().unwrap_or_else(PoisonError::into_inner);
        // Where the answer came before the request was whole, the copy is still to be sent.
        let latency = ends.sent.map(|sent| sent.elapsed()).unwrap_or_default();
        ends.original = Some(match status {
            Some(status) => OriginalEnd::Answered(Answered { status, latency, print }),
            None => OriginalEnd::Broken,
        });
        pair.count(&mut ends);
    }
}
