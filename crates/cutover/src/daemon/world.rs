//! What the daemon's engine works on: one alias and one way to open it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover_core::dataplane::{AppState, DataPlaneState, Publication, Refusal, Seconds};
use cutover_core::id::{InstanceId, Subject};
use cutover_core::release::Release;
use cutover_core::spec::Spec;
use cutover_core::units::At;
use cutover_engine::Engine;
use cutover_engine::clock::SystemClock;
use cutover_engine::ports::{DataPlane, DataPlaneError, Platform, PlatformError, Seen};

use crate::failure::Failure;
use crate::folders::Folders;

/// The engine of this build.
pub(crate) type World = Engine<Nowhere, Nowhere, SystemClock>;

/// Opens the journal and takes every app up where it was.
pub(crate) async fn open(folders: &Folders) -> Result<World, Failure> {
    Ok(Engine::start(&folders.state, Nowhere, Nowhere, SystemClock::continuing).await?)
}

/// Placeholder until the local platform and the proxy client are there.
#[derive(Debug)]
pub(crate) struct Nowhere;

fn none<T>() -> Result<T, PlatformError> {
    Err(PlatformError::new("no platform in this build"))
}
fn refused<T>() -> Result<T, DataPlaneError> {
    let reason = "no proxy in this build".to_owned();
    Err(DataPlaneError::Refused(Refusal { reason, taken: None }))
}

impl Platform for Nowhere {
    async fn preflight(&self, _: &Subject, _: &Release) -> Result<(), PlatformError> {
        none()
    }
    async fn prepare(&self, _: &Subject, _: &Release) -> Result<(), PlatformError> {
        none()
    }
    async fn observe(
        &self,
        _: &Subject,
        _: At,
    ) -> Result<BTreeMap<InstanceId, Seen>, PlatformError> {
        none()
    }
    async fn converge(
        &self,
        _: &Subject,
        _: &BTreeMap<InstanceId, Arc<Release>>,
        _: At,
    ) -> Result<(), PlatformError> {
        none()
    }
    async fn logs(
        &self,
        _: &Subject,
        _: InstanceId,
        _: usize,
    ) -> Result<Vec<String>, PlatformError> {
        none()
    }
    async fn changed(&self, _: &Subject) {
        std::future::pending::<()>().await;
    }
}

impl DataPlane for Nowhere {
    async fn hello(&self, _: u32) -> Result<DataPlaneState, DataPlaneError> {
        refused()
    }
    async fn state(&self) -> Result<DataPlaneState, DataPlaneError> {
        refused()
    }
    async fn publish(&self, _: &Subject, _: &Publication) -> Result<AppState, DataPlaneError> {
        refused()
    }
    async fn remove(&self, _: &Subject, _: u32) -> Result<(), DataPlaneError> {
        refused()
    }
    async fn seconds(&self, _: &Subject, _: u64) -> Result<Seconds, DataPlaneError> {
        refused()
    }
    async fn preflight(&self, _: &Subject, _: &Spec) -> Result<(), PlatformError> {
        none()
    }
}
