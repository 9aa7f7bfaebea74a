//! The rules of Cutover.
//!
//! Everything Cutover decides is decided here, by pure functions: no I/O, no clock, no async, no
//! printing. What the engine observes goes in, what shall be recorded and done comes out.
//!
//! | module | holds |
//! |---|---|
//! | [`spec`] | `cutover.yaml` |
//! | [`plan`], [`route`] | stages, routes, gates, budgets |
//! | [`patterns`] | one file for each way to go from one release to the next |
//! | [`record`], [`app`], [`base`] | the journal's entries, and the state they fold into |
//! | [`observed`] | what is seen of the world, and what is wanted of it |
//! | [`sequencer`] | from goal and observation to the whole desired world |
//! | [`progress`] | which records come next |
//! | [`guard`], [`sample`] | the verdict on absolute bounds, and what it looks at |
//! | [`metric`] | what a metric of one's own has shown |
//! | [`comparison`] | what two sides of a stage were like |
//! | [`guide`] | which pattern fits |
//! | [`table`], [`dataplane`] | what the proxy is told, and what it tells |
//! | [`event`] | what clients are told |
//! | [`kpi`] | key figures of past rollouts |
//! | [`diagram`], [`print`](mod@print) | plans as text |

pub mod app;
pub mod base;
pub mod comparison;
pub mod dataplane;
pub mod diagram;
pub mod event;
pub mod goal;
pub mod guard;
pub mod guide;
pub mod id;
pub mod kpi;
pub mod metric;
pub mod observed;
pub mod patterns;
pub mod plan;
pub mod print;
pub mod progress;
pub mod reason;
pub mod record;
pub mod release;
pub mod route;
pub mod sample;
pub mod sequencer;
pub mod served_flags;
pub mod spec;
pub mod table;
pub mod units;
