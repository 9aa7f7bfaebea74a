//! Small worlds as stateright's model checker sees them.

use std::num::NonZeroUsize;

use cutover_core::patterns::Pattern;
use cutover_sim::exhaust::{Disturbances, Small, Step};
use stateright::{Checker, Model, Property};

/// One deployment, and what may disturb it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deployment {
    pub(crate) pattern: Pattern,
    pub(crate) batch: u32,
    pub(crate) in_place: bool,
    pub(crate) disturbances: Disturbances,
}

impl Model for Deployment {
    type State = Small;
    type Action = Step;

    fn init_states(&self) -> Vec<Small> {
        let Deployment { pattern, batch, in_place, disturbances } = *self;
        Small::begin(pattern, batch, in_place, disturbances).into_iter().collect()
    }

    fn actions(&self, state: &Small, actions: &mut Vec<Step>) {
        state.steps(actions);
    }

    fn next_state(&self, state: &Small, step: Step) -> Option<Small> {
        state.after(step)
    }

    fn properties(&self) -> Vec<Property<Deployment>> {
        vec![
            Property::always("every promise holds", |_, state: &Small| state.broken().is_none()),
            Property::sometimes("it succeeds", |_, state: &Small| {
                state.has_succeeded() && state.is_at_rest()
            }),
            Property::sometimes("it is turned back", |_, state: &Small| {
                !state.has_succeeded() && state.is_at_rest()
            }),
        ]
    }
}

/// What was found.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) depth: usize,
    /// Was every state visited?
    pub(crate) closed: bool,
    /// The way to a broken promise.
    pub(crate) broken: Option<String>,
    /// Ends that no way led to.
    pub(crate) missing: Vec<&'static str>,
}

/// In which order states are visited, where not all of them are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nearest to the begin first: whatever is broken is found by the shortest way.
    Near,
    /// One way to its end, then the next. Few states wait for their turn, so it needs little memory.
    Deep,
}

/// Visits every state there is, at most about `most`.
pub(crate) fn check(deployment: Deployment, order: Order, most: usize) -> Found {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let checker = deployment.checker().threads(threads);
    // Every state is visited, not only until each property is decided.
    let checker = checker.target_state_count(most);
    match order {
        Order::Near => found(&checker.spawn_bfs().join(), most),
        Order::Deep => found(&checker.spawn_dfs().join(), most),
    }
}

fn found(checker: &impl Checker<Deployment>, most: usize) -> Found {
    let found = checker.discoveries();
    let broken = found.get("every promise holds").map(|path| {
        let last = path.last_state().clone();
        let steps: Vec<String> =
            path.clone().into_actions().iter().map(|step| format!("  {step:?}")).collect();
        format!("{}\n{last:?}", steps.join("\n"))
    });
    let ends = ["it succeeds", "it is turned back"];
    Found {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        closed: checker.state_count() < most,
        broken,
        missing: ends.into_iter().filter(|end| !found.contains_key(end)).collect(),
    }
}
