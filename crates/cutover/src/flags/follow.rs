//! Flags that follow an app: on for the same users in both worlds, by one share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cutover_core::event::{Event, EventKind};
use cutover_core::id::{Environment, Subject};
use cutover_core::units::Share;
use cutover_engine::api::AppStatus;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::watch::Flags;

/// How often an app is looked at even where no event came.
const LOOK: Duration = Duration::from_secs(1);

impl Flags {
    /// The app that a served flag follows.
    pub(crate) async fn followed(&self, environment: &Environment, flag: &str) -> Option<Subject> {
        let environments = self.environments.lock().await;
        let watched = environments.get(environment)?;
        let app = watched.offer.app.clone()?;
        watched.follows.contains_key(flag).then(|| Subject { app, env: environment.clone() })
    }

    /// Has flags follow their apps for ever. `events` only tell when to look; `status` gives an app
    /// as it is now.
    pub(crate) async fn follow(
        &self,
        mut events: Receiver<Arc<Event>>,
        status: impl AsyncFn(&Subject) -> Option<AppStatus>,
    ) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                event = events.recv() => match event {
                    Ok(event) if !matches!(event.kind, EventKind::Routed { .. }) => continue,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    // The engine is gone; what was served last is served on.
                    Err(RecvError::Closed) => return,
                },
            }
            let apps: Vec<Subject> = {
                let environments = self.environments.lock().await;
                let of = |(env, app)| Subject { app, env };
                let apps = environments.iter();
                apps.filter_map(|(env, it)| Some((env.clone(), it.offer.app.clone()?)))
                    .map(of)
                    .collect()
            };
            for app in apps {
                // Before the proxy said what is in force nothing is known, and nothing changes.
                if let Some(status) = status(&app).await.filter(|status| status.routed) {
                    let shares = status.flags.iter();
                    let shares = shares.map(|(key, raised)| (key.to_string(), raised.share));
                    self.take_shares(&app.env, shares.collect()).await;
                }
            }
        }
    }

    /// Publishes the shares of an app's flags where they changed. One that is no longer on at all is
    /// at zero, and does not become what its file says.
    async fn take_shares(&self, environment: &Environment, now: BTreeMap<String, Share>) {
        let mut environments = self.environments.lock().await;
        let Some(watched) = environments.get_mut(environment) else { return };
        let gone = watched.follows.keys().map(|key| (key.clone(), Share::ZERO));
        let mut follows: BTreeMap<String, Share> = gone.collect();
        follows.extend(now);
        if follows == watched.follows {
            return;
        }
        watched.follows = follows;
        // Publishing is tried again with the next look, and storing with the next change: a restart
        // asks the app anyhow.
        let _ = self.publish_changes(environment, watched).await;
        let _ = self.keep(&environments);
    }
}
