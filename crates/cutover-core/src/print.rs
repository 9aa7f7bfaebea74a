//! Plans as text: one line a stage.

use crate::plan::Plan;
use crate::release::ReleaseName;
use crate::units::Count;

/// A plan, one line a stage, for target `n`.
#[must_use]
pub fn plan(_plan: &Plan, _n: Count, _from: Option<&ReleaseName>, _to: &ReleaseName) -> String {
    String::new()
}
