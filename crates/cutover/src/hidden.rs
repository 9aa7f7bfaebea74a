//! Subcommands that Cutover runs itself with: no runtime, no command tree.

use std::ffi::OsStr;

use crate::binary;
use crate::failure::{Done, Failure, exit};
use crate::folders::Folders;

/// Keeps one local instance: `cutover keeper shop/r3.0`.
pub(crate) const KEEPER: &str = "keeper";
/// Keeps the proxy and its listening sockets.
pub(crate) const PROXY_KEEPER: &str = "proxy-keeper";
/// Is the proxy.
pub(crate) const PROXY_SERVE: &str = "proxy-serve";
/// Is the demo's app: `cutover demo-app --port 8080`.
pub(crate) const DEMO_APP: &str = "demo-app";

/// Runs the hidden subcommand of this name, if it is one.
pub(crate) fn dispatch(name: &OsStr, argument: Option<&OsStr>) -> Option<Done> {
    match name.to_str()? {
        KEEPER => Some(keep_instance(argument)),
        PROXY_KEEPER => Some(keep_proxy()),
        PROXY_SERVE => Some(serve_proxy()),
        DEMO_APP => Some(Ok(cutover_demo::run(&[DEMO_APP], std::env::args_os().skip(1)))),
        _ => None,
    }
}

fn keep_instance(id: Option<&OsStr>) -> Done {
    let id = id.and_then(OsStr::to_str);
    let id = id.ok_or_else(|| Failure::usage("a keeper needs the id of its instance"))?;
    cutover_platform::keep(&Folders::from_env()?.state, id)
        .map_err(|error| Failure::internal(format!("{id} cannot be kept"), &error))?;
    Ok(exit::OK)
}

fn keep_proxy() -> Done {
    let program = binary::own(&Folders::from_env()?)?;
    cutover_proxy::keep(&proxy_folders()?, &program, &[PROXY_SERVE.into()])
        .map_err(|error| Failure::internal("the proxy cannot be kept", &error))?;
    Ok(exit::OK)
}

fn serve_proxy() -> Done {
    cutover_proxy::serve(&proxy_folders()?)
        .map_err(|error| Failure::internal("the proxy cannot serve", &error))?;
    Ok(exit::OK)
}

fn proxy_folders() -> Result<cutover_proxy::Folders, Failure> {
    let folders = Folders::from_env()?;
    folders.prepare()?;
    let state = folders.proxy_state();
    cutover_files::private_folder(&state)?;
    Ok(cutover_proxy::Folders { state, run: folders.run })
}
