//! A keeper for the tests: what the hidden subcommand `cutover keeper ID` does.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let state = std::env::var_os("CUTOVER_STATE").map(PathBuf::from);
    match (arguments.as_slice(), state) {
        ([word, id], Some(state)) if word == "keeper" => Ok(cutover_platform::keep(&state, id)?),
        _ => Err("usage: CUTOVER_STATE=FOLDER keeper ID".into()),
    }
}
