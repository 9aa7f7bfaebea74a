//! Plans as a drawing: instances and traffic share over the stages.

use crate::plan::Plan;
use crate::release::ReleaseName;
use crate::units::Count;

/// A plan as an ASCII drawing for target `n`.
#[must_use]
pub fn draw(_plan: &Plan, _n: Count, _from: Option<&ReleaseName>, _to: &ReleaseName) -> String {
    String::new()
}
