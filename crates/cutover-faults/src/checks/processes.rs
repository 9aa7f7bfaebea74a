//! Each process that there should be, once, and no other.

use std::collections::BTreeMap;

use crate::processes::Role;

/// What is there too often, or not often enough, where `instances` instances run.
pub(crate) fn wrong_processes(roles: &[Role], instances: u32) -> Vec<String> {
    let mut found: BTreeMap<Role, u32> = BTreeMap::new();
    for role in roles {
        *found.entry(*role).or_default() += 1;
    }
    let expected = [
        (Role::Daemon, 1),
        (Role::Proxy, 1),
        (Role::ProxyKeeper, 1),
        (Role::Keeper, instances),
        (Role::Instance, instances),
        (Role::Client, 0),
    ];
    let count = |role| found.get(&role).copied().unwrap_or_default();
    expected
        .into_iter()
        .filter(|(role, wanted)| count(*role) != *wanted)
        .map(|(role, wanted)| format!("{} processes are {role:?}, not {wanted}", count(role)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_and_one_too_few_are_told() {
        let good = [
            Role::Daemon,
            Role::Proxy,
            Role::ProxyKeeper,
            Role::Keeper,
            Role::Keeper,
            Role::Instance,
            Role::Instance,
        ];
        assert_eq!(wrong_processes(&good, 2), Vec::<String>::new());
        for extra in good.into_iter().chain([Role::Client]) {
            let mut more = good.to_vec();
            more.push(extra);
            assert_eq!(wrong_processes(&more, 2).len(), 1, "{extra:?}");
        }
        assert_eq!(wrong_processes(&good[1..], 2), ["0 processes are Daemon, not 1"]);
        assert_eq!(wrong_processes(&good[..6], 2), ["1 processes are Instance, not 2"]);
    }
}
