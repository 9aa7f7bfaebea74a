//! Queries, at one moment and over a while.

use std::time::Duration;

use cutover_core::spec::Prometheus;
use cutover_engine::ports::Sides;
use form_urlencoded::Serializer;

use super::super::client::{Client, beginning, without_success};
use super::super::unread::Unread;
use super::answer::{Data, Envelope};
use crate::local::printable;

/// More series are not read: their counters could not be kept.
pub(super) const MOST_SERIES: usize = 10_000;
/// More warnings are not told.
const MOST_WARNINGS: usize = 5;

/// The way to the API.
pub(super) struct Api {
    client: Client,
    /// Without `/api/v1`, and without a slash at its end.
    url: String,
    deadline: Duration,
}

/// What a query gave.
pub(super) struct Given {
    pub(super) data: Data,
    pub(super) warnings: Vec<String>,
}

/// Why a query gave nothing.
#[derive(Debug)]
pub(super) enum NotGiven {
    /// The query is wrong, in Prometheus' own words.
    Refused(String),
    /// It could not be asked.
    Failed(Unread),
}

impl NotGiven {
    /// As what is wrong with this query.
    pub(super) fn of(self, query: &str) -> Unread {
        match self {
            NotGiven::Failed(unread) => unread,
            NotGiven::Refused(why) => Unread::new(format!("it refuses the query: {why}"))
                .help(format!("the query is {}", printable(query, 1000))),
        }
    }
}

impl Api {
    pub(super) async fn open(
        source: &Prometheus,
        sides: &Sides,
        deadline: Duration,
        secrets: &mut Vec<String>,
    ) -> Result<Api, Unread> {
        let Prometheus { url, auth, tls, .. } = source;
        let client = Client::open(url, auth.as_ref(), tls.as_ref(), &sides.base, secrets).await?;
        let url = sides.fill(url, &sides.candidate).trim_end_matches('/').to_owned();
        Ok(Api { client, url, deadline })
    }

    /// The longest a look may take.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Asks at the present moment, by Prometheus' own clock.
    pub(super) async fn now(&self, query: &str) -> Result<Given, NotGiven> {
        self.ask("query", query, &[]).await
    }

    /// Asks at every `step` from `start` to `end`, all in milliseconds.
    pub(super) async fn range(
        &self,
        query: &str,
        start: u64,
        end: u64,
        step: u64,
    ) -> Result<Given, NotGiven> {
        let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let more = [("start", seconds(start)), ("end", seconds(end)), ("step", seconds(step))];
        self.ask("query_range", query, &more).await
    }

    fn form(&self, query: &str, more: &[(&str, String)]) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("query", query);
        // It need not work for an answer that nobody waits for any more.
        form.append_pair("timeout", &format!("{}ms", self.deadline.as_millis()));
        form.extend_pairs(more);
        form.finish()
    }

    async fn ask(
        &self,
        call: &str,
        query: &str,
        more: &[(&str, String)],
    ) -> Result<Given, NotGiven> {
        let form = self.form(query, more);
        let url = format!("{}/api/v1/{call}", self.url);
        let answer = self.client.post(&url, &form).await.map_err(NotGiven::Failed)?;
        let read: Result<Envelope, _> = serde_json::from_slice(&answer.body);
        match read {
            // Wrong queries are answered with a status of their own, 400 or 422.
            Ok(Envelope::Error { error }) if answer.status.is_client_error() => {
                Err(NotGiven::Refused(printable(&error, 300)))
            }
            Ok(Envelope::Error { error }) => {
                let (status, error) = (answer.status, printable(&error, 300));
                Err(NotGiven::Failed(Unread::new(format!("it answers {status}: {error}"))))
            }
            _ if !answer.status.is_success() => Err(NotGiven::Failed(without_success(&answer))),
            Ok(Envelope::Success { data, warnings }) => bounded(data, &warnings),
            Err(error) => {
                let beginning = beginning(&answer.body);
                let reason = format!("its answer is not that of a Prometheus ({error}){beginning}");
                Err(NotGiven::Failed(Unread::new(reason).help("look at `url`")))
            }
        }
    }
}

fn bounded(data: Data, warnings: &[String]) -> Result<Given, NotGiven> {
    let series = match &data {
        Data::Vector(all) => all.len(),
        Data::Matrix(all) => all.len(),
        Data::Scalar(_) | Data::String(_) => 1,
    };
    if series > MOST_SERIES {
        let reason = format!("it gives {series} series, and at most {MOST_SERIES} are read");
        let unread = Unread::new(reason).help("name more labels, so that fewer series match");
        return Err(NotGiven::Failed(unread));
    }
    let said = warnings.iter().take(MOST_WARNINGS).map(|text| printable(text, 200)).collect();
    Ok(Given { data, warnings: said })
}
