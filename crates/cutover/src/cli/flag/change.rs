//! `cutover flag set`, `ramp`, `kill`, `restore`

use std::path::PathBuf;

use cutover_core::units::{Share, Span};

use super::rollout;
use super::told::{share, tell, token};
use crate::cli::Session;
use crate::cli::deploy::Following;
use crate::failure::{Done, Failure};
use crate::flags::{Asked, Changed, Edit, How, State};

/// What all changes have in common.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Why; the history shows it.
    #[arg(short = 'm', long, value_name = "WHY")]
    pub(super) reason: Option<String>,
    /// Change nothing, and tell who would get something else.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// A file with your token, where the environment is protected.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
}

impl Common {
    pub(super) fn how(self) -> Result<How, Failure> {
        let token = self.token.as_deref().map(token).transpose()?;
        Ok(How { reason: self.reason, dry_run: self.dry_run, token })
    }
}

/// Which flag a change is of.
#[derive(Debug, clap::Args)]
pub(super) struct Of {
    /// The flag's key.
    pub(super) key: String,
    /// The flag's set, where several have the key; "" for documents that name none.
    #[arg(long, value_name = "SET")]
    set: Option<String>,
}

/// Change a flag that is served: its state, default variant, or the share of users who get one.
///
/// The change is laid over the flag's file, which stays as it is; it survives new versions of the
/// file and restarts. `--clear` drops all that was set before, so that the file counts again.
///
/// Example: cutover flag set new-checkout --default on -m "goes live"
#[derive(Debug, clap::Args)]
pub(super) struct Set {
    #[command(flatten)]
    of: Of,
    /// ENABLED, or DISABLED: clients take the default in their code.
    #[arg(long, value_enum, ignore_case = true)]
    state: Option<State>,
    /// The default variant.
    #[arg(long, value_name = "VARIANT")]
    default: Option<String>,
    /// The share of users who get the variant where the flag's rule says nothing: 12.5%.
    #[arg(long, value_parser = share)]
    share: Option<Share>,
    /// The variant that they get, if it is not clear.
    #[arg(long)]
    variant: Option<String>,
    /// Drop what was set before; a kill stays.
    #[arg(long)]
    clear: bool,
    #[command(flatten)]
    common: Common,
}

/// Give a growing share of users a variant of a flag.
///
/// Whoever has it keeps it while the share grows.
///
/// With --app, --steps, --bake or --judge it is a rollout of an app's flag on its live release, step
/// by step, that turns back by itself like any other; see it with `status`, `abort`, `history`.
/// Otherwise the flag is one that is served (`flag serve`), and changes at once.
///
/// Example: cutover flag ramp new-checkout --to 100 --steps 1,10,50 --judge
#[derive(Debug, clap::Args)]
pub(super) struct Ramp {
    #[command(flatten)]
    of: Of,
    /// The share of users: 12.5%.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) to: Share,
    /// The variant that they get, if it is not clear.
    #[arg(long)]
    variant: Option<String>,
    /// Shares on the way: 1,10,50. Those of the spec if not given.
    #[arg(long, value_name = "SHARES", value_delimiter = ',', value_parser = share)]
    pub(super) steps: Vec<Share>,
    /// Go on only once the requests of users with the flag are shown to be as good as the others'.
    #[arg(long)]
    pub(super) judge: bool,
    /// How long each share is held at least; as the spec says if not given.
    #[arg(long, value_name = "SPAN")]
    pub(super) bake: Option<Span>,
    #[command(flatten)]
    pub(super) following: Following,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Switch a flag off for everybody, at once; beats rules, ramps and schedules.
///
/// It needs no approval, also where the environment is protected. With --app it is a flag of that
/// app; a rollout that raises it is turned back: the flag first, then the code.
///
/// Example: cutover flag kill new-checkout -m "checkout fails"
#[derive(Debug, clap::Args)]
pub(super) struct Kill {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    common: Common,
}

/// Undo a kill: the flag is what its file and the changes to it say; with --app, what it was at rest.
///
/// Example: cutover flag restore new-checkout -m "fixed in v7"
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    common: Common,
}

async fn change(session: &Session, of: Of, edit: Edit, common: Common) -> Done {
    let env = session.common.env.clone().unwrap_or_default();
    let asked = Asked { flag: of.key, set: of.set, edit, how: common.how()? };
    let client = session.client().await?;
    let changed: Changed = client.post(&format!("/v1/flags/{env}/changes"), &asked).await?;
    tell(session, &env, &asked.flag, &changed)
}

impl Set {
    pub(super) async fn run(self, session: &Session) -> Done {
        let Set { of, state, default, share, variant, clear, common } = self;
        if state.is_none() && default.is_none() && share.is_none() && variant.is_none() && !clear {
            return Err(Failure::usage("nothing to set is given")
                .help("cutover flag set KEY --default VARIANT, --state, --share or --clear"));
        }
        let edit = Edit::Set { state, default, share, variant, clear };
        change(session, of, edit, common).await
    }
}

impl Ramp {
    pub(super) async fn run(self, session: &Session) -> Done {
        let in_steps = !self.steps.is_empty() || self.judge || self.bake.is_some();
        if in_steps || session.common.app.is_some() {
            let key = self.of.key.clone();
            return rollout::ramp(session, &key, self).await;
        }
        let edit = Edit::Ramp { share: self.to, variant: self.variant };
        change(session, self.of, edit, self.common).await
    }
}

impl Kill {
    pub(super) async fn run(self, session: &Session) -> Done {
        if session.common.app.is_some() {
            return rollout::kill(session, &self.of.key, self.common).await;
        }
        change(session, self.of, Edit::Kill, self.common).await
    }
}

impl Restore {
    pub(super) async fn run(self, session: &Session) -> Done {
        if session.common.app.is_some() {
            return rollout::restore(session, &self.of.key, self.common).await;
        }
        change(session, self.of, Edit::Restore, self.common).await
    }
}
