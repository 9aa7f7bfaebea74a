//! Changes of flags: asked for, weighed, kept, and then published.

use std::time::Duration;

use cutover_core::id::Environment;
use cutover_core::served_flags::FlagSource;
use cutover_core::units::At;
use cutover_engine::api::{Refused, RefusedKind};
use cutover_flags::{Definitions, FlagOutline, Outline, Problem, Selector};

use super::change::{
    Act, Asked, Change, Changed, Decision, Edit, FlagId, How, Ramp, Setting, Settings, Standing,
};
use super::ledger::NotKept;
use super::moves::{Moves, Users, moves};
use super::overlay::{Overlay, source, variant_of};
use super::person::Author;
use super::watch::{Flags, Watched, blocking};
use crate::render::now;

/// Answers of the proxy with tracks that are read for one look ahead.
const MOST_PAGES: usize = 10;
/// Only users of the last hour count, in milliseconds.
const HOUR: u64 = 60 * 60 * 1000;
/// The longest that they may take: a kill must not wait for a look ahead.
const LOOK_AHEAD: Duration = Duration::from_secs(1);
/// The longest key or name of a variant.
const LONGEST_NAME: usize = 1024;

/// What a change is about to do.
struct Plan {
    of: FlagId,
    act: Act,
    settings: Vec<Setting>,
}

fn usage(message: String, help: &str) -> Refused {
    Refused { kind: RefusedKind::Usage, message, help: Some(help.to_owned()) }
}

pub(super) fn not_served(environment: &Environment) -> Refused {
    let message = format!("no flags of {environment} are served");
    usage(message, "nothing was changed; serve some: cutover flag serve FILE")
}

fn not_kept(error: &NotKept) -> Refused {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Refused {
        kind: RefusedKind::Preflight,
        message: format!("{error}{}", cause.unwrap_or_default()),
        help: Some("nothing was changed, and what was served before is served on".to_owned()),
    }
}

impl Flags {
    /// Changes a flag, or tells what that would do.
    pub(crate) async fn change(
        &self,
        environment: &Environment,
        asked: Asked,
        account: &str,
    ) -> Result<Changed, Refused> {
        let mut environments = self.environments.lock().await;
        let watched = environments.get_mut(environment).ok_or_else(|| not_served(environment))?;
        let raw = self.raw(environment, watched).await?;
        let (of, flag, effective) = find(&raw, watched, &asked)?;
        let act = match asked.edit {
            Edit::Set { .. } => Act::Set,
            Edit::Ramp { .. } => Act::Ramp,
            Edit::Kill => Act::Kill,
            Edit::Restore => Act::Restore,
        };
        let current = watched.ledger.settings(&of);
        let settings = settings(&asked.edit, &of, &flag, &effective, &current)?;
        if let Some(Setting::Ramp(Some(_))) =
            settings.iter().find(|setting| matches!(setting, Setting::Ramp(_)))
            && watched.follows.contains_key(&of.flag)
        {
            return Err(usage(
                format!("the share of {of} follows the app's"),
                "nothing was changed; change it there: cutover flag ramp KEY --to SHARE --app APP --judge",
            ));
        }
        let plan = Plan { of, act, settings };
        self.go(environment, watched, plan, &asked.how, account).await
    }

    /// Undoes a change; takes one back that waits.
    pub(crate) async fn revert(
        &self,
        environment: &Environment,
        number: u64,
        how: &How,
        account: &str,
    ) -> Result<Changed, Refused> {
        let mut environments = self.environments.lock().await;
        let watched = environments.get_mut(environment).ok_or_else(|| not_served(environment))?;
        let change = known(watched, environment, number)?;
        match change.standing {
            Standing::Withdrawn => Err(usage(
                format!("change {number} was taken back before it was made"),
                "there is nothing to undo; see `cutover flag history`",
            )),
            Standing::Waiting => {
                let author = Author::of(&watched.offer.people, how.token.as_deref(), account)?;
                let change = match how.dry_run {
                    true => Some(change),
                    false => {
                        let by = Decision { by: author.name, at: now() };
                        let taken = watched.ledger.withdraw(number, by);
                        taken.map_err(|error| not_kept(&error))?
                    }
                };
                let notes = vec![];
                Ok(Changed { change, dry_run: how.dry_run, published: false, moves: None, notes })
            }
            Standing::Made(_) => {
                if let Some(later) = watched.ledger.later(&change) {
                    let later = later.number;
                    return Err(usage(
                        format!(
                            "change {number} cannot be undone alone: change {later} set the same after it"
                        ),
                        &format!(
                            "nothing was changed; undo that first: cutover flag revert {later}"
                        ),
                    ));
                }
                let (of, act) = (change.of.clone(), Act::Revert(number));
                let settings = watched.ledger.settings(&of).news(change.before);
                let plan = Plan { of, act, settings };
                self.go(environment, watched, plan, how, account).await
            }
        }
    }

