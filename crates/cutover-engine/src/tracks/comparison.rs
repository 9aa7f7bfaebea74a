//! One variant beside the control: who converted.

use cutover_core::units::At;
use cutover_judge::conversions::{Conversions, InvalidConversions, Users, Variant};

use super::cohort::Person;
use super::report::{Interval, Lift};

/// A user of one of the two variants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dealt<'a> {
    pub(super) person: &'a Person,
    pub(super) of: Variant,
    /// The treatment's share of the users of both, when this one came.
    pub(super) share: f64,
}

/// By how much more the treatment's users convert.
///
/// Conversions are taken in the order in which they came, one by one, so that the p-value is the
/// least that anybody could have seen by looking whenever he liked. It is multiplied by `looks`, the
/// number of comparisons that are made beside each other (Bonferroni), and the interval is at
/// `alpha` / `looks`.
pub(super) fn lift(
    users: &[Dealt<'_>],
    alpha: f64,
    looks: usize,
) -> Result<Option<Lift>, InvalidConversions> {
    let mut conversions = Conversions::default();
    // Exposures carry no evidence of their own: all of a share may come at once, beforehand.
    for user in users {
        take(&mut conversions, user, Users { exposed: 1, converted: 0 })?;
    }
    let mut converted: Vec<(At, &Dealt<'_>)> =
        users.iter().filter_map(|user| Some((user.person.converted?, user))).collect();
    converted.sort_by_key(|(at, _)| *at);
    for (_, user) in converted {
        take(&mut conversions, user, Users { exposed: 0, converted: 1 })?;
    }
    let looks = looks.max(1) as f64;
    let ratio = conversions.rate_ratio(alpha / looks);
    Ok(ratio.map(|ratio| Lift {
        interval: Interval {
            estimate: ratio.estimate.map(|ratio| ratio - 1.0),
            low: ratio.low - 1.0,
            high: ratio.high.map(|high| high - 1.0),
        },
        p: (conversions.p_value() * looks).min(1.0),
    }))
}

fn take(
    conversions: &mut Conversions,
    user: &Dealt<'_>,
    one: Users,
) -> Result<(), InvalidConversions> {
    let (treatment, control) = match user.of {
        Variant::Treatment => (one, Users::default()),
        Variant::Control => (Users::default(), one),
    };
    conversions.observe(treatment, control, user.share)
}
