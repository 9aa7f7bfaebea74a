//! Parts of rules that are worked out when they are compiled.

use super::node::Node;
use super::run::{Run, Scope};
use crate::context::Context;
use crate::value::Value;

impl Node {
    /// The value that this always has.
    pub(super) fn known(&self) -> Option<&Value> {
        match self {
            Node::Const(value) => Some(value),
            _ => None,
        }
    }

    /// Worked out, if all parts are known.
    pub(super) fn folded(self) -> Node {
        let known = |nodes: &[Node]| nodes.iter().all(|node| node.known().is_some());
        let all_known = match &self {
            Node::List(parts)
            | Node::Ordered(_, parts)
            | Node::Calculate(_, parts)
            | Node::Merge(parts)
            | Node::Cat(parts) => known(parts),
            Node::Equal { sides, .. } => known(&**sides),
            Node::In(sides) | Node::StartsWith(sides) | Node::EndsWith(sides) => known(&**sides),
            Node::Substr(parts) => known(&**parts),
            Node::Not(part) | Node::Truth(part) => part.known().is_some(),
            _ => false,
        };
        if !all_known {
            return self;
        }
        let context = Context::empty();
        let run = Run::new("", &context, 0);
        let value = self.eval(&run, Scope::Root).into_owned();
        if run.is_exhausted() { self } else { Node::Const(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Bucketing;

    #[test]
    fn what_is_known_is_worked_out_at_once() {
        let compiled = |json: &str| {
            let source = crate::source::Source::new("rule.json", json);
            let tree = crate::source::read(&source).unwrap();
            super::super::compile(&tree, "f", Bucketing::V3, false).unwrap().0.node
        };
        for (json, value) in [
            (r#"{"+":[1,{"*":[2,3]}]}"#, "7"),
            (r#"{"if":[{"==":[1,"1"]},"a","b"]}"#, "\"a\""),
            (r#"{"if":[false,"a",{"var":"x"},"b"]}"#, "?"),
            (r#"{"and":[1,0,{"var":"x"}]}"#, "0"),
            (r#"{"or":[0,"",null]}"#, "null"),
            (r#"{"cat":["a",1,null,true]}"#, "\"a1true\""),
            (r#"{"fractional":[["a",0],["b",-1]]}"#, "null"),
        ] {
            let known = compiled(json).known().map_or("?".into(), Value::to_string);
            assert_eq!(known, value, "{json}");
        }
        let nine = r#"{"in":[{"var":"x"},["1","2","3","4","5","6","7","8","9"]]}"#;
        assert!(matches!(compiled(nine), Node::Among(..)));
        assert!(matches!(compiled(r#"{"if":[false,1,{"var":"x"},2]}"#), Node::If(_)));
    }
}
