//! What people change of flags that are served, and what is kept of it.

use std::fmt;

use cutover_core::units::{At, Share};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Which flag is meant: keys can be the same in two sets.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub(crate) struct FlagId {
    /// Its set; none for flags of documents that name no set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) set: Option<String>,
    /// Its key.
    pub(crate) flag: String,
}

impl fmt::Display for FlagId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.set {
            Some(set) => write!(f, "{} of set {set}", self.flag),
            None => f.write_str(&self.flag),
        }
    }
}

/// Is a flag on at all?
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
pub(crate) enum State {
    /// Clients get what the definition says.
    #[serde(rename = "ENABLED")]
    Enabled,
    /// Clients take the default in their code.
    #[serde(rename = "DISABLED")]
    Disabled,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Enabled => "ENABLED",
            State::Disabled => "DISABLED",
        }
    }
}

/// A share of users who get a variant where the rule says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Ramp {
    /// Of all users.
    pub(crate) share: Share,
    /// The variant; none where the source's split is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

/// One thing that people can set of a flag; nothing: as its source has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Setting {
    /// Off for everybody, whatever else is said.
    Killed(Option<bool>),
    /// Its state.
    State(Option<State>),
    /// Its default variant.
    Default(Option<String>),
    /// Its ramp.
    Ramp(Option<Ramp>),
}

impl Setting {
    /// Do both set the same thing?
    pub(crate) fn is_like(&self, other: &Setting) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Killed(Some(true)) => f.write_str("killed"),
            Setting::Killed(Some(false)) => f.write_str("not killed"),
            Setting::Killed(None) => f.write_str("not killed by hand"),
            Setting::State(Some(state)) => write!(f, "state {}", state.as_str()),
            Setting::State(None) => f.write_str("its source's state"),
            Setting::Default(Some(variant)) => write!(f, "default {variant}"),
            Setting::Default(None) => f.write_str("its source's default"),
            Setting::Ramp(Some(Ramp { share, variant: Some(variant) })) => {
                write!(f, "{variant} for {share}")
            }
            Setting::Ramp(Some(Ramp { share, variant: None })) => write!(f, "split for {share}"),
            Setting::Ramp(None) => f.write_str("its source's ramp"),
        }
    }
}

/// All that people set of one flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) killed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ramp: Option<Ramp>,
}

impl Settings {
    /// Sets one thing; gives what it was.
    pub(crate) fn put(&mut self, setting: Setting) -> Setting {
        match setting {
            Setting::Killed(new) => Setting::Killed(std::mem::replace(&mut self.killed, new)),
            Setting::State(new) => Setting::State(std::mem::replace(&mut self.state, new)),
            Setting::Default(new) => Setting::Default(std::mem::replace(&mut self.default, new)),
            Setting::Ramp(new) => Setting::Ramp(std::mem::replace(&mut self.ramp, new)),
        }
    }

    /// Without those that change nothing.
    pub(crate) fn news(&self, settings: Vec<Setting>) -> Vec<Setting> {
        let is_new = |setting: &Setting| self.clone().put(setting.clone()) != *setting;
        settings.into_iter().filter(is_new).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Settings::default()
    }

    /// The flag's part of a merge patch of the definitions.
    pub(crate) fn patch(&self) -> Value {
        let mut flag = Map::new();
        let mut ours = Map::new();
        if let Some(state) = self.state {
            flag.insert("state".into(), state.as_str().into());
        }
        if let Some(default) = &self.default {
            flag.insert("defaultVariant".into(), default.as_str().into());
        }
        if let Some(killed) = self.killed {
            ours.insert("kill".into(), killed.into());
        }
        if let Some(Ramp { share, variant }) = &self.ramp {
            // A share in the place of one that grows with time.
            let mut ramp = json!({"from": null, "until": null, "rolled-back": null});
            ramp["share"] = share.to_string().into();
            if let Some(variant) = variant {
                ramp["variant"] = variant.as_str().into();
                ramp["split"] = Value::Null;
            }
            ours.insert("ramp".into(), ramp);
        }
        if !ours.is_empty() {
            flag.insert("cutover".into(), ours.into());
        }
        flag.into()
    }
}

