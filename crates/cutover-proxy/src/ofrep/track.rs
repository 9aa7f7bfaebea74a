//! Who saw what and what came of it: `POST /v1/track`, `{"events": [Track, …]}`.

use std::sync::PoisonError;

use cutover_core::served_flags::{Attribute, Track, Tracked, Tracks};
use cutover_flags::ErrorCode;
use cutover_flags::ofrep::error;
use hyper::body::Incoming;
use serde::Deserialize;

use super::answer::{Answer, json};
use super::environment::{Serving, now};
use super::evaluate::read;

/// The most bytes of one request.
const LARGEST: usize = 256 * 1024;
/// The most tracks of one request.
const MOST: usize = 1000;
/// The most bytes of a text.
const LONGEST: usize = 1024;
/// The most attributes of an exposure.
const MOST_ATTRIBUTES: usize = 20;

#[derive(Deserialize)]
struct Told {
    events: Vec<Track>,
}

/// Keeps what a client tells; all of it, or nothing.
pub(super) async fn take(serving: &Serving, body: Incoming) -> Answer {
    match read(body, LARGEST).await.and_then(|bytes| parsed(&bytes)) {
        Ok(tracks) => {
            let count = tracks.len() as u64;
            let mut ring = serving.ring.lock().unwrap_or_else(PoisonError::into_inner);
            let at = now();
            tracks.into_iter().for_each(|track| ring.push(Tracked { at, track }));
            drop(ring);
            serving.counts.tracks.add(count);
            json(200, format!("{{\"accepted\":{count}}}").into_bytes())
        }
        Err(why) => {
            serving.counts.tracks_refused.add(1);
            let mut out = vec![];
            error(None, ErrorCode::General, &why, &mut out);
            json(400, out)
        }
    }
}

fn parsed(bytes: &[u8]) -> Result<Vec<Track>, String> {
    let Told { events } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if events.len() > MOST {
        return Err(format!("there are {} events; at most {MOST} are taken", events.len()));
    }
    if events.iter().any(has_many_attributes) {
        return Err(format!("an exposure has more than {MOST_ATTRIBUTES} attributes"));
    }
    let bad = events.iter().any(is_bad);
    match bad {
        true => Err(format!("a text is empty, or has more than {LONGEST} bytes")),
        false => Ok(events),
    }
}

fn has_many_attributes(track: &Track) -> bool {
    matches!(track, Track::Exposure { attributes, .. } if attributes.len() > MOST_ATTRIBUTES)
}

fn is_bad(track: &Track) -> bool {
    let bad = |text: &str| text.is_empty() || text.len() > LONGEST;
    match track {
        Track::Exposure { targeting_key, flag, variant, attributes } => {
            let bad_attribute = |(name, value): (&String, &Attribute)| {
                bad(name) || matches!(value, Attribute::Text(text) if text.len() > LONGEST)
            };
            [targeting_key, flag, variant].into_iter().any(|text| bad(text))
                || attributes.iter().any(bad_attribute)
        }
        Track::Outcome { targeting_key, name, flag, variant, value } => {
            bad(targeting_key)
                || bad(name)
                || [flag, variant].into_iter().flatten().any(|text| bad(text))
                || value.is_some_and(|value| !value.is_finite())
        }
    }
}

impl Serving {
    /// Tracks after a cursor.
    pub(super) fn tracks(&self, after: u64) -> Tracks {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).after(after)
    }
}
