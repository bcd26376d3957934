//! What was measured, as a table.

use std::fmt::Write;

use crate::{LIBZMQ, Subject, TCP};

/// All subjects in one row of the comparison.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) cells: Vec<Cell>,
}

/// One subject.
pub(crate) struct Cell {
    pub(crate) subject: Subject,
    pub(crate) samples: Vec<Sample>,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// What the table is about, in its unit.
    pub(crate) value: f64,
    /// Processor time of the server for each, in microseconds, where the system tells.
    pub(crate) server_cpu: Option<f64>,
}

const COLUMNS: [&str; 7] = ["", "median", "least", "most", "× TCP", "× libzmq", "server CPU µs"];

impl Table {
    /// The table for people, as text or Markdown.
    pub(crate) fn show(&self, markdown: bool) -> String {
        let mut lines = vec![COLUMNS.map(str::to_owned)];
        lines.extend(self.cells.iter().map(|cell| self.line(cell)));
        let width = |column: usize| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; 7] = std::array::from_fn(width);
        let mut shown = self.title.to_owned();
        if markdown {
            shown.push('\n');
        }
        for (index, line) in lines.iter().enumerate() {
            let cells =
                line.iter().zip(widths).enumerate().map(|(column, (text, width))| match column {
                    0 => format!("{text:<width$}"),
                    _ => format!("{text:>width$}"),
                });
            let cells: Vec<String> = cells.collect();
            // Writing into a string cannot fail.
            let _infallible = if markdown {
                write!(shown, "\n| {} |", cells.join(" | "))
            } else {
                write!(shown, "\n  {}", cells.join("  "))
            };
            if markdown && index == 0 {
                shown.push_str("\n|---|--:|--:|--:|--:|--:|--:|");
            }
        }
        shown
    }

    fn line(&self, cell: &Cell) -> [String; 7] {
        let values = sorted(cell.samples.iter().map(|sample| sample.value));
        let cpu = sorted(cell.samples.iter().filter_map(|sample| sample.server_cpu));
        let number =
            |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |value| digits(*value));
        let ratio = |name| {
            let base = self.cells.iter().find(|cell| cell.subject.name == name);
            let base = base.and_then(|cell| {
                median(&sorted(cell.samples.iter().map(|sample| sample.value))).copied()
            });
            median(&values)
                .zip(base)
                .map_or_else(|| "–".to_owned(), |(mine, base)| format!("{:.2}", mine / base))
        };
        [
            cell.subject.name.to_owned(),
            number(median(&values)),
            number(values.first()),
            number(values.last()),
            ratio(TCP),
            ratio(LIBZMQ),
            number(median(&cpu)),
        ]
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle one; of two, the lower.
fn median(sorted: &[f64]) -> Option<&f64> {
    sorted.get(sorted.len().saturating_sub(1) / 2)
}

/// Three significant digits.
fn digits(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
