//! A metric of a spec, two releases, and one look.

use cutover_core::metric::{Counts, Found, Reading};
use cutover_core::release::ReleaseName;
use cutover_core::spec::{Metric, Source, parse};
use cutover_engine::ports::{Memory, MetricError, MetricSource, Sides};
use cutover_platform::Metrics;
use tempfile::TempDir;

/// One metric, what is remembered of it, and the folder of the spec.
pub(crate) struct Setting {
    pub(crate) metric: Metric,
    pub(crate) sides: Sides,
    pub(crate) memory: Memory,
    folder: TempDir,
}

/// A release by its number and version.
pub(crate) fn release(id: u32, version: &str) -> ReleaseName {
    serde_json::from_value(serde_json::json!({
        "id": format!("r{id}"), "version": version, "ordinal": 1
    }))
    .unwrap()
}

impl Setting {
    /// A metric `m` of the app `shop`, with this in its spec: v2 is candidate, v1 is stable.
    pub(crate) fn of(metric: &str) -> Setting {
        let text = format!(
            "app: shop\nrelease: {{ command: [serve] }}\njudge:\n  metrics:\n    - name: m\n{}",
            metric.lines().map(|line| format!("      {line}\n")).collect::<String>()
        );
        let source = Source { name: "cutover.yaml".to_owned(), text };
        let spec = parse(&source, &[]).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let folder = tempfile::tempdir().unwrap();
        let sides = Sides {
            subject: "shop".parse().unwrap(),
            candidate: release(2, "v2"),
            stable: Some(release(1, "v1")),
            base: folder.path().to_owned(),
            confidential: vec![],
        };
        let metric = spec.judge.unwrap().metrics.remove(0);
        Setting { metric, sides, memory: Memory::default(), folder }
    }

    /// Writes a file beside the spec.
    pub(crate) fn write(&self, name: &str, text: &str) {
        cutover_files::write_atomic(&self.folder.path().join(name), text.as_bytes()).unwrap();
    }

    pub(crate) async fn look(&mut self) -> Result<Reading, MetricError> {
        Metrics.read(&self.metric, &self.sides, &mut self.memory).await
    }

    /// Why a look failed. It must have changed no memory.
    pub(crate) async fn failure(&mut self) -> String {
        let before = self.memory.clone();
        let error = self.look().await.unwrap_err();
        assert_eq!(self.memory, before, "what was known is kept");
        let text = error.to_string();
        assert!(text.starts_with("metric m cannot be read from "), "{text}");
        assert!(text.ends_with("; the rollout holds until it can"), "{text}");
        match error.help {
            Some(help) => format!("{text} ({help})"),
            None => text,
        }
    }

    pub(crate) async fn counts(&mut self) -> Counts {
        match self.look().await.unwrap().found {
            Found::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    /// Why there is no data.
    pub(crate) async fn nothing(&mut self) -> String {
        match self.look().await.unwrap().found {
            Found::Nothing(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// The engine starts again with what it had stored.
    pub(crate) fn restart(&mut self) {
        let stored = serde_json::to_string(&self.memory).unwrap();
        self.memory = serde_json::from_str(&stored).unwrap();
    }
}

/// (requests, errors) of candidate and stable.
pub(crate) fn pairs(counts: &Counts) -> [(u64, u64); 2] {
    [&counts.candidate, &counts.stable].map(|side| (side.counts.requests, side.counts.errors))
}
