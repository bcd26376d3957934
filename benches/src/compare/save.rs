//! What was measured, in files.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use zerorpc_benches::Result;

use crate::{machine::Machine, plot, rows::Row, table::Table};

/// One run of the comparison.
pub(crate) struct Run {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    pub(crate) rounds: usize,
    pub(crate) secs: f64,
    pub(crate) tables: Vec<Table>,
    /// What was left out, and why.
    pub(crate) omitted: Vec<String>,
}

#[derive(Serialize)]
struct Results<'a> {
    machine: &'a Machine,
    command: &'a str,
    rounds: usize,
    secs: f64,
    omitted: &'a [String],
    rows: Vec<RowResult<'a>>,
}

#[derive(Serialize)]
struct RowResult<'a> {
    name: &'a str,
    title: &'a str,
    unit: &'a str,
    extras: &'a [&'a str],
    subjects: Vec<SubjectResult<'a>>,
}

#[derive(Serialize)]
struct SubjectResult<'a> {
    key: &'a str,
    title: &'a str,
    mode: String,
    median: Option<f64>,
    /// In the order in which they were measured.
    values: Vec<f64>,
    extras: Vec<&'a [Option<f64>]>,
}

impl Run {
    /// All tables for people.
    pub(crate) fn show(&self, markdown: bool) -> String {
        match markdown {
            true => self.markdown(|_| String::new()),
            false => {
                let mut shown = format!("{}\n{}\n", self.machine, self.command);
                for line in &self.omitted {
                    shown.push_str(&format!("LEFT OUT: {line}\n"));
                }
                for table in &self.tables {
                    shown.push_str(&format!("\n{}\n{}", table.row.heading(), table.show(false)));
                }
                shown
            }
        }
    }

    /// Writes `results.json` and a plot of each table into a folder, and a document beside it, which is named
    /// like the folder and shows the plots.
    pub(crate) fn save(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let results = serde_json::to_string_pretty(&self.results())?;
        fs::write(folder.join("results.json"), results + "\n")?;
        for table in &self.tables {
            plot::draw(table, &folder.join(plot_name(table.row)))?;
        }
        let name = folder.file_name().ok_or("a folder without a name")?.to_string_lossy();
        let document = folder.with_file_name(format!("{name}.md"));
        let image =
            |table: &Table| format!("![{}]({name}/{})\n\n", table.row.title, plot_name(table.row));
        fs::write(&document, self.markdown(image))?;
        Ok(document)
    }

    fn markdown(&self, image: impl Fn(&Table) -> String) -> String {
        let Machine { date, commit, cores, processor, system, rust, load } = &self.machine;
        let mut shown = format!(
            "# Performance\n\n\
             Everything here was measured in one run of `{}` in `benches/`; what each table means is said in \
             [benches/README.md](../benches/README.md).\n\n\
             | | |\n|---|---|\n| date | {date} |\n| commit | `{commit}` |\n\
             | machine | {cores} cores of {processor}, {system} |\n| compiler | {rust} |\n\
             | load before | {load} |\n| rounds | at most {}, of {} s for each cell |\n",
            self.command, self.rounds, self.secs,
        );
        for line in &self.omitted {
            // Writing into a string cannot fail.
            let _infallible = writeln!(shown, "| left out | {line} |");
        }
        for table in &self.tables {
            let heading = format!("\n## {}\n\n", table.row.title);
            shown.push_str(&heading);
            shown.push_str(&image(table));
            let unit = table.row.heading();
            let unit = unit.strip_prefix(table.row.title).unwrap_or(&unit);
            shown.push_str(&format!("In {}.\n\n", unit.trim_start_matches([':', ' '])));
            shown.push_str(&table.show(true));
        }
        shown
    }

    fn results(&self) -> Results<'_> {
        let rows = self.tables.iter().map(|table| RowResult {
            name: table.row.name,
            title: table.row.title,
            unit: table.row.unit,
            extras: table.row.extras(),
            subjects: table.cells.iter().map(SubjectResult::from).collect(),
        });
        Results {
            machine: &self.machine,
            command: &self.command,
            rounds: self.rounds,
            secs: self.secs,
            omitted: &self.omitted,
            rows: rows.collect(),
        }
    }
}

impl<'a> From<&'a crate::table::Cell> for SubjectResult<'a> {
    fn from(cell: &'a crate::table::Cell) -> Self {
        Self {
            key: &cell.contender.key,
            title: &cell.contender.title,
            mode: cell.contender.mode.to_string(),
            median: cell.spread().map(|spread| spread.median),
            values: cell.samples.iter().map(|sample| sample.value).collect(),
            extras: cell.samples.iter().map(|sample| sample.extras.as_slice()).collect(),
        }
    }
}

/// The name of the file that holds a row's plot.
fn plot_name(row: &Row) -> String {
    format!("{}.svg", row.name.replace('@', "-"))
}
