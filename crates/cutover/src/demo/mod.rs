//! The demo: a good and a bad release under load, in a world of its own.

mod report;
mod stage;

use std::time::Duration;

use cutover_core::patterns::Pattern;
use cutover_load::{Load, Settings};

use crate::cli::Session;
use crate::failure::{Done, Failure, exit};
use crate::rollout::Interrupts;
use report::Shown;
use stage::Stage;

/// Requests per second while the demo runs.
const RATE: f64 = 200.0;
/// Requests before the first change, so that there is something to compare with.
const WARM_UP: Duration = Duration::from_secs(1);

/// Shows one pattern and leaves nothing behind, however it ends.
pub(crate) async fn run(session: &Session, pattern: Pattern) -> Done {
    let mut interrupts = Interrupts::watch()?;
    let stage = Stage::build(session, pattern)?;
    session.note(&format!(
        "cutover demo {pattern}: v1, then v2, then a bad v3, under {RATE} requests per second\n\
         everything happens in {} and goes away afterwards",
        stage.folder().display()
    ));
    let shown = tokio::select! {
        shown = Box::pin(play(&stage)) => shown,
        () = interrupts.next() => Err(Failure::new(exit::INTERRUPTED, "the demo was interrupted")),
    };
    session.note("cleaning up");
    let tidied = stage.strike().await;
    let shown = match (shown, tidied) {
        (Ok(shown), Ok(())) => shown,
        (Err(failure), Ok(())) => return Err(failure.unchanged("nothing is left behind")),
        (Ok(_), Err(failure)) => return Err(failure),
        (Err(mut failure), Err(untidied)) => {
            failure.help.push(untidied.message.clone());
            return Err(failure);
        }
    };
    if session.common.json {
        session.print_json(&shown)?;
    } else {
        session.print(&shown.text())?;
    }
    shown.verdict()
}

async fn play(stage: &Stage) -> Result<Shown, Failure> {
    stage.say("v1 is released first");
    let (_, first) = stage.release("v1", None).await?;
    if first.exit_code != exit::OK {
        return Err(crate::render::failure(&first));
    }
    let load = Load::start(load_settings(stage)?)
        .await
        .map_err(|error| Failure::internal("the load cannot start", &error))?;
    tokio::time::sleep(WARM_UP).await;

    stage.say(&format!("v2 is released with {}", stage.pattern));
    let (drawing, good) = stage.release("v2", None).await?;
    let bad_how = stage.bad();
    stage.say(&format!("v3 is released, and it is bad: {}", bad_how.words));
    let (_, bad) = stage.release("v3", Some(bad_how)).await?;
    let live = stage.live().await?;

    let load = load.stop().await;
    Ok(Shown {
        pattern: stage.pattern,
        drawing,
        bad_words: bad_how.words,
        duplicates: cutover_load::duplicates(&stage.orders()).len(),
        missing: cutover_load::missing(&stage.orders(), &load.posts.acknowledged).len(),
        good,
        bad,
        live,
        load,
    })
}

fn load_settings(stage: &Stage) -> Result<Settings, Failure> {
    let bad = |error: http::uri::InvalidUri| Failure::internal("the demo's address", &error);
    let url = format!("http://{}/", stage.address()).parse().map_err(bad)?;
    let mut settings = Settings::new(url);
    settings.rate = RATE;
    settings.posts = 0.1;
    settings.slow = 0.02;
    settings.slow_path = http::uri::PathAndQuery::from_static("/slow?ms=500");
    Ok(settings)
}