    /// Makes a change that waited for a second person.
    pub(crate) async fn approve(
        &self,
        environment: &Environment,
        number: u64,
        how: &How,
        account: &str,
    ) -> Result<Changed, Refused> {
        let mut environments = self.environments.lock().await;
        let watched = environments.get_mut(environment).ok_or_else(|| not_served(environment))?;
        let change = known(watched, environment, number)?;
        if change.standing != Standing::Waiting {
            return Err(usage(
                format!("change {number} does not wait for anybody"),
                "nothing was changed; see `cutover flag history`",
            ));
        }
        let author = Author::of(&watched.offer.people, how.token.as_deref(), account)?;
        if author.person.is_none() || author.person == change.person {
            return Err(usage(
                format!("change {number} needs the approval of another person than {}", change.by),
                "nothing was changed; show that person's token: cutover flag approve NUMBER --token FILE",
            ));
        }
        let raw = self.raw(environment, watched).await?;
        let weighed = self.weigh(environment, watched, &raw, &change.of, &change.settings).await?;
        if how.dry_run {
            return Ok(weighed.answer(Some(change), true, false));
        }
        let decided = Some(Decision { by: author.name, at: now() });
        let made = watched.ledger.make(Change { decided, ..change });
        let made = made.map_err(|error| not_kept(&error))?;
        Ok(self.published(environment, watched, weighed, made).await)
    }

    /// The changes of an environment, newest first.
    pub(crate) async fn changes(
        &self,
        environment: &Environment,
        flag: Option<&str>,
        most: usize,
    ) -> Result<Vec<Change>, Refused> {
        let environments = self.environments.lock().await;
        let watched = environments.get(environment).ok_or_else(|| not_served(environment))?;
        let wanted = watched.ledger.changes().iter().rev();
        let wanted = wanted.filter(|change| flag.is_none_or(|flag| change.of.flag == flag));
        Ok(wanted.take(most).cloned().collect())
    }

    /// Weighs a change, keeps it, and then publishes it.
    async fn go(
        &self,
        environment: &Environment,
        watched: &mut Watched,
        plan: Plan,
        how: &How,
        account: &str,
    ) -> Result<Changed, Refused> {
        let Plan { of, act, settings } = plan;
        let raw = self.raw(environment, watched).await?;
        let weighed = self.weigh(environment, watched, &raw, &of, &settings).await?;
        if settings.is_empty() {
            return Ok(weighed.answer(None, how.dry_run, true));
        }
        let author = Author::of(&watched.offer.people, how.token.as_deref(), account)?;
        let is_protected = !watched.offer.people.is_empty() && act != Act::Kill;
        if is_protected && author.person.is_none() && !how.dry_run {
            return Err(usage(
                format!("flags of {environment} are protected: it has to be known who asks"),
                "nothing was changed; show your token: --token FILE. A kill needs none",
            ));
        }
        let before = settings.iter().map(|it| watched.ledger.settings(&of).put(it.clone()));
        let change = Change {
            number: watched.ledger.next_number(),
            before: before.collect(),
            of,
            act,
            settings,
            at: now(),
            by: author.name,
            person: author.person,
            reason: how.kept_reason(),
            standing: Standing::Waiting,
            decided: None,
        };
        if how.dry_run {
            return Ok(weighed.answer(Some(change), true, false));
        }
        if is_protected {
            let waits = watched.ledger.wait(change.clone());
            waits.map_err(|error| not_kept(&error))?;
            return Ok(weighed.answer(Some(change), false, false));
        }
        let made = watched.ledger.make(change).map_err(|error| not_kept(&error))?;
        Ok(self.published(environment, watched, weighed, made).await)
    }

    /// It is kept: whatever happens now, it will be published.
    async fn published(
        &self,
        environment: &Environment,
        watched: &mut Watched,
        weighed: Weighed,
        change: Change,
    ) -> Changed {
        let published = self.publish_changes(environment, watched).await;
        let mut answer = weighed.answer(Some(change), false, published.is_ok());
        if let Err(refused) = published {
            let why = refused.message;
            answer
                .notes
                .push(format!("it is kept, and published as soon as that is possible: {why}"));
        }
        answer
    }

