//! What went, or would go, and what is kept.

use cutover_engine::prune::{GoneFolder, GoneRelease, KeptWhy, PruneAnswer, Stored};
use serde::Serialize;

use crate::binary::Unused;

/// What the daemon removed, and the copies of the program.
#[derive(Debug, Serialize)]
pub(crate) struct Pruned {
    #[serde(flatten)]
    pub(crate) answer: PruneAnswer,
    pub(crate) programs: Vec<Unused>,
}

impl Pruned {
    pub(crate) fn is_nothing(&self) -> bool {
        let PruneAnswer { releases, records, events, folders, .. } = &self.answer;
        releases.is_empty()
            && folders.is_empty()
            && self.programs.is_empty()
            && records.count + events.count == 0
    }

    /// What goes: how many of what, how large together, and which.
    fn parts(&self) -> Vec<(String, u64, String)> {
        let PruneAnswer { releases, records, rollouts, events, folders, .. } = &self.answer;
        let mut parts = vec![];
        if !releases.is_empty() {
            let names: Vec<String> = releases.iter().map(|gone| gone.release.to_string()).collect();
            let bytes = releases.iter().map(|GoneRelease { bytes, .. }| bytes).sum();
            parts.push((many(releases.len(), "release"), bytes, names.join(", ")));
        }
        let Stored { count, bytes } = *records;
        if count > 0 {
            parts.push((many(*rollouts, "rollout"), bytes, format!("{count} records")));
        }
        if events.count > 0 {
            parts.push((many(events.count, "event"), events.bytes, String::new()));
        }
        if !folders.is_empty() {
            let names: Vec<String> = folders.iter().map(|one| one.instance.to_string()).collect();
            let bytes = folders.iter().map(|GoneFolder { bytes, .. }| bytes).sum();
            parts.push((many(folders.len(), "folder"), bytes, names.join(", ")));
        }
        if !self.programs.is_empty() {
            let names = self.programs.iter().filter_map(|copy| copy.path.file_name());
            let names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
            let bytes = self.programs.iter().map(|Unused { bytes, .. }| bytes).sum();
            parts.push((many(self.programs.len(), "program"), bytes, names.join(", ")));
        }
        parts
    }
}

fn many(count: impl TryInto<u64>, what: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// What a person is asked before anything goes.
pub(crate) fn prune_question(pruned: &Pruned) -> String {
    let parts = pruned.parts();
    let all: u64 = parts.iter().map(|(_, bytes, _)| bytes).sum();
    let whats: Vec<&str> = parts.iter().map(|(what, _, _)| what.as_str()).collect();
    format!("{}: remove {} ({})?", pruned.answer.subject, whats.join(", "), size(all))
}

pub(crate) fn prune(pruned: &Pruned) -> String {
    let PruneAnswer { subject, dry_run, kept, rollout_is_live, .. } = &pruned.answer;
    let head = match (pruned.is_nothing(), dry_run) {
        (true, _) => format!("{subject}: nothing to remove"),
        (false, true) => format!("{subject}: would remove"),
        (false, false) => format!("{subject}: removed"),
    };
    let mut lines = vec![head];
    for (what, bytes, which) in pruned.parts() {
        let line = format!("  {what:<14} {:>9}  {which}", size(bytes));
        lines.push(line.trim_end().to_owned());
    }
    if !kept.is_empty() {
        lines.push("kept".to_owned());
    }
    let width = kept.iter().map(|one| one.release.to_string().chars().count()).max().unwrap_or(0);
    for one in kept {
        let why: Vec<&str> = one.why.iter().map(|why| words(*why)).collect();
        lines.push(format!("  {:<width$}  {}", one.release.to_string(), why.join(", ")));
    }
    if *rollout_is_live {
        lines.push("history is left whole while a rollout is live".to_owned());
    }
    if *dry_run && !pruned.is_nothing() {
        lines.push("nothing was removed (--dry-run)".to_owned());
    }
    lines.join("\n")
}

fn words(why: KeptWhy) -> &'static str {
    match why {
        KeptWhy::Live => "live",
        KeptWhy::Standby => "kept warm",
        KeptWhy::Rollout => "in a rollout that is live",
        KeptWhy::Retry => "of the last rollout",
        KeptWhy::Rollback => "where rollback leads",
        KeptWhy::Good => "good",
        KeptWhy::Instance => "has instances",
    }
}

/// `850 B`, `12.3 KiB`, `73.7 MiB`, rounded down.
fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{} KiB", tenths(0x400)),
        0x10_0000..0x4000_0000 => format!("{} MiB", tenths(0x10_0000)),
        _ => format!("{} GiB", tenths(0x4000_0000)),
    }
}

#[cfg(test)]
mod tests {
    use cutover_core::id::ReleaseId;
    use cutover_core::release::ReleaseName;
    use cutover_engine::prune::KeptRelease;

    use super::*;

    fn release(id: u32) -> ReleaseName {
        let version = format!("v{id}").parse().unwrap();
        ReleaseName { id: ReleaseId(id), version, ordinal: 1 }
    }

    fn pruned() -> Pruned {
        let kept = |id, why| KeptRelease { release: release(id), why };
        Pruned {
            answer: PruneAnswer {
                subject: "shop".parse().unwrap(),
                dry_run: false,
                releases: [1, 2].map(|id| GoneRelease { release: release(id), bytes: 950 }).into(),
                records: Stored { count: 31, bytes: 4200 },
                rollouts: 1,
                events: Stored { count: 120, bytes: 46_080 },
                folders: vec![GoneFolder { instance: "r2.0".parse().unwrap(), bytes: 12 }],
                kept: vec![
                    kept(9, vec![KeptWhy::Rollback, KeptWhy::Good]),
                    kept(10, vec![KeptWhy::Live, KeptWhy::Good, KeptWhy::Instance]),
                ],
                rollout_is_live: false,
                troubles: vec![],
            },
            programs: vec![Unused { path: "/s/bin/cutover-0a1b".into(), bytes: 77_309_504 }],
        }
    }

    #[test]
    fn what_went_reads_as_a_list_with_sizes() {
        let text = prune(&pruned());
        let expected = "\
shop: removed
  2 releases       1.8 KiB  v1, v2
  1 rollout        4.1 KiB  31 records
  120 events      45.0 KiB
  1 folder            12 B  r2.0
  1 program       73.7 MiB  cutover-0a1b
kept
  v9   where rollback leads, good
  v10  live, good, has instances";
        assert_eq!(text, expected, "\n{text}");
        let question = prune_question(&pruned());
        let asked =
            "shop: remove 2 releases, 1 rollout, 120 events, 1 folder, 1 program (73.7 MiB)?";
        assert_eq!(question, asked);
    }

    #[test]
    fn a_dry_run_and_nothing_say_so() {
        let mut one = pruned();
        one.answer.dry_run = true;
        one.answer.rollout_is_live = true;
        let text = prune(&one);
        assert!(text.starts_with("shop: would remove\n"), "{text}");
        let end = "history is left whole while a rollout is live\nnothing was removed (--dry-run)";
        assert!(text.ends_with(end), "{text}");
        one.programs.clear();
        one.answer = PruneAnswer {
            releases: vec![],
            records: Stored::default(),
            events: Stored::default(),
            folders: vec![],
            kept: vec![],
            rollout_is_live: false,
            ..one.answer
        };
        assert_eq!(prune(&one), "shop: nothing to remove");
    }
}
