//! Markdown on standard output.

/// A line.
#[expect(clippy::print_stdout, reason = "the tables are what this program is for")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// What is no part of the tables.
#[expect(clippy::print_stderr, reason = "kept apart from the tables")]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Why nothing is measured.
pub(crate) fn complain(text: &str) {
    note(text);
}

/// The head of a table.
pub(crate) fn head(title: &str, columns: &[&str]) {
    line(&format!("\n**{title}**\n"));
    line(&format!("| {} |", columns.join(" | ")));
    line(&format!("|{}", "---|".repeat(columns.len())));
}

/// A row.
pub(crate) fn row(cells: &[String]) {
    line(&format!("| {} |", cells.join(" | ")));
}

/// A share in percent, with as many digits as it deserves.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p == 0.0 => "0".to_owned(),
        p if p < 1.0 => format!("{p:.2} %"),
        p if p < 10.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}
