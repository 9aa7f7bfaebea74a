//! The users of an experiment, as they are compared.

use std::collections::{BTreeMap, HashMap};

use cutover_core::units::At;
use serde::{Deserialize, Serialize};

/// How a flag dealt its users out at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Variants and their weights.
    pub weights: BTreeMap<String, u64>,
    /// The variant of those for whom the rule says nothing.
    pub default: Option<String>,
    /// Did the rule name variants for some users beforehand?
    pub picks: bool,
}

/// A user; numbers are places in the lists of the cohort.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Person {
    /// The variant of the first exposure while users were dealt out, else of the first one.
    pub variant: usize,
    /// When that was.
    pub at: At,
    /// How users were dealt out then, if they were.
    pub split: Option<usize>,
    /// Was another variant seen later?
    pub contaminated: bool,
    /// The value of the attribute that is split by.
    pub segment: Option<usize>,
    /// What the user did before.
    pub before: Option<f64>,
    /// When the outcome first came afterwards.
    pub converted: Option<At>,
    /// How much it was together, as long as that counts.
    pub amount: f64,
}

/// Everybody who was exposed to a flag, by the time of the first exposure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cohort {
    /// The variants that were seen.
    pub variants: Vec<String>,
    /// How users were dealt out.
    pub splits: Vec<Split>,
    /// Values of the attribute that is split by.
    pub segments: Vec<String>,
    /// Does any outcome have a value?
    pub has_amounts: bool,
    /// The users.
    pub people: Vec<Person>,
}

/// Texts, each once, by their places.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) list: Vec<String>,
    places: HashMap<String, usize>,
}

/// The most variants that are told apart. Clients name them, and may name anything.
const MOST_VARIANTS: usize = 50;
/// All others.
const OTHERS: &str = "(others)";

impl Names {
    /// The place of a text in a list that does not grow without end.
    pub(super) fn place_of_few(&mut self, text: String) -> usize {
        match self.places.contains_key(&text) || self.list.len() < MOST_VARIANTS {
            true => self.place(text),
            false => self.place(OTHERS.to_owned()),
        }
    }

    /// The place of a text, which is put at the end if it is new.
    pub(super) fn place(&mut self, text: String) -> usize {
        *self.places.entry(text).or_insert_with_key(|text| {
            self.list.push(text.clone());
            self.list.len() - 1
        })
    }
}
