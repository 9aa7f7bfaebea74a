//! Lines that fit.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Text that stands alone.
pub(super) fn text(text: impl Into<String>) -> Span<'static> {
    Span::raw(clean(&text.into()))
}

/// Text in a style.
pub(super) fn styled(text: impl Into<String>, style: Style) -> Span<'static> {
    Span::styled(clean(&text.into()), style)
}

/// Without what would move the cursor or change colours: apps write what they like.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\x1b' && chars.next_if_eq(&'[').is_some() {
            // A control sequence ends with a letter (ECMA-48, 5.4).
            while chars.next().is_some_and(|c| !('\x40'..='\x7e').contains(&c)) {}
        } else if c == '\t' {
            out.push(' ');
        } else if !c.is_control() {
            out.push(c);
        }
    }
    out
}

/// The line cut to `width`, with `…` where something is missing.
pub(super) fn clip(line: Line<'static>, width: usize) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let mut left = width.saturating_sub(1);
    let mut spans = vec![];
    for span in line.spans {
        let mut kept = String::new();
        let fits = span.width() <= left;
        for c in span.content.chars() {
            let wide = Span::raw(c.to_string()).width();
            if wide > left {
                break;
            }
            left -= wide;
            kept.push(c);
        }
        let style = span.style;
        spans.push(Span::styled(kept, style));
        if !fits {
            spans.push(Span::styled("…", style));
            break;
        }
    }
    Line::from(spans)
}

/// What a probe found, without the address it asked: `GET http://… → 503` becomes `→ 503`.
pub(super) fn without_address(text: &str) -> String {
    let found = text.find("GET http").and_then(|start| {
        let rest = text.get(start..)?;
        Some(format!("{}{}", text.get(..start)?, rest.get(rest.find("→ ")?..)?))
    });
    found.unwrap_or_else(|| text.to_owned())
}

/// One part at the left and one at the right; where both do not fit, the left one is cut.
pub(super) fn apart(left: Line<'static>, right: Line<'static>, width: usize) -> Line<'static> {
    let room = width.saturating_sub(right.width() + 1);
    let mut line = clip(left, room);
    let gap = width.saturating_sub(line.width() + right.width());
    line.spans.push(Span::raw(" ".repeat(gap)));
    line.spans.extend(right.spans);
    line
}

/// A heading with a rule behind it to the right edge.
pub(super) fn heading(mut line: Line<'static>, faint: Style, width: usize) -> Line<'static> {
    if let Some(rest) = width.checked_sub(line.width() + 2) {
        line.spans.push(Span::raw(" "));
        line.spans.push(Span::styled("─".repeat(rest), faint));
    }
    line
}

/// Text over several lines, broken at spaces.
pub(super) fn wrap(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if Span::raw(&**line).width() + 1 + Span::raw(word).width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `[=====>    ]`
pub(super) fn progress(part: f64, width: usize) -> String {
    let inner = width.saturating_sub(2);
    let full = ((part.clamp(0.0, 1.0) * inner as f64) as usize).min(inner);
    let bar: String = (0..inner)
        .map(|place| match place {
            _ if place + 1 == full && full < inner => '>',
            _ if place < full => '=',
            _ => ' ',
        })
        .collect();
    format!("[{bar}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_shows_it() {
        let line = || Line::from(vec![text("one "), text("two")]);
        let clipped = |width| clip(line(), width).to_string();
        assert_eq!([7, 6, 4, 1].map(clipped), ["one two", "one t…", "one…", "…"]);
        assert_eq!(apart(line(), Line::from("R"), 10).to_string(), "one two  R");
        assert_eq!(apart(line(), Line::from("R"), 6).to_string(), "one… R");
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        let probe = "v2.0  starting  GET http://127.0.0.1:1/health → 503 (try 2)";
        assert_eq!(without_address(probe), "v2.0  starting  → 503 (try 2)");
        assert_eq!(without_address("GET http://a"), "GET http://a");
        assert_eq!([0.0, 0.5, 1.0].map(|part| progress(part, 6)), ["[    ]", "[=>  ]", "[====]"]);
    }

    #[test]
    fn an_app_cannot_write_to_the_terminal() {
        assert_eq!(text("\x1b[31;1mred\x1b[0m\tx\r\x07\x1b]0;title").content, "red x]0;title");
    }
}
