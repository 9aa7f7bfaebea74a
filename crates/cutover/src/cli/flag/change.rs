//! `cutover flag set`, `ramp`, `kill`, `restore`

use std::path::PathBuf;

use cutover_core::units::Share;

use super::told::{share, tell, token};
use crate::cli::Session;
use crate::failure::{Done, Failure};
use crate::flags::{Asked, Changed, How, State, Wanted};

/// What all changes have in common.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Why; the history shows it.
    #[arg(short = 'm', long, value_name = "WHY")]
    reason: Option<String>,
    /// Change nothing, and tell who would get something else.
    #[arg(long)]
    dry_run: bool,
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
/// Example: cutover flag ramp new-checkout --to 25% -m "errors look good"
#[derive(Debug, clap::Args)]
pub(super) struct Ramp {
    #[command(flatten)]
    of: Of,
    /// The share of users: 12.5%.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    to: Share,
    /// The variant that they get, if it is not clear.
    #[arg(long)]
    variant: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Switch a flag off for everybody, at once; beats rules, ramps and schedules.
///
/// It needs no approval, also where the environment is protected.
///
/// Example: cutover flag kill new-checkout -m "checkout fails"
#[derive(Debug, clap::Args)]
pub(super) struct Kill {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    common: Common,
}

/// Undo a kill: the flag is what its file and the changes to it say.
///
/// Example: cutover flag restore new-checkout -m "fixed in v7"
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    common: Common,
}

async fn change(session: &Session, of: Of, wanted: Wanted, common: Common) -> Done {
    let env = session.common.env.clone().unwrap_or_default();
    let asked = Asked { flag: of.key, set: of.set, wanted, how: common.how()? };
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
        let wanted = Wanted::Set { state, default, share, variant, clear };
        change(session, of, wanted, common).await
    }
}

impl Ramp {
    pub(super) async fn run(self, session: &Session) -> Done {
        let wanted = Wanted::Ramp { share: self.to, variant: self.variant };
        change(session, self.of, wanted, self.common).await
    }
}

impl Kill {
    pub(super) async fn run(self, session: &Session) -> Done {
        change(session, self.of, Wanted::Kill, self.common).await
    }
}

impl Restore {
    pub(super) async fn run(self, session: &Session) -> Done {
        change(session, self.of, Wanted::Restore, self.common).await
    }
}
