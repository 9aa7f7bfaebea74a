//! Tables, for a terminal or a page.

/// Rows of cells under a head.
#[derive(Debug)]
pub(crate) struct Table(Vec<Vec<String>>);

/// Where a table goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Terminal,
    Markdown,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Table {
        Table(vec![head.iter().map(|cell| (*cell).to_owned()).collect()])
    }
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.0.push(row);
    }

    pub(crate) fn print(&self, shape: Shape) -> String {
        match shape {
            Shape::Terminal => self.aligned(),
            Shape::Markdown => self.markdown(),
        }
    }

    fn aligned(&self) -> String {
        let columns = self.0.first().map_or(0, Vec::len);
        let cell = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let width =
            |at| self.0.iter().map(|row| cell(row, at).chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.0 {
            let cells = widths.iter().enumerate().map(|(at, width)| match at {
                0 => format!("{:<width$}", cell(row, at)),
                _ => format!("{:>width$}", cell(row, at)),
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    fn markdown(&self) -> String {
        let line = |row: &Vec<String>| format!("| {} |\n", row.join(" | "));
        let mut rows = self.0.iter();
        let Some(head) = rows.next() else { return String::new() };
        let rule: Vec<&str> =
            (0..head.len()).map(|at| if at == 0 { "---" } else { "---:" }).collect();
        let mut text = line(head);
        text.push_str(&format!("|{}|\n", rule.join("|")));
        text.extend(rows.map(line));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_hold_every_cell() {
        let mut table = Table::new(&["fault", "runs"]);
        table.push(vec!["kill-daemon".to_owned(), "7".to_owned()]);
        assert_eq!(table.print(Shape::Terminal), "fault        runs\nkill-daemon     7\n");
        assert_eq!(
            table.print(Shape::Markdown),
            "| fault | runs |\n|---|---:|\n| kill-daemon | 7 |\n"
        );
    }
}
