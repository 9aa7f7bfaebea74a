//! What must hold when the fault is over. Each check is given what was seen and says what is wrong
//! with it, so that each can be shown something wrong.

mod history;
mod live;
mod processes;
mod traffic;

pub(crate) use history::{Course, Span, wrong_history, wrong_result};
pub(crate) use live::{live, wrong_status};
pub(crate) use processes::wrong_processes;
pub(crate) use traffic::{Allowed, wrong_traffic};
