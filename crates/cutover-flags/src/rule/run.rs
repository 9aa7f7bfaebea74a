//! One evaluation of a rule: what it may read, and how much work it may make.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::context::Context;
use crate::value::Value;

/// What one evaluation may cost: about one step for each part of a rule that is run for an item of
/// a list, each item that is put together, each 16 bytes of text that are made.
const MOST_STEPS: u32 = 1_000_000;

/// What a rule reads, and the work it has left.
#[derive(Debug)]
pub(crate) struct Run<'v> {
    pub(crate) flag_key: &'v str,
    /// Seconds since 1970.
    pub(crate) now: i64,
    pub(crate) context: &'v Context,
    pub(crate) trace: Option<&'v RefCell<Trace>>,
    left: Cell<u32>,
}

/// What variables are looked up in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'v> {
    /// The context, with `$flagd`.
    Root,
    /// An item of a list.
    Item(&'v Value),
    /// `current` and `accumulator` of `reduce`.
    Fold(&'v Value, &'v Value),
}

/// What happened in an evaluation, for explanations.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) steps: Vec<Step>,
    depth: usize,
}

/// A call that was evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How deep it stands in the rule.
    pub depth: usize,
    /// The call as written, perhaps shortened.
    pub call: String,
    /// What came out, as JSON.
    pub result: String,
    /// For `fractional`: the bucket, and how it was found.
    pub note: Option<String>,
}

/// No explanation has more steps; a rule over long lists would fill memory.
const MOST_TRACED: usize = 1000;

impl<'v> Run<'v> {
    #[inline]
    pub(crate) fn new(flag_key: &'v str, context: &'v Context, now: i64) -> Run<'v> {
        Run { flag_key, now, context, trace: None, left: Cell::new(MOST_STEPS) }
    }

    pub(crate) fn traced(
        flag_key: &'v str,
        context: &'v Context,
        now: i64,
        trace: &'v RefCell<Trace>,
    ) -> Run<'v> {
        Run { trace: Some(trace), ..Run::new(flag_key, context, now) }
    }

    /// Takes some of the work that is left; false if there is none, and then the result of the
    /// evaluation does not count.
    #[inline]
    pub(crate) fn spend(&self, steps: u32) -> bool {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.is_some_and(|left| left > 0)
    }

    /// Ends the evaluation.
    pub(crate) fn exhaust(&self) {
        self.left.set(0);
    }

    /// Did the evaluation take more work than it may?
    #[inline]
    pub(crate) fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// A list of these items; an end of the evaluation if it would be too deep or too heavy.
    pub(crate) fn list(&self, items: Vec<Value>) -> Value {
        Value::list(items).unwrap_or_else(|| {
            self.exhaust();
            Value::Null
        })
    }

    /// A text; its length is work.
    pub(crate) fn text(&self, text: &str) -> Value {
        let steps = u32::try_from(text.len() / 16).unwrap_or(u32::MAX);
        match self.spend(steps.saturating_add(1)) {
            true => Value::Text(Arc::from(text)),
            false => Value::Null,
        }
    }

    /// Runs a call and notes what came out.
    pub(crate) fn watch<T: std::ops::Deref<Target = Value>>(
        &self,
        call: &str,
        run: impl FnOnce() -> T,
    ) -> T {
        let at = self.trace.map(|trace| trace.borrow_mut().enter(call));
        let result = run();
        if let Some(trace) = self.trace {
            trace.borrow_mut().leave(at.flatten(), &result);
        }
        result
    }

    /// Adds to what is noted of the call that runs.
    pub(crate) fn note(&self, words: impl FnOnce() -> String) {
        if let Some(trace) = self.trace {
            trace.borrow_mut().note(words());
        }
    }
}

impl Trace {
    fn enter(&mut self, call: &str) -> Option<usize> {
        let at = (self.steps.len() < MOST_TRACED).then_some(self.steps.len());
        if at.is_some() {
            let (call, result) = (call.to_owned(), String::new());
            self.steps.push(Step { depth: self.depth, call, result, note: None });
        }
        self.depth += 1;
        at
    }

    fn leave(&mut self, at: Option<usize>, result: &Value) {
        self.depth -= 1;
        if let Some(step) = at.and_then(|at| self.steps.get_mut(at)) {
            step.result = crate::problem::shortened(&result.to_string());
        }
    }

    /// The innermost call that is not done yet is the one that runs.
    fn note(&mut self, words: String) {
        let depth = self.depth.saturating_sub(1);
        let open = |step: &&mut Step| step.depth == depth && step.result.is_empty();
        if let Some(step) = self.steps.iter_mut().rev().find(open) {
            step.note = Some(words);
        }
    }
}
