//! One run from its first process to its last.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::checks::Course;
use crate::choices::Choices;
use crate::failure::Failure;
use crate::inject;
use crate::scene::Scene;
use crate::trace;
use crate::verify;
use crate::world::{Ports, World};

/// How a run went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) choices: Choices,
    pub(crate) took: Duration,
    /// How the release went; of the first app, where there are several.
    pub(crate) course: Option<Course>,
    /// From the fault until the part that was hit did its work again.
    pub(crate) back: Option<Duration>,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    /// Connections that found nobody.
    pub(crate) refused: u64,
    /// Worth knowing, and no fault.
    pub(crate) note: Option<String>,
    pub(crate) end: End,
}

/// What the run shows.
#[derive(Debug)]
pub(crate) enum End {
    /// Every promise was kept.
    Kept,
    /// This machine cannot do it.
    Skipped(String),
    /// Promises were broken, or the harness could not do its work.
    Broken { what: Vec<String>, folder: PathBuf, trace: String },
}

/// What the runs share.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The program that is looked at.
    pub(crate) program: PathBuf,
    pub(crate) runtime: Handle,
    pub(crate) ports: Ports,
}

/// Makes one run.
pub(crate) fn run(ground: &Ground, choices: Choices) -> Outcome {
    let begun = Instant::now();
    let mut outcome = Outcome {
        choices: choices.clone(),
        took: Duration::ZERO,
        course: None,
        back: None,
        requests: 0,
        failed: 0,
        refused: 0,
        note: None,
        end: End::Kept,
    };
    let scene = world(&ground.program, &choices)
        .and_then(|world| Scene::new(&choices, world, &ground.ports));
    match scene {
        Ok(mut scene) => {
            let played = play(&mut scene, ground, &mut outcome);
            outcome.end = end(&mut scene, played);
        }
        Err(Failure::Skipped(why)) => outcome.end = End::Skipped(why),
        Err(error) => {
            let what = vec![error.to_string()];
            outcome.end = End::Broken { what, folder: PathBuf::new(), trace: String::new() };
        }
    }
    outcome.took = begun.elapsed();
    outcome
}

fn world(program: &Path, choices: &Choices) -> Result<World, Failure> {
    let mut world = World::new(program)?;
    inject::prepare(&mut world, choices.fault)?;
    Ok(world)
}

/// Plays a scene to its end; gives what is wrong.
fn play(
    scene: &mut Scene<'_>,
    ground: &Ground,
    outcome: &mut Outcome,
) -> Result<Vec<String>, Failure> {
    scene.begin(&ground.runtime)?;
    if !scene.choices.fault.comes_first() {
        scene.release()?;
        scene.wait_for_moment()?;
    }
    inject::inject(scene)?;
    let said = scene.follow()?;
    let mut wrong = std::mem::take(&mut scene.effect.wrong);
    wrong.extend(verify::rest(scene)?);
    wrong.extend(verify::users(scene, outcome));
    wrong.extend(verify::past(scene, &said, outcome)?);
    outcome.back = scene.effect.back;
    outcome.note = scene.effect.note.take();
    if wrong.is_empty() {
        wrong.extend(verify::end(scene)?);
    }
    Ok(wrong)
}

/// What a scene shows; one that shows something wrong keeps its folder.
fn end(scene: &mut Scene<'_>, played: Result<Vec<String>, Failure>) -> End {
    let what = match played {
        Ok(wrong) if wrong.is_empty() => return End::Kept,
        Ok(wrong) => wrong,
        Err(Failure::Skipped(why)) => return End::Skipped(why),
        Err(error) => vec![format!("the run could not go on: {error}")],
    };
    let trace = trace::of(&scene.world);
    scene.world.keep();
    End::Broken { what, folder: scene.world.folder().to_owned(), trace }
}
