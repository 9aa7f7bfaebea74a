//! What proxy and keeper say to each other: one JSON line each way.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What the proxy asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// Give me the listening socket of this name; bind it if there is none.
    Bind { name: String, address: SocketAddr },
    /// I have accepted all that was queued; close it.
    Close { name: String },
    /// You are new and do not hold this one (attached) yet; hold it.
    Adopt { name: String, address: SocketAddr },
    /// I am the proxy, and this connection stays open until one of us dies.
    Watch {},
}

/// What the keeper answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// Done; for [`Ask::Bind`] the socket is attached.
    Ok(Held),
    /// Not done.
    Error(Refused),
}

/// The answer's content.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Where the socket is really bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<SocketAddr>,
}

/// Why not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// For a person.
    pub(crate) reason: String,
    /// The address that is taken, if that is why.
    #[serde(default)]
    pub(crate) taken: Option<SocketAddr>,
}
