//! Measures zerorpc beside what it could be, in one run, and prints ratios.
//!
//! Every cell of the table is measured in several rounds; a round goes through all cells once, so that what
//! else the machine does falls on all of them. Server and client are processes of their own. See the README.

mod machine;
mod process;
mod table;

use std::process::ExitCode;

use clap::Parser;
use zerorpc_benches::{Mode, Result};

use machine::Core;
use process::Server;
use table::{Cell, Sample, Table};

const MIB: usize = 1 << 20;

/// Measures zerorpc beside plain TCP and bare libzmq.
#[derive(Debug, Parser)]
struct Options {
    /// How often each cell is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long, in seconds, each time.
    #[arg(long, default_value_t = 1.0)]
    secs: f64,
    /// Only these rows, separated by commas: seq@1, seq@2, seq, pipe, stream, 1MiB, 64MiB.
    #[arg(long, value_delimiter = ',', value_parser = row_name)]
    only: Vec<String>,
    /// Prints the tables as Markdown.
    #[arg(long)]
    markdown: bool,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One thing to measure, of all subjects that can.
struct Row {
    name: &'static str,
    title: &'static str,
    mode: Mode,
    /// Of the server and of the client.
    cores: (Core, Core),
    scale: Scale,
}

/// What is shown of a report.
#[derive(Clone, Copy)]
enum Scale {
    /// The median time of one, in microseconds.
    Micros,
    /// So many thousands per second.
    Thousands,
    /// MiB per second, of so many bytes each.
    Mebibytes(usize),
}

const ROWS: [Row; 7] = [
    Row {
        name: "seq@1",
        title: "Sequential call, both sides on one core: µs, lower is better",
        mode: Mode::Seq,
        cores: (Core::Last, Core::Last),
        scale: Scale::Micros,
    },
    Row {
        name: "seq@2",
        title: "Sequential call, each side on a core of its own: µs, lower is better",
        mode: Mode::Seq,
        cores: (Core::Last, Core::First),
        scale: Scale::Micros,
    },
    Row {
        name: "seq",
        title: "Sequential call, wherever the system puts both sides: µs, lower is better",
        mode: Mode::Seq,
        cores: (Core::Any, Core::Any),
        scale: Scale::Micros,
    },
    Row {
        name: "pipe",
        title: "64 calls in flight: thousand calls/s, higher is better",
        mode: Mode::Pipe(64),
        cores: (Core::Any, Core::Any),
        scale: Scale::Thousands,
    },
    Row {
        name: "stream",
        title: "Items of a stream: thousand items/s, higher is better",
        mode: Mode::Stream,
        cores: (Core::Any, Core::Any),
        scale: Scale::Thousands,
    },
    Row {
        name: "1MiB",
        title: "Echo of 1 MiB: MiB/s, higher is better",
        mode: Mode::Big(MIB),
        cores: (Core::Any, Core::Any),
        scale: Scale::Mebibytes(MIB),
    },
    Row {
        name: "64MiB",
        title: "Echo of 64 MiB: MiB/s, higher is better",
        mode: Mode::Big(64 * MIB),
        cores: (Core::Any, Core::Any),
        scale: Scale::Mebibytes(64 * MIB),
    },
];

/// A program that keeps to the contract, with its own options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    name: &'static str,
    program: &'static str,
    options: &'static [&'static str],
    can: fn(Mode) -> bool,
}

const TCP: &str = "plain TCP";
const LIBZMQ: &str = "bare libzmq";

const SUBJECTS: [Subject; 4] = [
    Subject {
        name: TCP,
        program: env!("CARGO_BIN_EXE_bare-tcp"),
        options: &[],
        can: |mode| matches!(mode, Mode::Seq | Mode::Big(_)),
    },
    Subject { name: LIBZMQ, program: env!("CARGO_BIN_EXE_bare-zmq"), options: &[], can: |_| true },
    Subject {
        name: "zerorpc over libzmq",
        program: env!("CARGO_BIN_EXE_zerorpc-bench"),
        options: &["--transport", "zmq"],
        can: |_| true,
    },
    Subject {
        name: "zerorpc over mio",
        program: env!("CARGO_BIN_EXE_zerorpc-bench"),
        options: &["--transport", "mio"],
        can: |_| true,
    },
];

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn row_name(name: &str) -> std::result::Result<String, String> {
    match ROWS.iter().any(|row| row.name == name) {
        true => Ok(name.to_owned()),
        false => Err(format!("the rows are {}", ROWS.map(|row| row.name).join(", "))),
    }
}

fn compare(options: &Options) -> Result<()> {
    let wanted =
        |row: &&Row| options.only.is_empty() || options.only.iter().any(|it| it == row.name);
    let rows: Vec<&Row> = ROWS.iter().filter(wanted).collect();
    let mut tables: Vec<Table> = rows.iter().map(|row| table_of(row)).collect();
    let before = machine::describe();
    for round in 0..options.rounds.max(1) {
        for (row, table) in rows.iter().zip(&mut tables) {
            eprintln!("round {} of {}: {}", round + 1, options.rounds.max(1), row.name);
            // Nobody is always the first.
            let count = table.cells.len();
            for turn in 0..count {
                let cell = &mut table.cells[(turn + round) % count];
                cell.samples.push(measure(row, cell.subject, options.secs)?);
            }
        }
    }
    println!("{before}; {} rounds of {} s", options.rounds.max(1), options.secs);
    for table in &tables {
        println!("\n{}", table.show(options.markdown));
    }
    Ok(())
}

fn table_of(row: &Row) -> Table {
    let able = SUBJECTS.into_iter().filter(|subject| (subject.can)(row.mode));
    Table {
        title: row.title,
        cells: able.map(|subject| Cell { subject, samples: Vec::new() }).collect(),
    }
}

fn measure(row: &Row, subject: Subject, secs: f64) -> Result<Sample> {
    let described = |error| format!("{}, {}: {error}", subject.name, row.name);
    let sample = || -> Result<Sample> {
        let server = Server::start(subject, row.cores.0)?;
        let idle = server.cpu();
        let report = server.measure(row.mode, secs, row.cores.1)?;
        let busy = server.cpu().zip(idle).map(|(busy, idle)| busy - idle);
        let rate = report.n as f64 / report.secs;
        let value = match row.scale {
            Scale::Micros => report.p50_us,
            Scale::Thousands => rate / 1e3,
            Scale::Mebibytes(bytes) => rate * bytes as f64 / MIB as f64,
        };
        Ok(Sample { value, server_cpu: busy.map(|secs| secs * 1e6 / report.n as f64) })
    };
    sample().map_err(|error| described(error).into())
}
