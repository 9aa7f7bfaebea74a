//! Users and outcomes on disk, in SQLite; losing them loses no decision.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_core::served_flags::{Attribute, Track, Tracked, Tracks};
use cutover_core::units::At;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Cursor;
use super::cohort::{Cohort, Names, Person, Split};
use super::question::Question;
use super::report::Losses;
use crate::journal::{JournalError, open_private};

/// Names of outcomes that are told.
const MOST_NAMES: u32 = 100;

/// The split of users who came while nobody was dealt out.
const UNDEALT: i64 = 0;

/// A user has a row for every split that he saw the flag in: what a stage of a ramp is judged by
/// begins with that stage.
const LAYOUT: &str = "
    CREATE TABLE IF NOT EXISTS users (
        env TEXT NOT NULL, flag TEXT NOT NULL, user TEXT NOT NULL, variant TEXT NOT NULL,
        at INTEGER NOT NULL, last INTEGER NOT NULL, other TEXT, split INTEGER NOT NULL,
        attributes TEXT, PRIMARY KEY (env, flag, user, split)) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS users_by_age ON users (last);
    CREATE TABLE IF NOT EXISTS splits (
        id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE IF NOT EXISTS outcomes (
        id INTEGER PRIMARY KEY, env TEXT NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL,
        at INTEGER NOT NULL, value REAL, flag TEXT) STRICT;
    CREATE INDEX IF NOT EXISTS outcomes_of ON outcomes (env, name, user, at);
    CREATE INDEX IF NOT EXISTS outcomes_by_age ON outcomes (at);
    CREATE TABLE IF NOT EXISTS readers (
        env TEXT PRIMARY KEY, epoch TEXT NOT NULL, after INTEGER NOT NULL,
        forgotten INTEGER NOT NULL, restarts INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS dropped (
        what TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;";

#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
}

impl Store {
    pub(super) fn open(state: &Path) -> Result<Store, JournalError> {
        let connection = open_private(&state.join("tracks.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(LAYOUT)?;
        Ok(Store { connection })
    }

    pub(super) fn cursor(&self, env: &str) -> Result<Cursor, JournalError> {
        let found: Option<(String, u64)> = self
            .connection
            .query_row("SELECT epoch, after FROM readers WHERE env = ?1", [env], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        Ok(found.map_or_else(Cursor::default, |(epoch, after)| Cursor {
            epoch: epoch.parse().ok(),
            after,
        }))
    }

    pub(super) fn keep(
        &mut self,
        env: &str,
        tracks: &Tracks,
        splits: &BTreeMap<String, Split>,
    ) -> Result<(u64, bool), JournalError> {
        let before = self.cursor(env)?;
        let restarted = before.epoch.is_some_and(|epoch| epoch != tracks.epoch);
        let whole = self.connection.transaction()?;
        let mut known = BTreeMap::new();
        for Tracked { at, track } in &tracks.tracks {
            match track {
                Track::Exposure { targeting_key, flag, variant, attributes } => {
                    let split = match known.get(flag) {
                        Some(split) => *split,
                        None => {
                            let split = splits.get(flag).map(|it| kept(&whole, it)).transpose()?;
                            let split = split.unwrap_or(UNDEALT);
                            known.insert(flag, split);
                            split
                        }
                    };
                    let attributes = match attributes.is_empty() {
                        true => None,
                        false => Some(serde_json::to_string(attributes)?),
                    };
                    let mut insert = whole.prepare_cached(
                        "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?5, NULL, ?6, ?7)
                         ON CONFLICT DO UPDATE SET last = excluded.last,
                             other = CASE WHEN variant = excluded.variant THEN other
                                          ELSE COALESCE(other, excluded.variant) END",
                    )?;
                    let who = params![env, flag, targeting_key, variant, at.0, split, attributes];
                    insert.execute(who)?;
                }
                Track::Outcome { targeting_key, name, value, flag, variant: _ } => {
                    let mut insert = whole.prepare_cached(
                        "INSERT INTO outcomes (env, user, name, at, value, flag)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?;
                    insert.execute(params![env, targeting_key, name, at.0, value, flag])?;
                }
            }
        }
        whole.execute(
            "INSERT INTO readers VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET epoch = excluded.epoch, after = excluded.after,
                 forgotten = forgotten + excluded.forgotten, restarts = restarts + excluded.restarts",
            params![env, tracks.epoch.to_string(), tracks.cursor, tracks.forgotten, restarted],
        )?;
        whole.commit()?;
        Ok((tracks.forgotten, restarted))
    }

    /// Drops what was not heard of since `before`, and then the oldest twentieth until it fits.
    pub(super) fn tidy(&mut self, before: At, most: u64) -> Result<(), JournalError> {
        let whole = self.connection.transaction()?;
        drop_before(&whole, before)?;
        while used(&whole)? > most {
            let oldest = |table: &str, column: &str| -> Result<Option<u64>, JournalError> {
                let sql = format!(
                    "SELECT {column} FROM {table} ORDER BY {column}
                     LIMIT 1 OFFSET (SELECT COUNT(*) / 20 FROM {table})"
                );
                Ok(whole.query_row(&sql, [], |row| row.get(0)).optional()?)
            };
            let (users, outcomes) = (oldest("users", "last")?, oldest("outcomes", "at")?);
            let Some(first) = users.into_iter().chain(outcomes).min() else { break };
            // Those of the same moment go together.
            drop_before(&whole, At(first + 1))?;
        }
        whole.execute("DELETE FROM splits WHERE id NOT IN (SELECT split FROM users)", [])?;
        Ok(whole.commit()?)
    }

    pub(super) fn losses(&self, env: &str) -> Result<Losses, JournalError> {
        let sql = "SELECT forgotten, restarts FROM readers WHERE env = ?1";
        let read = self.connection.query_row(sql, [env], |row| Ok((row.get(0)?, row.get(1)?)));
        let (forgotten, restarts) = read.optional()?.unwrap_or_default();
        let dropped = |what: &str| -> Result<u64, JournalError> {
            let sql = "SELECT count FROM dropped WHERE what = ?1";
            let count = self.connection.query_row(sql, [what], |row| row.get(0)).optional()?;
            Ok(count.unwrap_or_default())
        };
        let (dropped_users, dropped_outcomes) = (dropped("users")?, dropped("outcomes")?);
        Ok(Losses { forgotten, restarts, dropped_users, dropped_outcomes })
    }

    /// Names of outcomes; skips from name to name, so that it does not read them all.
    pub(super) fn outcomes(&self, env: &str) -> Result<Vec<String>, JournalError> {
        let mut query = self.connection.prepare_cached(
            "WITH RECURSIVE names (name) AS (
                 SELECT MIN(name) FROM outcomes WHERE env = ?1
                 UNION ALL
                 SELECT (SELECT MIN(name) FROM outcomes WHERE env = ?1 AND name > names.name)
                 FROM names WHERE names.name IS NOT NULL LIMIT ?2)
             SELECT name FROM names WHERE name IS NOT NULL",
        )?;
        let names = query.query_map(params![env, MOST_NAMES], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// Everybody who was exposed to a flag, and what came of it.
    pub(super) fn cohort(&self, env: &str, question: &Question) -> Result<Cohort, JournalError> {
        let mut cohort = Cohort::default();
        let (mut variants, mut segments) = (Names::default(), Names::default());
        let mut places = BTreeMap::new();
        let mut query = self.connection.prepare("SELECT id, body FROM splits")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            let (id, body): (i64, String) = row?;
            places.insert(id, cohort.splits.len());
            cohort.splits.push(serde_json::from_str(&body)?);
        }
        let within = u64::try_from(question.within.0.as_millis()).unwrap_or(u64::MAX);
        let within = within.min(i64::MAX.unsigned_abs() / 2);
        let mut query = self.connection.prepare(
            "SELECT variant, at, split, contaminated, attributes,
                 (SELECT MIN(o.at) FROM outcomes o WHERE o.env = u.env AND o.name = ?3
                      AND o.user = u.user AND o.at >= u.at AND COALESCE(o.flag, ?2) = ?2),
                 (SELECT SUM(o.value) FROM outcomes o WHERE o.env = u.env AND o.name = ?3
                      AND o.user = u.user AND o.at >= u.at AND o.at < u.at + ?5
                      AND COALESCE(o.flag, ?2) = ?2)
             FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY user ORDER BY split = 0, at) AS place,
                       MAX(other IS NOT NULL) OVER all_of
                           OR MIN(variant) OVER all_of <> MAX(variant) OVER all_of AS contaminated
                   FROM users WHERE env = ?1 AND flag = ?2 AND at >= ?4
                   WINDOW all_of AS (PARTITION BY user, split = 0)) u
             WHERE place = 1 ORDER BY at",
        )?;
        let since = question.since.map_or(0, |since| since.0);
        let mut rows = query.query(params![env, question.flag, question.outcome, since, within])?;
        while let Some(row) = rows.next()? {
            let (variant, at): (String, u64) = (row.get(0)?, row.get(1)?);
            let split: i64 = row.get(2)?;
            let attributes: Option<String> = row.get(4)?;
            let attributes = match (&attributes, &question.by, &question.before) {
                (None, ..) | (_, None, None) => BTreeMap::new(),
                (Some(text), ..) => serde_json::from_str::<BTreeMap<String, Attribute>>(text)?,
            };
            let attribute = |name: &Option<String>| attributes.get(name.as_deref()?);
            let segment = attribute(&question.by).map(ToString::to_string);
            let converted: Option<u64> = row.get(5)?;
            let amount: Option<f64> = row.get(6)?;
            cohort.has_amounts |= amount.is_some();
            let person = Person {
                variant: variants.place_of_few(variant),
                at: At(at),
                split: places.get(&split).copied(),
                contaminated: row.get(3)?,
                segment: segment.map(|value| segments.place(value)),
                before: attribute(&question.before).and_then(Attribute::number),
                converted: converted.map(At),
                amount: amount.unwrap_or_default(),
            };
            cohort.people.push(person);
        }
        (cohort.variants, cohort.segments) = (variants.list, segments.list);
        Ok(cohort)
    }
}

/// The number of a split, which is put there if it is new.
fn kept(whole: &Transaction<'_>, split: &Split) -> Result<i64, JournalError> {
    let body = serde_json::to_string(split)?;
    whole.execute("INSERT OR IGNORE INTO splits (body) VALUES (?1)", [&body])?;
    let sql = "SELECT id FROM splits WHERE body = ?1";
    Ok(whole.query_row(sql, [&body], |row| row.get(0))?)
}

fn drop_before(whole: &Transaction<'_>, before: At) -> Result<(), JournalError> {
    for (table, column) in [("users", "last"), ("outcomes", "at")] {
        let gone =
            whole.execute(&format!("DELETE FROM {table} WHERE {column} < ?1"), [before.0])?;
        whole.execute(
            "INSERT INTO dropped VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET count = count + excluded.count",
            params![table, gone],
        )?;
    }
    Ok(())
}

/// Bytes that are in use; those of rows that went are used again.
fn used(whole: &Transaction<'_>) -> Result<u64, JournalError> {
    let pragma = |name: &str| whole.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}
