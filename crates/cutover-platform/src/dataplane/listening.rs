//! Can users of a spec be listened for? Looked at without changing anything.

use std::io;
use std::net::{SocketAddr, TcpListener};

use cutover_core::dataplane::DataPlaneState;
use cutover_core::id::Subject;
use cutover_core::spec::Spec;
use cutover_engine::ports::PlatformError;

use super::port_holder;

/// Looks at `listen` and `preview`; `state` is the proxy's, if it runs.
///
/// # Errors
/// Who is in the way.
pub(super) fn check(
    subject: &Subject,
    spec: &Spec,
    state: Option<&DataPlaneState>,
) -> Result<(), PlatformError> {
    if let Some(listen) = spec.listen {
        if let Some(other) = same_users(subject, spec, listen, state) {
            return Err(PlatformError {
                message: format!("{listen} is used by the app {other}, for the same host and path"),
                help: Some(
                    "tell the two apart by `host:` or `path:`, or choose another `listen:`".into(),
                ),
                source: None,
            });
        }
        let ours =
            state.is_some_and(|state| state.apps.values().any(|app| app.frontend.listen == listen));
        if !ours {
            try_to_bind(listen, "listen", state)?;
        }
    }
    if let Some(preview) = spec.preview.filter(|preview| preview.port() != 0) {
        let ours = state
            .and_then(|state| state.apps.get(subject))
            .is_some_and(|app| app.preview == Some(preview));
        if !ours {
            try_to_bind(preview, "preview", state)?;
        }
    }
    Ok(())
}

/// The app whose users could not be told from this one's.
fn same_users<'a>(
    subject: &Subject,
    spec: &Spec,
    listen: SocketAddr,
    state: Option<&'a DataPlaneState>,
) -> Option<&'a Subject> {
    state?.apps.iter().find_map(|(other, app)| {
        let frontend = &app.frontend;
        let same =
            frontend.listen == listen && frontend.host == spec.host && frontend.path == spec.path;
        (same && other != subject).then_some(other)
    })
}

fn try_to_bind(
    address: SocketAddr,
    key: &str,
    state: Option<&DataPlaneState>,
) -> Result<(), PlatformError> {
    let Err(error) = TcpListener::bind(address) else {
        return Ok(());
    };
    let (message, help) = match error.kind() {
        io::ErrorKind::AddrInUse => taken(address, key, state),
        io::ErrorKind::PermissionDenied => (
            format!("this user may not listen on {address}"),
            format!(
                "choose a `{key}:` port from 1024 on, or allow it (sysctl net.ipv4.ip_unprivileged_port_start)"
            ),
        ),
        io::ErrorKind::AddrNotAvailable => {
            (format!("{address} is no address of this machine"), format!("correct `{key}:`"))
        }
        _ => (format!("cannot listen on {address}: {error}"), format!("correct `{key}:`")),
    };
    Err(PlatformError { message, help: Some(help), source: Some(error.into()) })
}

fn taken(address: SocketAddr, key: &str, state: Option<&DataPlaneState>) -> (String, String) {
    let choose = format!("choose another `{key}:`");
    match port_holder::find(address) {
        Some(holder) if state.is_some_and(|state| u32::try_from(holder.pid) == Ok(state.pid)) => {
            let apps: Vec<String> = state
                .into_iter()
                .flat_map(|state| &state.apps)
                .filter(|(_, app)| app.frontend.listen.port() == address.port())
                .map(|(subject, app)| format!("{subject} on {}", app.frontend.listen))
                .collect();
            let whom = if apps.is_empty() { "a preview".to_owned() } else { apps.join(", ") };
            (format!("{address} is taken by Cutover's own proxy, for {whom}"), choose)
        }
        Some(holder) => (
            format!("{address} is taken by pid {} ({})", holder.pid, holder.name),
            format!("stop it, or {choose}"),
        ),
        None => (
            format!("{address} is taken by a process of another user"),
            format!("stop it, or {choose}"),
        ),
    }
}
