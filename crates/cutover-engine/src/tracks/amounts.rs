//! One variant beside the control: how much users did.

use cutover_core::units::{At, Span};
use cutover_judge::conversions::Amounts;

use super::comparison::Dealt;
use super::report::{Difference, Interval};

/// By how much more the treatment's users did, each, within the time that counts; of users who have
/// had that time. `None` while they are too few.
pub(super) fn difference(
    users: &[Dealt<'_>],
    within: Span,
    now: At,
    alpha: f64,
) -> Option<Difference> {
    let within = u64::try_from(within.0.as_millis()).unwrap_or(u64::MAX);
    let is_final = |user: &&Dealt<'_>| user.person.at.0.saturating_add(within) <= now.0;
    let (mut amounts, mut count) = (Amounts::default(), 0);
    for user in users.iter().filter(is_final) {
        // One number for all who have no past.
        let before = user.person.before.unwrap_or_default();
        count += u64::from(amounts.observe(user.of, user.person.amount, before).is_ok());
    }
    amounts.difference(alpha).map(|found| Difference {
        interval: Interval {
            estimate: Some(found.estimate),
            low: found.low,
            high: Some(found.high),
        },
        explained: found.explained,
        users: count,
    })
}
