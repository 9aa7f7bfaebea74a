//! The engine as its host sees it.

use std::path::Path;
use std::sync::Arc;

use cutover_core::event::Event;
use cutover_core::id::{InstanceId, Subject};
use tokio::sync::broadcast;

use crate::api::{
    Accepted, Acted, Action, AppStatus, DeployRequest, HistoryEntry, PlanAnswer, Refused,
    RefusedKind, RollbackRequest,
};
use crate::ports::{Clock, DataPlane, Platform};

/// Drives the rollouts of all apps.
#[derive(Debug)]
pub struct Engine<P, D, C> {
    #[expect(dead_code, reason = "stub")]
    platform: Arc<P>,
    #[expect(dead_code, reason = "stub")]
    dataplane: Arc<D>,
    #[expect(dead_code, reason = "stub")]
    clock: Arc<C>,
}

fn stub() -> Refused {
    Refused { kind: RefusedKind::Internal, message: "stub".into(), help: None }
}

impl<P: Platform, D: DataPlane, C: Clock> Engine<P, D, C> {
    /// Opens the journal in `state`, replays it, and takes every app up where it was.
    ///
    /// # Errors
    /// Where the journal cannot be opened or replayed.
    pub async fn start(
        _state: &Path,
        platform: P,
        dataplane: D,
        clock: C,
    ) -> Result<Self, Refused> {
        Ok(Engine {
            platform: Arc::new(platform),
            dataplane: Arc::new(dataplane),
            clock: Arc::new(clock),
        })
    }
    /// Begins a rollout, or says why not.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn deploy(&self, _request: DeployRequest, _actor: &str) -> Result<Accepted, Refused> {
        Err(stub())
    }
    /// Begins a rollout back to an earlier release.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn rollback(
        &self,
        _request: RollbackRequest,
        _actor: &str,
    ) -> Result<Accepted, Refused> {
        Err(stub())
    }
    /// The plan that `deploy` would follow; changes nothing.
    ///
    /// # Errors
    /// As `deploy`.
    pub async fn plan(&self, _request: DeployRequest) -> Result<PlanAnswer, Refused> {
        Err(stub())
    }
    /// Does what a person asks of one app.
    ///
    /// # Errors
    /// Nothing was changed.
    pub async fn act(
        &self,
        _subject: &Subject,
        _action: Action,
        _actor: &str,
    ) -> Result<Acted, Refused> {
        Err(stub())
    }
    /// Every app, or one.
    ///
    /// # Errors
    /// If there is no such app.
    pub async fn status(&self, _subject: Option<&Subject>) -> Result<Vec<AppStatus>, Refused> {
        Ok(vec![])
    }
    /// Rollouts, newest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn history(
        &self,
        _subject: Option<&Subject>,
        _most: usize,
    ) -> Result<Vec<HistoryEntry>, Refused> {
        Ok(vec![])
    }
    /// Stored events after `after` (of one app, or all), oldest first, at most `most`.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn events(
        &self,
        _subject: Option<&Subject>,
        _after: u64,
        _most: usize,
    ) -> Result<Vec<Event>, Refused> {
        Ok(vec![])
    }
    /// Events from now on. A receiver that lags reads `events` again from its cursor.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        broadcast::channel(1).1
    }
    /// The last lines of one instance's output, oldest first.
    ///
    /// # Errors
    /// If there is no such instance.
    pub async fn logs(
        &self,
        _subject: &Subject,
        _instance: InstanceId,
        _lines: usize,
    ) -> Result<Vec<String>, Refused> {
        Ok(vec![])
    }
    /// Stops deciding. Instances, proxy and traffic stay as they are.
    pub async fn stop(&self) {}
}
