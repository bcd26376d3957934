//! What was measured, as a table.

use std::fmt::Write;

use crate::rows::{Contender, Row};

/// All contenders in one row of the comparison.
pub(crate) struct Table {
    pub(crate) row: &'static Row,
    pub(crate) cells: Vec<Cell>,
}

/// One contender.
pub(crate) struct Cell {
    pub(crate) contender: Contender,
    pub(crate) samples: Vec<Sample>,
}

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// What the table is about, in its unit.
    pub(crate) value: f64,
    /// What else the row has, where the system tells.
    pub(crate) extras: Vec<Option<f64>>,
}

/// The values of a cell: the middle one and both ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Cell {
    /// Of what the table is about; `None` before anything was measured.
    pub(crate) fn spread(&self) -> Option<Spread> {
        Spread::of(self.samples.iter().map(|sample| sample.value))
    }

    /// The median of what else was measured.
    pub(crate) fn extra(&self, index: usize) -> Option<f64> {
        let values = self.samples.iter().filter_map(|sample| *sample.extras.get(index)?);
        Spread::of(values).map(|spread| spread.median)
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            // Of two, the lower.
            median: *values.get(values.len().saturating_sub(1) / 2)?,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

impl Table {
    /// The median of a cell as a multiple of the cell with that key, or, if it begins with a comma, of the cell of
    /// the same subject whose key ends so.
    pub(crate) fn ratio(&self, cell: &Cell, key: &str) -> Option<f64> {
        let own = cell.contender.key.split(',').next().unwrap_or_default();
        let key = if key.starts_with(',') { format!("{own}{key}") } else { key.to_owned() };
        let base = self.cells.iter().find(|cell| cell.contender.key == key)?;
        Some(cell.spread()?.median / base.spread()?.median)
    }

    /// The table for people, as text or Markdown.
    pub(crate) fn show(&self, markdown: bool) -> String {
        let lines = self.lines();
        let columns = lines[0].len();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..columns).filter_map(width).collect();
        let mut shown = String::new();
        for (index, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (text, width))| match column {
                0 => format!("{text:<width$}"),
                _ => format!("{text:>width$}"),
            });
            let cells: Vec<String> = cells.collect();
            // Writing into a string cannot fail.
            let _infallible = if markdown {
                writeln!(shown, "| {} |", cells.join(" | "))
            } else {
                writeln!(shown, "  {}", cells.join("  ").trim_end())
            };
            if markdown && index == 0 {
                shown.push_str(&format!("|---|{}\n", "--:|".repeat(columns - 1)));
            }
        }
        shown
    }

    /// The headings and all lines.
    fn lines(&self) -> Vec<Vec<String>> {
        let bases = self.row.bases();
        let extras = self.row.extras();
        let mut heading = vec!["", "median", "least", "most"];
        heading.extend(bases.iter().map(|(heading, _)| heading));
        heading.extend(extras);
        let mut lines = vec![heading.into_iter().map(str::to_owned).collect()];
        lines.extend(self.cells.iter().map(|cell| {
            let spread = cell.spread();
            let mut line = vec![
                cell.contender.title.clone(),
                number(spread.map(|spread| spread.median)),
                number(spread.map(|spread| spread.least)),
                number(spread.map(|spread| spread.most)),
            ];
            let ratio = |(_, key): &(&str, &str)| {
                self.ratio(cell, key).map_or_else(|| "–".to_owned(), multiple)
            };
            line.extend(bases.iter().map(ratio));
            line.extend((0..extras.len()).map(|index| number(cell.extra(index))));
            line
        }));
        lines
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), digits)
}

/// A ratio, of which something remains to be seen even if it is small.
pub(crate) fn multiple(ratio: f64) -> String {
    match ratio {
        10.0.. => format!("{ratio:.1}"),
        0.1.. => format!("{ratio:.2}"),
        _ => format!("{ratio:.4}"),
    }
}

/// Three significant digits.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
