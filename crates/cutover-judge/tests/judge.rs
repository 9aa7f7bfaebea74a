//! The judge as a whole, on seeded streams.

use cutover_judge::{Arm, Compare, Counts, Judge, Settings, Tick, Verdict};

/// A stream of ticks of one second: `rate` requests, `share` of them the candidate's.
struct Stream {
    rng: fastrand::Rng,
    rate: u64,
    share: f64,
}

impl Stream {
    fn new(seed: u64, rate: u64, share: f64) -> Stream {
        Stream { rng: fastrand::Rng::with_seed(seed), rate, share }
    }

    /// (requests, bad, latencies) of both sides; latencies are 20 to 40 ms, times `slow`.
    fn side(&mut self, n: u64, bad: f64, slow: f64) -> (Counts, Vec<(u64, u64)>) {
        let mut latency = std::collections::BTreeMap::new();
        let mut failed = 0;
        for _ in 0..n {
            failed += u64::from(self.rng.f64() < bad);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let ms = ((20.0 + 20.0 * self.rng.f64()) * slow) as u64;
            *latency.entry(ms * 1000).or_insert(0) += 1;
        }
        (Counts::new(n, failed), latency.into_iter().collect())
    }

    fn feed(&mut self, judge: &mut Judge, bad: f64, worse: f64, slow: f64) {
        let candidates = (0..self.rate).filter(|_| self.rng.f64() < self.share).count() as u64;
        let (candidate, its_latency) = self.side(candidates, bad + worse, slow);
        let (stable, latency) = self.side(self.rate - candidates, bad, 1.0);
        let tick = Tick {
            seconds: 1,
            share: self.share,
            candidate: Arm { counts: candidate, latency: &its_latency },
            stable: Arm { counts: stable, latency: &latency },
            cold: false,
        };
        judge.observe("", &tick);
    }

    /// The verdict that ends it, and after how many seconds.
    fn run(&mut self, judge: &mut Judge, worse: f64, slow: f64, most: u32) -> (Verdict, u32) {
        for second in 1..=most {
            self.feed(judge, 0.005, worse, slow);
            let verdict = judge.look().verdict;
            assert_eq!(judge.verdict(), verdict, "the verdict alone is the same");
            if matches!(verdict, Verdict::Rollback | Verdict::Promote) {
                return (verdict, second);
            }
        }
        (judge.look().verdict, most)
    }
}

#[test]
fn a_candidate_like_stable_is_promoted_and_never_turned_back() {
    let mut seconds: Vec<u32> = (0..20)
        .map(|seed| {
            let mut judge = Judge::new(Settings::default(), &[]);
            let (verdict, after) = Stream::new(seed, 100, 0.1).run(&mut judge, 0.0, 1.0, 1200);
            assert_eq!(verdict, Verdict::Promote, "seed {seed} after {after} s");
            after
        })
        .collect();
    seconds.sort_unstable();
    assert!((30..=180).contains(&seconds[10]), "{seconds:?}");
}

#[test]
fn errors_and_slowness_turn_it_back() {
    for (worse, slow, most) in [(0.02, 1.0, 300), (0.1, 1.0, 40), (0.0, 1.3, 120), (0.0, 2.0, 20)] {
        let mut seconds: Vec<u32> = (0..9)
            .map(|seed| {
                let mut judge = Judge::new(Settings::default(), &[]);
                let (verdict, after) =
                    Stream::new(seed, 100, 0.1).run(&mut judge, worse, slow, 900);
                assert_eq!(verdict, Verdict::Rollback, "+{worse} x{slow} seed {seed} at {after}");
                after
            })
            .collect();
        seconds.sort_unstable();
        assert!(seconds[4] <= most, "+{worse} x{slow}: {seconds:?}");
    }
}

#[test]
fn without_a_request_of_the_candidate_there_is_no_data() {
    let mut judge = Judge::new(Settings::default(), &[]);
    assert_eq!(judge.look().verdict, Verdict::NoData);
    Stream::new(1, 100, 0.0).feed(&mut judge, 0.0, 0.0, 1.0);
    assert_eq!(judge.look().verdict, Verdict::NoData);
}

#[test]
fn a_metric_that_has_nothing_keeps_it_from_being_promoted() {
    let checkout = Compare { name: "checkout", errors: true, latency: false, required: true };
    let mut judge = Judge::new(Settings::default(), &[checkout]);
    let (verdict, _) = Stream::new(1, 200, 0.5).run(&mut judge, 0.0, 1.0, 200);
    assert_eq!(verdict, Verdict::NoData);
}

#[test]
fn a_stored_judge_goes_on_with_the_same_budget() {
    let mut streams = [Stream::new(5, 100, 0.1), Stream::new(5, 100, 0.1)];
    let mut judge = Judge::new(Settings::default(), &[]);
    let mut stored = judge.clone();
    for second in 0..150 {
        streams[0].feed(&mut judge, 0.01, 0.01, 1.1);
        streams[1].feed(&mut stored, 0.01, 0.01, 1.1);
        if second == 100 {
            stored = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        }
    }
    let (one, other) = (judge.look(), stored.look());
    assert_eq!((one.verdict, one.parts.len()), (other.verdict, other.parts.len()));
    // JSON may round the last digit of a float.
    assert!((one.log_beyond - other.log_beyond).abs() < 1e-6, "{one:?} {other:?}");
    assert!((one.log_worse - other.log_worse).abs() < 1e-6 && one.log_worse > 1.0, "{one:?}");
}

#[test]
fn the_state_of_a_metric_is_small() {
    let mut rate = cutover_judge::Rate::new(cutover_judge::Margin::DEFAULT, 3600);
    let mut latency = cutover_judge::Latency::new(0.1, 3600);
    let slow: Vec<(u64, u64)> = (1..300).map(|n| (n * 1000, 1)).collect();
    for (stage, share) in [0.01, 0.05, 0.25, 0.5, 0.9].into_iter().enumerate() {
        for _ in 0..120 {
            let arm = Arm { counts: Counts::new(299, 1), latency: &slow };
            let tick = Tick { seconds: 1, share, candidate: arm, stable: arm, cold: false };
            rate.learn(1, &[Counts::new(30, 1); 40]);
            rate.observe(&tick);
            latency.observe(&tick);
        }
        // At the first stage all of its places are there; shares are told apart up to a limit.
        assert!((2000..=4096).contains(&rate.bytes()), "{stage}: {}", rate.bytes());
        let most = if stage == 0 { 4400 } else { 5700 };
        assert!((3000..=most).contains(&latency.bytes()), "{stage}: {}", latency.bytes());
    }
}
