//! What a test looks at again and again.

use serde_json::Value;

use super::{World, get_tcp};

/// The app as `cutover status` tells it.
pub(crate) fn status(world: &World) -> Value {
    world.run("status --json").expect_ok().json()["apps"][0].clone()
}

/// Is no rollout under way?
pub(crate) fn idle(world: &World) -> bool {
    status(world)["rollout"].is_null()
}

/// The version that a user gets; `None` where nobody answers, or nobody of the demo app.
pub(crate) fn served(world: &World) -> Option<String> {
    let answer = get_tcp(&world.address(), "/").ok()?;
    answer.header("x-version").map(str::to_owned)
}
