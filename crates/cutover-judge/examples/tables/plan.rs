//! What is measured, and how often.

/// A group of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Clean,
    Noise,
    Detection,
    Promotion,
    Latency,
    Speed,
}

const PARTS: [Part; 6] =
    [Part::Clean, Part::Noise, Part::Detection, Part::Promotion, Part::Latency, Part::Speed];

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Clean => "clean",
            Part::Noise => "noise",
            Part::Detection => "detection",
            Part::Promotion => "promotion",
            Part::Latency => "latency",
            Part::Speed => "speed",
        }
    }
}

/// How many rollouts, on how many threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// A twentieth of it.
    small: bool,
    only: Option<Part>,
    /// Rows with this in their name.
    rows: String,
    pub(crate) threads: usize,
}

impl Plan {
    pub(crate) fn read(args: impl Iterator<Item = String>) -> Result<Plan, String> {
        let mut plan = Plan { small: false, only: None, rows: String::new(), threads: 2 };
        let mut args = args;
        while let Some(arg) = args.next() {
            let value = args_value(&arg, &mut args);
            match (arg.as_str(), value) {
                ("--small", _) => plan.small = true,
                ("--only", Some(value)) => plan.only = Some(part(&value)?),
                ("--rows", Some(value)) => plan.rows = value,
                ("--threads", Some(value)) => plan.threads = value.parse().unwrap_or(2).max(1),
                _ => return Err(usage(&arg)),
            }
        }
        Ok(plan)
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = Part> {
        PARTS.into_iter().filter(|part| self.only.is_none_or(|only| only == *part))
    }

    /// Is a row wanted?
    pub(crate) fn wants(&self, row: &str) -> bool {
        row.contains(&self.rows)
    }

    /// So many of these are simulated.
    pub(crate) fn runs(&self, full: usize) -> usize {
        if self.small { full.div_ceil(20) } else { full }
    }
}

fn args_value(arg: &str, args: &mut impl Iterator<Item = String>) -> Option<String> {
    matches!(arg, "--only" | "--rows" | "--threads").then(|| args.next()).flatten()
}

fn part(name: &str) -> Result<Part, String> {
    PARTS.into_iter().find(|part| part.name() == name).ok_or_else(|| usage(name))
}

fn usage(what: &str) -> String {
    let names = PARTS.map(Part::name).join(", ");
    format!(
        "unknown: {what}; usage: tables [--small] [--threads N] [--rows TEXT] [--only PART] with {names}"
    )
}
