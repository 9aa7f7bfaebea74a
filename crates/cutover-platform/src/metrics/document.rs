//! A document behind a URL, fetched again only when it changed.

use std::path::Path;
use std::time::Duration;

use cutover_core::spec::{Auth, Tls};
use http::{HeaderValue, StatusCode};

use super::client::{Client, without_success};
use super::source::scrub;
use super::unread::Unread;

/// A document behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Where it is: `http://` or `https://`.
    pub url: String,
    /// What lets us in.
    pub auth: Option<Auth>,
    /// Whom we trust.
    pub tls: Option<Tls>,
    /// The longest that one look may take.
    pub deadline: Duration,
    /// The most bytes that are read.
    pub largest: usize,
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is still the one with the tag that was given.
    Unchanged,
    /// It is another one, or nobody can tell.
    Text {
        /// The whole document.
        text: String,
        /// Pass this next time.
        etag: Option<HeaderValue>,
    },
}

/// Why there is no document: what is wrong, and what to do about it if that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url} cannot be fetched: {reason}")]
pub struct Unfetched {
    /// Which one.
    pub url: String,
    /// Why, in words that show no secret.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Document {
    /// Looks at it; `known` is the tag of what one has. The files of `auth` and `tls` are read anew,
    /// relative to `base`. A tag that the server sends with success, whatever it is, is one; servers
    /// without tags send the whole document each time.
    ///
    /// # Errors
    /// Where there is no answer in time, no success, too much, or no text.
    pub async fn fetch(
        &self,
        base: &Path,
        known: Option<&HeaderValue>,
    ) -> Result<Fetched, Unfetched> {
        let mut secrets = vec![];
        let looked = tokio::time::timeout(self.deadline, self.look(base, known, &mut secrets));
        let looked = looked.await.unwrap_or_else(|_| {
            Err(Unread::new(format!("not done after {} s", self.deadline.as_secs_f64())))
        });
        looked.map_err(|Unread { reason, help }| Unfetched {
            url: self.url.clone(),
            reason: scrub(&reason, &secrets),
            help,
        })
    }

    async fn look(
        &self,
        base: &Path,
        known: Option<&HeaderValue>,
        secrets: &mut Vec<String>,
    ) -> Result<Fetched, Unread> {
        let (auth, tls) = (self.auth.as_ref(), self.tls.as_ref());
        let client = Client::open(&self.url, auth, tls, base, secrets).await?.up_to(self.largest);
        let answer = client.get_unless(&self.url, known).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(Fetched::Unchanged),
            status if status == StatusCode::OK => {
                let text = String::from_utf8(answer.body.into());
                let text = text.map_err(|_| Unread::new("it is not text in UTF-8"))?;
                Ok(Fetched::Text { text, etag: answer.etag })
            }
            _ => Err(without_success(&answer)),
        }
    }
}
