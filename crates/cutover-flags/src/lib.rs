//! Feature flags: definitions in flagd's format, compiled once and evaluated often.
//!
//! Pure: no clock, no I/O, no randomness. Documents come in as text, the time as an argument.
//! Input is bounded in size, depth and work, and nothing in it can make this crate panic; one
//! broken flag never takes its document down.
//!
//! ```
//! use cutover_flags::{Context, Definitions, Outcome, Reason, Selector, Source};
//!
//! let text = r#"{
//!     "metadata": {"cutover.bucketing": "v3"},
//!     "flags": {"new-checkout": {
//!         "state": "ENABLED",
//!         "variants": {"on": true, "off": false},
//!         "defaultVariant": "off",
//!         "targeting": {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on"]}
//!     }}
//! }"#;
//! let (definitions, problems) = Definitions::load(&[Source::new("flags.json", text)]);
//! assert!(problems.is_empty(), "{problems:?}");
//! let context = Context::from_json(br#"{"targetingKey": "u1", "email": "a@example.com"}"#)?;
//! let flags = definitions.get(&Selector::All);
//! let evaluation = flags.evaluate("new-checkout", &context, 1_790_000_000);
//! assert!(matches!(
//!     evaluation.outcome,
//!     Outcome::Variant(Reason::TargetingMatch, variant) if variant.json() == "true"
//! ));
//! # Ok::<(), cutover_flags::ContextError>(())
//! ```

pub mod hash;
pub mod ofrep;
pub mod sticky;

mod additions;
mod cbor;
mod changes;
mod coerce;
mod context;
mod definitions;
mod explain;
mod flag;
mod keys;
mod lint;
mod load;
mod number;
mod problem;
mod refs;
mod rule;
mod selector;
mod semver;
mod set;
mod shares;
mod source;
mod targeting;
mod value;

pub use additions::{NotPortable, compile_to_flagd};
pub use changes::{FlagOutline, Outline, RampOutline};
pub use context::{Context, ContextError, LARGEST_CONTEXT};
pub use definitions::Definitions;
pub use explain::Explanation;
pub use flag::{ErrorCode, Evaluation, Outcome, Reason, ValueType, Variant};
pub use number::{LARGEST_SAFE, Number};
pub use problem::{Place, Problem, Rule, Severity};
pub use rule::{Bucketing, Step};
pub use selector::{InvalidSelector, Selector};
pub use set::FlagSet;
pub use shares::Shares;
pub use source::{Format, LARGEST_DOCUMENT, Source};
pub use targeting::{Targeting, TooMuchWork};
pub use value::{List, Object, Value};
