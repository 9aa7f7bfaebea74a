//! What the judge is asked, as flags.

use cutover_core::spec::{Points, Worse};
use cutover_core::units::{Share, Span};
use cutover_judge::{Margin, Settings};

/// Settings of the judge, each instead of the one that would hold otherwise.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "What is asked")]
pub(super) struct Asked {
    /// How many more errors are tolerated: so many times as many, and so many more.
    /// [default: 1.2x+0.1pp]
    #[arg(long, value_name = "WORSE")]
    tolerance_errors: Option<Worse>,
    /// How much longer answers may take. [default: 10%]
    #[arg(long, value_name = "SHARE")]
    tolerance_latency: Option<Share>,
    /// It is promoted once its error rate is shown to be less than this above stable's.
    /// [default: 1pp]
    #[arg(long, value_name = "POINTS")]
    not_worse_by: Option<Points>,
    /// Fewer requests than this promote nothing. [default: 100]
    #[arg(long, value_name = "N")]
    min_requests: Option<u64>,
    /// How long the rollout is planned to last; evidence of harm that begins late in it is found,
    /// too. [default: 1h]
    #[arg(long, value_name = "SPAN")]
    pub(super) horizon: Option<Span>,
}

impl Asked {
    /// These settings, with what the command line says instead.
    pub(super) fn over(&self, mut settings: Settings) -> Settings {
        if let Some(errors) = self.tolerance_errors {
            settings.errors = Some(Margin { ratio: errors.times(), extra: errors.more() });
        }
        if let Some(latency) = self.tolerance_latency {
            settings.latency = Some(f64::from(latency.permille()) / 1000.0);
        }
        if let Some(points) = self.not_worse_by {
            settings.not_worse_by = points.share();
        }
        if let Some(requests) = self.min_requests {
            settings.min_requests = requests;
        }
        if let Some(horizon) = self.horizon {
            settings.horizon = horizon.0.as_secs().max(1);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        asked: Asked,
    }

    #[test]
    fn flags_change_what_they_name_and_the_texts_tell_the_defaults() {
        let of = |flags: &str| {
            let words = std::iter::once("x").chain(flags.split_whitespace());
            Line::parse_from(words).asked.over(Settings::default())
        };
        let defaults = "--tolerance-errors 1.2x+0.1pp --tolerance-latency 10% --not-worse-by 1pp \
                        --min-requests 100 --horizon 1h";
        assert_eq!(of(defaults), of(""));
        let changed = of("--tolerance-errors 2x --min-requests 7");
        assert_eq!((changed.errors.unwrap().ratio, changed.min_requests), (2.0, 7));
    }
}
