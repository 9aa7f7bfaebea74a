//! stub
/// One thing that is wrong with a spec.
#[derive(Debug)]
pub struct Problem {}
