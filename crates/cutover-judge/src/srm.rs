//! To be written.
use serde::{Deserialize, Serialize};
/// Stub.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Srm;
impl Srm {
    /// Stub.
    pub fn observe(&mut self, _counts: &[u64], _shares: &[f64]) {}
    /// Stub.
    #[must_use]
    pub fn is_mismatch(&self, _alpha: f64) -> bool {
        false
    }
}
