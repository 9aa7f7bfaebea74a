//! What became of the POSTs, from the file the servers appended their ids to.

use std::collections::BTreeMap;
use std::collections::HashSet;

/// The ids that are in an orders file (`id version` a line) more than once, each named once.
pub fn duplicates(orders: &str) -> Vec<String> {
    let mut times = BTreeMap::<&str, usize>::new();
    for id in ids(orders) {
        *times.entry(id).or_default() += 1;
    }
    let twice = times.into_iter().filter(|(_, times)| *times > 1);
    twice.map(|(id, _)| id.to_owned()).collect()
}

/// The ids that were answered with 201 ([`Posts::acknowledged`](crate::Posts)) and are not in an
/// orders file.
pub fn missing(orders: &str, acknowledged: &[String]) -> Vec<String> {
    let written: HashSet<_> = ids(orders).collect();
    let lost = acknowledged.iter().filter(|id| !written.contains(id.as_str()));
    lost.cloned().collect()
}

fn ids(orders: &str) -> impl Iterator<Item = &str> {
    orders.lines().filter_map(|line| line.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_written_twice_is_a_duplicate() {
        let orders = "2a-1 v1\n2a-2 v1\n2a-10 v1\n2a-1 v2\n\n2a-2 v2\n2a-2 v2\n";
        assert_eq!(duplicates(orders), ["2a-1", "2a-2"]);
        assert_eq!(duplicates("2a-1 v1\n2a-10 v1\n"), Vec::<String>::new());
        assert_eq!(duplicates(""), Vec::<String>::new());
    }

    #[test]
    fn an_acknowledged_id_that_is_not_written_is_missing() {
        let acknowledged = ["2a-1", "2a-2"].map(str::to_owned);
        assert_eq!(missing("2a-1 v1\n2a-20 v1\n", &acknowledged), ["2a-2"]);
        assert_eq!(missing("2a-2 v1\n2a-1 v1\n", &acknowledged), Vec::<String>::new());
    }
}
