//! Comparing two variants by what users do, as often as one likes: conversions and amounts.
//!
//! **The unit is the user**, counted in the variant of the first exposure only. Users must be
//! assigned independently of each other and of what they do, with a known share (by a hash of their
//! id); count a user who is exposed again, or in the other variant, once and where first seen.
//! Requests and sessions of a user are not independent: counting them makes small differences look
//! proven. Check the assignment itself with [`srm`](crate::srm) first.
//!
//! - [`Conversions`]: did a user convert? Exact at any sample size and under any drift that both
//!   variants share.
//! - [`Amounts`]: how much (revenue, minutes)? Asymptotic: right from some hundred users per variant
//!   on, thousands if few users make most of the amount. Made narrower by what the users did before
//!   (CUPED).

mod amounts;
mod binary;
mod moments;

pub use amounts::{Amounts, Difference, InvalidAmount, LEAST_USERS};
pub use binary::{Conversions, InvalidConversions, MOST_SHARES, RateRatio, Users};

use serde::{Deserialize, Serialize};

/// Which of two variants a user was first exposed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// The new one.
    Treatment,
    /// The one it is compared with.
    Control,
}
