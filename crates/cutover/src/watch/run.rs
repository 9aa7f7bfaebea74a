//! The loop: news, keys and signals in, a screen out.

use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use cutover_core::id::Subject;
use futures_util::StreamExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::draw::{Theme, draw};
use super::input::{Command, press};
use super::screen::Screen;
use super::source::{Source, words};
use super::state::{Asked, News, State};
use crate::cli;
use crate::client::Client;
use crate::failure::{Done, Failure, exit};
use crate::render;

/// Ages and limits move once a second.
const TICK: Duration = Duration::from_secs(1);

/// Shows the apps, this one first, until somebody wants to leave.
pub(crate) async fn run(client: &Client, shown: Option<Subject>) -> Done {
    let mut state = State::new(shown, render::now());
    let mut ends = Ends::watch()?;
    let mut keys = EventStream::new();
    let mut source = Source::start(client, state.chosen.as_ref());
    let mut of = state.chosen.clone();
    let mut asked = JoinSet::new();
    let mut tick = tokio::time::interval(TICK);
    let theme = Theme::from_env();
    let mut screen = Screen::enter()?;
    loop {
        if state.chosen != of {
            source = Source::start(client, state.chosen.as_ref());
            of.clone_from(&state.chosen);
        }
        state.now = render::now();
        screen.draw(|frame| draw(frame, &state, theme))?;
        tokio::select! {
            _ = tick.tick() => {}
            () = ends.next() => return Ok(exit::INTERRUPTED),
            news = source.next() => {
                let news = news.ok_or_else(|| Failure::new(exit::INTERNAL, "nobody looks any more"))?;
                state.now = render::now();
                state.learn(news);
                while let Some(news) = source.ready() {
                    state.learn(news);
                }
            }
            Some(answer) = asked.join_next(), if !asked.is_empty() => {
                state.learn(answer.map_err(|error| Failure::internal("a task ended", &error))?);
            }
            event = keys.next() => match key(&mut state, event)? {
                None => {}
                Some(Command::Quit) => return Ok(exit::OK),
                Some(Command::Interrupt) => return Ok(exit::INTERRUPTED),
                Some(Command::Suspend) => {
                    drop(screen);
                    suspend();
                    screen = Screen::enter()?;
                }
                Some(Command::Act(what)) => {
                    asked.spawn(act(client.clone(), what));
                }
            },
        }
    }
}

fn key(
    state: &mut State,
    event: Option<std::io::Result<Event>>,
) -> Result<Option<Command>, Failure> {
    match event {
        Some(Ok(Event::Key(key))) if key.kind == KeyEventKind::Press => Ok(press(state, key)),
        // A new size is drawn at the next turn, which is now.
        Some(Ok(_)) => Ok(None),
        Some(Err(error)) => Err(Failure::internal("cannot read keys", &error)),
        None => Ok(Some(Command::Interrupt)),
    }
}

async fn act(client: Client, asked: Asked) -> News {
    let answer = cli::act(&client, &asked.subject, asked.action.clone()).await;
    News::Answer(asked, answer.map(|_| ()).map_err(|error| words(&Failure::from(error))))
}

/// Stops this process as Ctrl-Z would; returns when the shell lets it go on.
fn suspend() {
    use rustix::process::{Signal, getpid, kill_process};
    // Where that is not allowed the screen comes back at once.
    let _ = kill_process(getpid(), Signal::STOP);
}

/// The signals that end it.
struct Ends([Signal; 3]);

impl Ends {
    fn watch() -> Result<Ends, Failure> {
        let watch = |kind| {
            signal(kind).map_err(|error| Failure::internal("cannot watch for signals", &error))
        };
        Ok(Ends([
            watch(SignalKind::interrupt())?,
            watch(SignalKind::terminate())?,
            watch(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}