    /// What would come of it.
    ///
    /// # Errors
    /// Where the flag could not be used any longer.
    async fn weigh(
        &self,
        environment: &Environment,
        watched: &Watched,
        raw: &[FlagSource],
        of: &FlagId,
        settings: &[Setting],
    ) -> Result<Weighed, Refused> {
        let tracks = tokio::time::timeout(LOOK_AHEAD, self.tracks(environment)).await;
        let users = Users::of(tracks.unwrap_or_default());
        let before = watched.overlay().over(raw);
        let more = Some((of, settings));
        let after = Overlay { more, ..watched.overlay() }.over(raw);
        let adrift = after.adrift.contains(of);
        let (wanted, seconds) = (of.clone(), i64::try_from(now().0 / 1000).unwrap_or(i64::MAX));
        let (moves, broken) = blocking(move || {
            let load = |sources: &[FlagSource]| {
                Definitions::load(&sources.iter().map(source).collect::<Vec<_>>())
            };
            let ((old, old_problems), (new, problems)) =
                (load(&before.sources), load(&after.sources));
            let of_it = |problem: &&Problem| {
                problem.is_error() && problem.flag.as_ref() == Some(&wanted.flag)
            };
            let was_broken = old_problems.iter().any(|problem| of_it(&problem));
            let broken = problems.iter().find(of_it).filter(|_| !was_broken);
            let selector = wanted.set.clone().map_or(Selector::NoSet, Selector::Set);
            let moves = moves(&wanted.flag, &selector, &old, &new, &users, seconds);
            (moves, broken.map(ToString::to_string))
        })
        .await?;
        if let Some(broken) = broken {
            return Err(Refused {
                kind: RefusedKind::Spec,
                message: format!("{of} could not be used any longer: {broken}"),
                help: Some(
                    "nothing was changed, and what was served before is served on".to_owned(),
                ),
            });
        }
        let mut notes = vec![];
        if adrift {
            notes.push(format!("no source defines {of} now: the change waits for it"));
        } else if moves.moves.is_empty() && !settings.is_empty() {
            notes.push(format!(
                "nobody gets anything else by it: see `cutover flag explain {}`",
                of.flag
            ));
        }
        Ok(Weighed { moves: (!adrift).then_some(moves), notes })
    }

    /// What the proxy holds of who saw what in the last hour; nothing if it cannot be asked.
    async fn tracks(&self, environment: &Environment) -> Vec<cutover_core::served_flags::Track> {
        let (mut all, mut after) = (vec![], 0);
        let since = At(now().0.saturating_sub(HOUR));
        for _ in 0..MOST_PAGES {
            let Ok(page) = self.proxy.tracks(environment, after, None).await else { break };
            if page.tracks.is_empty() {
                break;
            }
            after = page.cursor;
            let lately = page.tracks.into_iter().filter(|tracked| tracked.at >= since);
            all.extend(lately.map(|tracked| tracked.track));
        }
        all
    }
}

/// What would come of a change.
struct Weighed {
    moves: Option<Moves>,
    notes: Vec<String>,
}

impl Weighed {
    fn answer(self, change: Option<Change>, dry_run: bool, published: bool) -> Changed {
        Changed { change, dry_run, published, moves: self.moves, notes: self.notes }
    }
}

fn known(watched: &Watched, environment: &Environment, number: u64) -> Result<Change, Refused> {
    watched.ledger.change(number).cloned().ok_or_else(|| {
        usage(
            format!("there is no change {number} of flags of {environment}"),
            "nothing was changed; `cutover flag history` shows all that are kept",
        )
    })
}

