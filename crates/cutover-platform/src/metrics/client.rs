//! Calls over HTTP(S), bounded in size. Redirects are not followed: what lets us in is for one host.

use std::error::Error;
use std::path::Path;

use bytes::Bytes;
use cutover_core::spec::{Auth, Tls};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::entrance::{Entrance, entrance};
use super::tls;
use super::unread::{Unread, chain};
use crate::local::printable;

/// No answer with a metric is larger.
pub(super) const LARGEST: usize = 4 * 1024 * 1024;

/// The way to one source, for one look: files are read anew for each.
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    entrance: Option<Entrance>,
    largest: usize,
}

/// What a source said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) etag: Option<HeaderValue>,
    pub(super) body: Bytes,
}

impl Client {
    /// Reads the files that the way needs; adds what no message may show to `secrets`.
    pub(super) async fn open(
        url: &str,
        auth: Option<&Auth>,
        tls: Option<&Tls>,
        base: &Path,
        secrets: &mut Vec<String>,
    ) -> Result<Client, Unread> {
        let entrance = match auth {
            Some(auth) => entrance(auth, base, secrets).await?,
            None => None,
        };
        let tls = match url.starts_with("https://") {
            true => tls::config(tls, base).await?,
            false => tls::none()?,
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new()).build(connector);
        Ok(Client { pool, entrance, largest: LARGEST })
    }

    /// With another bound for answers, in bytes.
    pub(super) fn up_to(self, largest: usize) -> Client {
        Client { largest, ..self }
    }

    /// Gets a document.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, Unread> {
        self.call(Method::GET, url, "", None).await
    }

    /// Gets a document unless it is still the one with this tag; then the status is 304.
    pub(super) async fn get_unless(
        &self,
        url: &str,
        known: Option<&HeaderValue>,
    ) -> Result<Answer, Unread> {
        self.call(Method::GET, url, "", known).await
    }

    /// Sends a form; it may be longer than a URL.
    pub(super) async fn post(&self, url: &str, form: &str) -> Result<Answer, Unread> {
        self.call(Method::POST, url, form, None).await
    }

    async fn call(
        &self,
        method: Method,
        url: &str,
        form: &str,
        known: Option<&HeaderValue>,
    ) -> Result<Answer, Unread> {
        let uri: Uri = url.parse().map_err(|error| Unread::new(format!("not a URL: {error}")))?;
        let mut request = Request::builder()
            .method(&method)
            .uri(uri)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("cutover/", env!("CARGO_PKG_VERSION")));
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(known) = known {
            request = request.header(header::IF_NONE_MATCH, known);
        }
        if let Some(Entrance { name, value }) = &self.entrance {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(form.as_bytes())))
            .map_err(|error| Unread::new(chain(&error)))?;
        let response = self.pool.request(request).await.map_err(|error| {
            // Its own words only say that it was the client.
            Unread::new(error.source().map_or_else(|| error.to_string(), chain))
        })?;
        let status = response.status();
        let etag = response.headers().get(header::ETAG).cloned();
        let body = Limited::new(response.into_body(), self.largest).collect().await;
        match body {
            Ok(body) => Ok(Answer { status, etag, body: body.to_bytes() }),
            Err(error) if error.is::<LengthLimitError>() => Err(too_large(self.largest)),
            Err(error) => Err(Unread::new(format!("its answer broke off: {}", chain(&*error)))),
        }
    }
}

fn too_large(largest: usize) -> Unread {
    Unread::new(format!("its answer is larger than {} MiB", largest / 1024 / 1024))
        .help("ask for less: fewer labels, fewer instances")
}

/// What an answer without success means.
pub(super) fn without_success(answer: &Answer) -> Unread {
    let Answer { status, body, .. } = answer;
    let unread = Unread::new(format!("it answers {status}{}", beginning(body)));
    if status.is_redirection() {
        return unread.help("redirects are not followed: write the URL that they lead to");
    }
    match *status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => unread.help("look at `auth`"),
        StatusCode::NOT_FOUND => unread.help("look at `url`"),
        _ => unread,
    }
}

/// The first words of a body.
pub(super) fn beginning(body: &Bytes) -> String {
    let start = body.get(..body.len().min(4096)).unwrap_or_default();
    match printable(&String::from_utf8_lossy(start), 200) {
        text if text.is_empty() => text,
        text => format!(": {text}"),
    }
}
