//! Keeper and proxy as the tests run them: `keep STATE RUN` or `serve STATE RUN`.

use std::error::Error;
use std::ffi::OsString;

use cutover_proxy::{Folders, keep, serve};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [role, state, run] = args.as_slice() else {
        return Err("usage: keep|serve STATE RUN".into());
    };
    let folders = Folders { state: state.into(), run: run.into() };
    if role == "serve" {
        return Ok(serve(&folders)?);
    }
    let program = std::env::current_exe()?;
    keep(&folders, &program, &["serve".into(), state.clone(), run.clone()])?;
    Ok(())
}
