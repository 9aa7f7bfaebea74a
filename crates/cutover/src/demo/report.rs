//! What the demo showed.

use cutover_core::patterns::Pattern;
use cutover_load::Report;
use serde::Serialize;

use crate::failure::{Done, Failure, exit};
use crate::render;
use crate::rollout::{Ended, Summary};

#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) pattern: Pattern,
    #[serde(skip)]
    pub(super) drawing: String,
    #[serde(skip)]
    pub(super) bad_words: &'static str,
    pub(super) good: Summary,
    pub(super) bad: Summary,
    pub(super) live: Option<String>,
    /// Orders that were taken more than once.
    pub(super) duplicates: usize,
    /// Orders that were acknowledged and not taken.
    pub(super) missing: usize,
    pub(super) load: Report,
}

impl Shown {
    pub(super) fn text(&self) -> String {
        let mut blocks = Vec::new();
        if !self.drawing.is_empty() {
            blocks.push(format!("v1 → v2, {}:\n{}", self.pattern, self.drawing.trim_end()));
        }
        let good =
            render::result(&self.good).unwrap_or_else(|| render::failure(&self.good).text(false));
        blocks.push(format!("the good v2:\n  {}", indented(&good)));
        let bad =
            render::result(&self.bad).unwrap_or_else(|| render::failure(&self.bad).text(false));
        blocks.push(format!("the bad v3 ({}):\n  {}", self.bad_words, indented(&bad)));
        let live = self.live.as_deref().unwrap_or("nothing");
        blocks.push(format!("live at the end: {live}"));
        blocks.push(format!("what users saw:\n  {}", indented(&self.load.summary())));
        blocks.push(format!(
            "orders: {} acknowledged, {} taken twice, {} lost",
            self.load.posts.acknowledged.len(),
            self.duplicates,
            self.missing
        ));
        blocks.join("\n\n")
    }

    /// Did it go as it should?
    pub(super) fn verdict(&self) -> Done {
        let mut wrong = Vec::new();
        if self.good.outcome != Ended::Succeeded {
            wrong.push("v2 did not go live".to_owned());
        }
        if self.bad.outcome != Ended::RolledBack {
            wrong.push("v3 was not turned back".to_owned());
        }
        if self.live.as_deref() != Some("v2") {
            wrong.push("v2 is not live at the end".to_owned());
        }
        if self.load.failed.total > 0 {
            wrong.push(format!("{} requests failed", self.load.failed.total));
        }
        if self.duplicates + self.missing > 0 {
            wrong.push("orders were lost or taken twice".to_owned());
        }
        if wrong.is_empty() {
            return Ok(exit::OK);
        }
        let mut failure = Failure::new(exit::INTERNAL, "the demo did not go as it should");
        failure.causes = wrong;
        failure.reported = true;
        Err(failure)
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}