/// By which command a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    Set,
    Ramp,
    Kill,
    Restore,
    /// It undoes the change of this number.
    Revert(u64),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Set => f.write_str("set"),
            Act::Ramp => f.write_str("ramp"),
            Act::Kill => f.write_str("kill"),
            Act::Restore => f.write_str("restore"),
            Act::Revert(of) => write!(f, "revert {of}"),
        }
    }
}

/// Where a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    /// A second person has to approve it.
    Waiting,
    /// It was made; the number orders those that were.
    Made(u64),
    /// It was taken back before it was made.
    Withdrawn,
}

/// Who decided on a change that had to wait, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Decision {
    pub(crate) by: String,
    pub(crate) at: At,
}

/// One change of a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Change {
    /// Its number in the environment, from 1.
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) of: FlagId,
    pub(crate) act: Act,
    /// What it sets.
    pub(crate) settings: Vec<Setting>,
    /// What that was before.
    pub(crate) before: Vec<Setting>,
    /// When it was asked for.
    pub(crate) at: At,
    /// By whom.
    pub(crate) by: String,
    /// The person, where persons are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) standing: Standing,
    /// Who approved it or took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<Decision>,
}

/// What a person wants changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Edit {
    /// Several things at once.
    Set {
        #[serde(default)]
        state: Option<State>,
        #[serde(default)]
        default: Option<String>,
        #[serde(default)]
        share: Option<Share>,
        #[serde(default)]
        variant: Option<String>,
        /// First drop all that was set, so that the source counts again; a kill stays.
        #[serde(default)]
        clear: bool,
    },
    /// A share of users.
    Ramp {
        share: Share,
        #[serde(default)]
        variant: Option<String>,
    },
    /// Off for everybody.
    Kill,
    /// No longer killed.
    Restore,
}

/// A request to change a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Asked {
    /// The flag's key.
    pub(crate) flag: String,
    /// Its set, where the key alone does not tell; empty: of a document without a set.
    #[serde(default)]
    pub(crate) set: Option<String>,
    pub(crate) edit: Edit,
    #[serde(flatten)]
    pub(crate) how: How,
}

/// How something is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct How {
    /// Why; at most 500 characters are kept.
    pub(crate) reason: Option<String>,
    /// Only tell what would happen.
    pub(crate) dry_run: bool,
    /// The token of the person who asks, where the environment is protected.
    pub(crate) token: Option<String>,
}

impl How {
    /// The reason as it is kept: one line, and not too long.
    pub(crate) fn kept_reason(&self) -> Option<String> {
        let line = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = self.reason.iter().flat_map(|it| it.chars()).map(line).collect();
        let text: String = text.trim().chars().take(LONGEST_REASON).collect();
        (!text.is_empty()).then_some(text)
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Changed {
    /// The change; none where everything is already as it was asked for.
    pub(crate) change: Option<Change>,
    /// Only told, not made.
    pub(crate) dry_run: bool,
    /// Do clients get it already?
    pub(crate) published: bool,
    /// Who changes side by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) moves: Option<super::Moves>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_what_is_set_and_nothing_else() {
        let mut settings = Settings::default();
        assert_eq!(settings.patch(), json!({}));
        let share = "2.5%".parse().unwrap();
        let ramp = Ramp { share, variant: Some("on".into()) };
        let before = settings.put(Setting::Ramp(Some(ramp.clone())));
        assert_eq!(before, Setting::Ramp(None));
        settings.put(Setting::Killed(Some(true)));
        let expected = json!({"cutover": {"kill": true, "ramp": {"share": "2.5%", "variant": "on",
            "split": null, "from": null, "until": null, "rolled-back": null}}});
        assert_eq!(settings.patch(), expected);
        let news = settings.news(vec![Setting::Ramp(Some(ramp)), Setting::Killed(None)]);
        assert_eq!(news, [Setting::Killed(None)]);
    }

    #[test]
    fn reasons_are_one_short_line() {
        let how = |reason: &str| How { reason: Some(reason.into()), ..How::default() };
        assert_eq!(how(" a\n\u{1b}[31mb ").kept_reason().unwrap(), "a  [31mb");
        assert_eq!(how("\n").kept_reason(), None);
        assert_eq!(how(&"x".repeat(9000)).kept_reason().unwrap().len(), 500);
    }
}
