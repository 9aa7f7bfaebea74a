//! The last lines of an instance's log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::paths::Folder;
use super::secrets::Known;

/// So much is read first; most wishes end there.
const FIRST_READ: u64 = 64 * 1024;
/// Times of files lag behind the clock by up to a tick of the kernel; in milliseconds. Attempts are
/// further apart.
const COARSE: u128 = 100;

/// The last `lines` lines, oldest first, secrets scrubbed.
pub(crate) fn tail(folder: &Folder, lines: usize) -> io::Result<Vec<String>> {
    let mut found = last_lines(&folder.log(), lines)?;
    if found.len() < lines {
        let mut older = last_lines(&folder.older_log(), lines - found.len())?;
        older.append(&mut found);
        found = older;
    }
    let known = Known::of(folder);
    Ok(found.iter().map(|line| known.scrub(line)).collect())
}

/// The last line that says something, on one line and not too long; `None` if nothing was said
/// since (in Unix milliseconds), so that the words of an earlier attempt are not taken for it.
pub(crate) fn last_line(folder: &Folder, since: u64) -> Option<String> {
    let said = std::fs::metadata(folder.log()).ok()?.modified().ok()?;
    let said = said.duration_since(UNIX_EPOCH).ok()?.as_millis();
    if said + COARSE < u128::from(since) {
        return None;
    }
    let line = tail(folder, 5).ok()?.into_iter().rev().find(|line| !line.trim().is_empty())?;
    Some(printable(&line, 200))
}

/// At most so many characters, none of which moves the cursor.
pub(crate) fn printable(text: &str, longest: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.trim();
    let mut short: String = clean.chars().take(longest).collect();
    if short.len() < clean.len() {
        short.push('…');
    }
    short
}

fn last_lines(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    let mut span = FIRST_READ.min(size);
    loop {
        file.seek(SeekFrom::Start(size - span))?;
        let mut bytes = Vec::new();
        (&mut file).take(span).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        // The first line may be cut off, unless the file begins there.
        if all.len() > lines || span == size {
            let skip = all.len().saturating_sub(lines);
            return Ok(all[skip..].iter().map(|line| (*line).to_owned()).collect());
        }
        span = span.saturating_mul(4).min(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_reaches_into_the_older_log_and_over_the_first_read() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::named(state.path(), "shop/r1.0").unwrap();
        cutover_files::private_folder(folder.path()).unwrap();
        let text = |range: std::ops::Range<u32>| -> String {
            range.map(|n| format!("{n} {}\n", "x".repeat(40))).collect()
        };
        let put = |path: std::path::PathBuf, text: String| {
            cutover_files::write_atomic(&path, text.as_bytes()).unwrap();
        };
        put(folder.older_log(), text(0..5000));
        put(folder.log(), text(5000..5010));
        let lines = tail(&folder, 4000).unwrap();
        assert_eq!(lines.len(), 4000);
        assert!(lines[0].starts_with("1010 ") && lines[3999].starts_with("5009 "));
        assert_eq!(tail(&folder, 2).unwrap().len(), 2);
        assert_eq!(tail(&folder, 100_000).unwrap().len(), 5010);
    }

    #[test]
    fn a_line_in_a_detail_cannot_move_the_cursor() {
        assert_eq!(printable("\u{1b}[31mred\u{7}\r\n", 80), "[31mred");
        assert_eq!(printable("abcdef", 3), "abc…");
    }
}
