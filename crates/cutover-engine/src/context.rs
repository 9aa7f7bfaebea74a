//! What the drivers of all apps share.

use std::sync::atomic::{AtomicBool, Ordering};

use cutover_core::dataplane::AppState;
use cutover_core::event::EventKind;
use cutover_core::id::Subject;

use crate::book::DigestKey;
use crate::events::EventLog;
use crate::kept::Kept;
use crate::ports::{Clock, DataPlane, DataPlaneError, Parts, World};

/// What the drivers of all apps share.
pub(crate) struct Context<W: World> {
    pub(crate) journal: W::Journal,
    pub(crate) events: EventLog,
    pub(crate) platform: W::Platform,
    pub(crate) dataplane: W::DataPlane,
    pub(crate) metrics: W::Metrics,
    pub(crate) hooks: W::Hooks,
    pub(crate) clock: W::Clock,
    pub(crate) key: DigestKey,
    pub(crate) epoch: u32,
    /// Whether the running proxy knows this engine's epoch.
    greeted: AtomicBool,
}

impl<W: World> Context<W> {
    pub(crate) fn new(
        Kept { journal, epoch, events, key }: Kept<W::Journal>,
        parts: Parts<W>,
        clock: W::Clock,
    ) -> Context<W> {
        let Parts { platform, dataplane, metrics, hooks } = parts;
        let greeted = AtomicBool::new(false);
        Context { journal, events, platform, dataplane, metrics, hooks, clock, key, epoch, greeted }
    }

    /// What is in force for one app. A proxy that was away is greeted first, which starts it if
    /// need be and shuts out older engines.
    pub(crate) async fn app_state(
        &self,
        subject: &Subject,
    ) -> Result<Option<AppState>, DataPlaneError> {
        let state = if self.greeted.load(Ordering::Acquire) {
            self.dataplane.state().await
        } else {
            self.dataplane.hello(self.epoch).await
        };
        let lost = matches!(state, Err(DataPlaneError::Unreachable(_)));
        self.greeted.store(state.is_ok() || !lost, Ordering::Release);
        Ok(state?.apps.remove(subject))
    }

    /// Tells everybody.
    pub(crate) fn tell(&self, subject: &Subject, rollout: Option<u64>, kind: EventKind) -> u64 {
        self.events.tell(self.clock.now(), subject, rollout, kind)
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&more) {
            text += ": ";
            text += &more;
        }
        cause = next.source();
    }
    text
}
