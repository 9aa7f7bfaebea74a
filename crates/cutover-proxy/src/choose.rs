//! Which of the instances that may take a request gets it.

use std::sync::Arc;

use crate::instance::Instance;

/// The less busy of two random instances; one that just refused a connection, or is to be avoided,
/// only where there is no other.
pub(crate) fn choose<'a>(
    among: &'a [Arc<Instance>],
    avoid: Option<&Arc<Instance>>,
) -> Option<&'a Arc<Instance>> {
    let is_avoided =
        |instance: &Arc<Instance>| avoid.is_some_and(|avoid| Arc::ptr_eq(avoid, instance));
    let usable = |instance: &&Arc<Instance>| !is_avoided(instance) && !instance.is_refusing();
    let first = fastrand::usize(..among.len().max(1));
    let second = match among.len() {
        0 | 1 => first,
        // Any but the first one.
        count => (first + fastrand::usize(1..count)) % count,
    };
    let pair = (among.get(first).filter(usable), among.get(second).filter(usable));
    match pair {
        (Some(one), Some(other)) if other.load() < one.load() => Some(other),
        (Some(one), _) => Some(one),
        (None, Some(other)) => Some(other),
        (None, None) => {
            let mut turned = among.iter().cycle().skip(first).take(among.len());
            turned
                .clone()
                .find(usable)
                .or_else(|| turned.find(|instance| !is_avoided(instance)))
                .or_else(|| among.get(first))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_refuses_is_passed_over_while_there_is_another() {
        let instance = |slot| {
            let id = format!("r1.{slot}").parse().unwrap();
            Instance::new(id, "127.0.0.1:1".parse().unwrap())
        };
        let both = [instance(0), instance(1)];
        both[0].refused();
        assert!((0..100).all(|_| choose(&both, None).unwrap().id == both[1].id));
        both[1].refused();
        assert!((0..100).any(|_| choose(&both, None).unwrap().id == both[0].id));
        assert!((0..100).all(|_| choose(&both, Some(&both[0])).unwrap().id == both[1].id));
        assert!(choose(&both[..1], Some(&both[0])).is_some());
        assert!(choose(&[], None).is_none());
    }
}