/// The flag that is meant: as its source has it, and as it is now.
fn find(
    raw: &[FlagSource],
    watched: &Watched,
    asked: &Asked,
) -> Result<(FlagId, FlagOutline, FlagOutline), Refused> {
    if asked.flag.is_empty() || asked.flag.len() > LONGEST_NAME {
        let message = format!("a flag's key has 1 to {LONGEST_NAME} bytes");
        return Err(usage(message, "nothing was changed"));
    }
    let outlines = |sources: &[FlagSource]| -> Vec<Outline> {
        sources.iter().filter_map(|document| Outline::read(&source(document)).ok()).collect()
    };
    let written = outlines(raw);
    let of = |outline: &Outline| outline.flags.iter().find(|flag| flag.key == asked.flag).cloned();
    let mut found: Vec<(Option<String>, FlagOutline)> = vec![];
    for outline in &written {
        let Some(flag) = of(outline) else { continue };
        // Of two in one set, the later one counts.
        found.retain(|(set, _)| *set != outline.set);
        found.push((outline.set.clone(), flag));
    }
    if let Some(set) = &asked.set {
        found.retain(|(own, _)| own.as_deref().unwrap_or_default() == set);
    }
    let (set, flag) = match found.as_slice() {
        [one] => one.clone(),
        [] => {
            return Err(usage(
                format!("there is no flag {}", asked.flag),
                "nothing was changed; `cutover flag list` shows all",
            ));
        }
        many => {
            let names: Vec<&str> =
                many.iter().map(|(set, _)| set.as_deref().unwrap_or("\"\"")).collect();
            return Err(usage(
                format!("which {}? the sets {} have it", asked.flag, names.join(", ")),
                "nothing was changed; name the set: --set SET",
            ));
        }
    };
    let changed = outlines(&watched.overlay().over(raw).sources);
    let effective = changed.iter().rev().filter(|outline| outline.set == set).find_map(of);
    let of = FlagId { set, flag: asked.flag.clone() };
    Ok((of, flag.clone(), effective.unwrap_or(flag)))
}

/// What has to be set for what is wanted; nothing where it is so already.
fn settings(
    edit: &Edit,
    of: &FlagId,
    flag: &FlagOutline,
    effective: &FlagOutline,
    current: &Settings,
) -> Result<Vec<Setting>, Refused> {
    let mut settings = vec![];
    match edit {
        Edit::Kill if effective.killed => {}
        Edit::Kill => settings.push(Setting::Killed(Some(true))),
        Edit::Restore if !effective.killed => {}
        // A kill in the source is undone as well.
        Edit::Restore => settings.push(Setting::Killed(flag.killed.then_some(false))),
        Edit::Ramp { share, variant } => {
            let variant = ramped(variant.as_deref(), of, flag, effective)?;
            settings.push(Setting::Ramp(Some(Ramp { share: *share, variant })));
        }
        Edit::Set { state, default, share, variant, clear } => {
            if *clear {
                settings.extend([
                    Setting::State(None),
                    Setting::Default(None),
                    Setting::Ramp(None),
                ]);
            }
            settings.extend(state.map(|state| Setting::State(Some(state))));
            if let Some(default) = default {
                exists(default, of, flag)?;
                settings.push(Setting::Default(Some(default.clone())));
            }
            match (share, variant) {
                (Some(share), variant) => {
                    let variant = ramped(variant.as_deref(), of, flag, effective)?;
                    settings.push(Setting::Ramp(Some(Ramp { share: *share, variant })));
                }
                (None, Some(_)) => {
                    let message = "a variant is for a share of users".to_owned();
                    return Err(usage(message, "nothing was changed; add the share: --share 10%"));
                }
                (None, None) => {}
            }
            // Of two of a kind, the later one.
            let all = settings.clone();
            let mut at = 0;
            settings.retain(|setting| {
                at += 1;
                !all.iter().skip(at).any(|later| later.is_like(setting))
            });
        }
    }
    Ok(current.news(settings))
}

/// The variant of a ramp: the one that is asked for, or the one that it can only be.
fn ramped(
    asked: Option<&str>,
    of: &FlagId,
    flag: &FlagOutline,
    effective: &FlagOutline,
) -> Result<Option<String>, Refused> {
    if let Some(variant) = asked {
        exists(variant, of, flag)?;
        return Ok(Some(variant.to_owned()));
    }
    if effective.ramp.as_ref().is_some_and(|ramp| ramp.variant.is_none()) {
        // Its split goes on.
        return Ok(None);
    }
    variant_of(effective).map(Some).ok_or_else(|| {
        usage(
            format!("which variant of {of}? it has {}", flag.variants.join(", ")),
            "nothing was changed; name it: --variant VARIANT",
        )
    })
}

fn exists(variant: &str, of: &FlagId, flag: &FlagOutline) -> Result<(), Refused> {
    if flag.variants.iter().any(|known| known == variant) {
        return Ok(());
    }
    let variant: String = variant.chars().take(80).collect();
    Err(usage(
        format!("{of} has no variant {variant}"),
        &format!("nothing was changed; it has {}", flag.variants.join(", ")),
    ))
}
