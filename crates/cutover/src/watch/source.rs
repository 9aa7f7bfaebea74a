//! Where news come from: a task that looks again and again, and one that hears events.

use std::sync::Arc;
use std::time::Duration;

use cutover_core::dataplane::Seconds;
use cutover_core::id::Subject;
use cutover_engine::api::AppStatus;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::state::{EVENTS, News};
use crate::client::{CallError, Client};
use crate::failure::Failure;

/// From one look to the next while nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// Events come in bursts: so long at least from one look to the next.
const BREATH: Duration = Duration::from_millis(100);
/// A daemon that needs longer is away, as far as somebody who watches is concerned. It may itself
/// have to wait for a proxy that hangs.
const PATIENCE: Duration = Duration::from_secs(8);
/// Rollouts of the past that are shown.
const PAST: usize = 20;

/// News of all apps, and of one in detail.
#[derive(Debug)]
pub(crate) struct Source {
    news: mpsc::Receiver<News>,
    /// Ends with this.
    _tasks: JoinSet<()>,
}

impl Source {
    pub(crate) fn start(client: &Client, of: Option<&Subject>) -> Source {
        let (sender, news) = mpsc::channel(64);
        let (happened, looked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut tasks = JoinSet::new();
        let looker = Looker {
            client: client.clone(),
            of: of.cloned(),
            news: sender.clone(),
            cursor: (0, 0),
            rollout: None,
        };
        tasks.spawn(looker.run(Arc::clone(&happened), Arc::clone(&looked)));
        if let Some(of) = of {
            let (client, of) = (client.clone(), of.clone());
            tasks.spawn(async move {
                // Events are put into words with what the first look tells.
                looked.notified().await;
                listen(client, of, sender, happened).await;
            });
        }
        Source { news, _tasks: tasks }
    }

    /// The next news; `None` if the tasks are gone, which they never should. Safe to drop in the
    /// middle.
    pub(crate) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }

    /// News that are there already.
    pub(crate) fn ready(&mut self) -> Option<News> {
        self.news.try_recv().ok()
    }
}

/// Nobody listens any more.
struct Unheard;

struct Looker {
    client: Client,
    of: Option<Subject>,
    news: mpsc::Sender<News>,
    /// The proxy process whose seconds are read, and how far.
    cursor: (u64, u64),
    /// The rollout at the last look; `None` before the first one.
    rollout: Option<Option<u64>>,
}

impl Looker {
    async fn run(mut self, happened: Arc<Notify>, looked: Arc<Notify>) {
        while self.look().await.is_ok() {
            looked.notify_one();
            sleep(BREATH).await;
            // Whichever comes first.
            let _ = timeout(LOOK - BREATH, happened.notified()).await;
        }
    }

    async fn look(&mut self) -> Result<(), Unheard> {
        let apps: Vec<AppStatus> = match self.get("/v1/apps").await {
            Ok(apps) => apps,
            Err(CallError::Gone(failure) | CallError::Failed(failure)) => {
                let parts = std::iter::once(&failure.message).chain(&failure.help);
                let why = parts.cloned().collect::<Vec<_>>().join("; ");
                return self.send(News::Away(why)).await;
            }
        };
        let shown = self.of.as_ref().and_then(|of| apps.iter().find(|app| app.subject == *of));
        let rollout = shown.map(|app| app.rollout.as_ref().map(|rollout| rollout.number));
        let counts = shown.is_some_and(|app| app.listen.is_some());
        self.send(News::Apps(apps)).await?;
        if counts {
            self.count().await?;
        }
        if let Some(of) = self.of.clone().filter(|_| rollout != self.rollout) {
            let path = format!("/v1/history?subject={of}&most={PAST}");
            // Nothing of the past is shown for as long as it cannot be had.
            if let Ok(past) = self.get(&path).await {
                self.rollout = rollout;
                self.send(News::Past(past)).await?;
            }
        }
        Ok(())
    }

    async fn count(&mut self) -> Result<(), Unheard> {
        let Some(of) = self.of.clone() else { return Ok(()) };
        let path = |after: u64| format!("/v1/apps/{of}/seconds?after={after}");
        let (epoch, after) = self.cursor;
        let mut answer: Result<Seconds, CallError> = self.get(&path(after)).await;
        // The cursor is one of another process: it may have left out what this one counted.
        if after > 0 && answer.as_ref().is_ok_and(|seconds| seconds.epoch != epoch) {
            answer = self.get(&path(0)).await;
        }
        let news = match answer {
            Ok(seconds) => {
                self.cursor = (seconds.epoch, seconds.cursor);
                News::Seconds(seconds)
            }
            Err(error) => News::Uncounted(words(&Failure::from(error))),
        };
        self.send(news).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        within(self.client.get(path)).await
    }

    async fn send(&self, news: News) -> Result<(), Unheard> {
        self.news.send(news).await.map_err(|_| Unheard)
    }
}

/// Hears what happens to one app, through restarts of the daemon. It starts none: whoever stopped
/// it did not want that.
async fn listen(client: Client, of: Subject, news: mpsc::Sender<News>, happened: Arc<Notify>) {
    let mut cursor = format!("newest={EVENTS}");
    while !news.is_closed() {
        let path = format!("/v1/events?follow=true&subject={of}&{cursor}");
        if let Ok(mut stream) = within(client.events(&path)).await {
            while let Ok(Some(event)) = stream.next().await {
                cursor = format!("after={}", event.index);
                if news.send(News::Event(Box::new(event))).await.is_err() {
                    return;
                }
                happened.notify_one();
            }
        }
        sleep(LOOK / 2).await;
    }
}

/// The answer, if it comes soon.
async fn within<T>(asked: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_elapsed) => {
            let message = format!("the daemon does not answer within {} s", PATIENCE.as_secs());
            Err(CallError::Gone(Failure::new(crate::failure::exit::UNREACHABLE, message)))
        }
    }
}

/// A failure in one line.
pub(crate) fn words(failure: &Failure) -> String {
    let parts = std::iter::once(&failure.message).chain(&failure.causes).chain(&failure.help);
    parts.map(|part| part.lines().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("; ")
}
