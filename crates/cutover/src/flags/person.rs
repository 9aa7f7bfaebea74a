//! Who asks for a change: by the account, and where an environment is protected by a token of
//! the person's own, since several people may use one account.

use std::collections::BTreeMap;

use cutover_engine::api::{Refused, RefusedKind};
use sha2::{Digest, Sha256};

/// SHA-256 of a token, in hexadecimal: tokens themselves are stored nowhere.
pub(crate) fn digest(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Author {
    /// As the history has it: `bea, as deploy (uid 1000)`.
    pub(super) name: String,
    /// The person, where a token was shown.
    pub(super) person: Option<String>,
}

impl Author {
    /// The one with this token; without one, the account.
    ///
    /// # Errors
    /// Where the token is nobody's.
    pub(super) fn of(
        people: &BTreeMap<String, String>,
        token: Option<&str>,
        account: &str,
    ) -> Result<Author, Refused> {
        let Some(token) = token.filter(|_| !people.is_empty()) else {
            return Ok(Author { name: account.to_owned(), person: None });
        };
        let digest = digest(token);
        match people.iter().find(|(_, own)| **own == digest) {
            Some((person, _)) => {
                Ok(Author { name: format!("{person}, as {account}"), person: Some(person.clone()) })
            }
            None => Err(Refused {
                kind: RefusedKind::Usage,
                message: "the token belongs to nobody who may change these flags".to_owned(),
                help: Some(
                    "nothing was changed; tokens are those of `cutover flag serve --people FILE`"
                        .to_owned(),
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_apart_by_their_tokens() {
        let people = BTreeMap::from([("bea".to_owned(), digest("b"))]);
        let author = |people, token| Author::of(people, token, "ana (uid 7)");
        assert_eq!(author(&people, Some("b")).unwrap().name, "bea, as ana (uid 7)");
        assert_eq!(author(&people, None).unwrap().name, "ana (uid 7)");
        assert!(author(&people, Some("c")).is_err());
        assert_eq!(author(&BTreeMap::new(), Some("c")).unwrap().person, None);
    }
}
