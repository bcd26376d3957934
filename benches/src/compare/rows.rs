//! What is measured, of whom.

use zerorpc_benches::Mode;

use crate::{
    environment,
    machine::Core,
    process::Serving,
    program::Program,
    subjects::{Cast, LIBZMQ, MIO, PYTHON, RULES, Subject, TCP, zerorpc},
};

const MIB: usize = 1 << 20;
/// So many channels a peer gets that cannot have as many as others.
const FEW: usize = 1000;

/// One thing to measure, of all that can: a table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) how: How,
    /// Of the server and of the client.
    pub(crate) cores: (Core, Core),
    pub(crate) who: Who,
    /// More rounds than these are not worth their time.
    pub(crate) rounds: usize,
}

/// Which values are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// How it is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    /// A client reports, and the processor time of the server is read.
    Calls(Mode, Scale),
    /// The memory of both sides grows by so much for each thing that the mode opens.
    Memory(Mode),
    /// Both sides need so much of a core while what the mode opens is open, for so many seconds.
    Upkeep(Mode, f64),
    /// A program is run as often as time allows, with these words behind the server's endpoint.
    Command(&'static [&'static str]),
    /// Both sides make so many system calls for each call.
    Syscalls(Mode),
}

/// What is shown of a report.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scale {
    /// The median time of one, in microseconds.
    Micros,
    /// So many thousands per second.
    Thousands,
    /// MiB per second, of so many bytes each.
    Mebibytes(usize),
}

/// Who is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// All that can.
    All,
    /// Those that can, and the same with another mode.
    Twice(&'static str, Mode, &'static str),
    /// Servers of ZMTP, all with the same client.
    Servers,
    /// The zerorpc commands.
    Commands,
    /// Servers of a Python module, all with the same client.
    Modules,
}

/// Somebody in a row.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) server: Program,
    pub(crate) serving: Serving,
    pub(crate) client: Program,
    pub(crate) mode: Mode,
}

const CALLS: Row = Row {
    name: "",
    title: "",
    unit: "µs",
    better: Better::Lower,
    how: How::Calls(Mode::Seq, Scale::Micros),
    cores: (Core::Any, Core::Any),
    who: Who::All,
    rounds: usize::MAX,
};

const PIPE: How = How::Calls(Mode::Pipe(64), Scale::Thousands);
const STREAM: How = How::Calls(Mode::Stream, Scale::Thousands);
const CALL_RATE: &str = "thousand calls/s";
const ITEM_RATE: &str = "thousand items/s";

/// All tables, in their order.
pub(crate) static ROWS: [Row; 16] = [
    Row {
        name: "seq@1",
        title: "Sequential call, both sides on one core",
        cores: (Core::Last, Core::Last),
        ..CALLS
    },
    Row {
        name: "seq@2",
        title: "Sequential call, each side on a core of its own",
        cores: (Core::Last, Core::First),
        ..CALLS
    },
    Row { name: "seq", title: "Sequential call, wherever the system puts both sides", ..CALLS },
    Row {
        name: "pipe",
        title: "64 calls in flight",
        unit: CALL_RATE,
        better: Better::Higher,
        how: PIPE,
        ..CALLS
    },
    Row {
        name: "stream",
        title: "Items of a stream",
        unit: ITEM_RATE,
        better: Better::Higher,
        how: STREAM,
        ..CALLS
    },
    Row {
        name: "1MiB",
        title: "Echo of 1 MiB",
        unit: "MiB/s",
        better: Better::Higher,
        how: How::Calls(Mode::Big(MIB), Scale::Mebibytes(MIB)),
        ..CALLS
    },
    Row {
        name: "64MiB",
        title: "Echo of 64 MiB",
        unit: "MiB/s",
        better: Better::Higher,
        how: How::Calls(Mode::Big(64 * MIB), Scale::Mebibytes(64 * MIB)),
        ..CALLS
    },
    Row {
        name: "threads",
        title: "16 threads with one client, and 16 with a client each",
        unit: CALL_RATE,
        better: Better::Higher,
        how: How::Calls(Mode::Threads(16), Scale::Thousands),
        who: Who::Twice("one client", Mode::Clients(16), "16 clients"),
        ..CALLS
    },
    Row {
        name: "syscalls",
        title: "System calls for each sequential call, both sides on one core",
        unit: "system calls of the server",
        how: How::Syscalls(Mode::Seq),
        rounds: 2,
        ..CALLS
    },
    Row {
        name: "channels",
        title: "Memory of the server for each of 10,000 open channels",
        unit: "KiB",
        how: How::Memory(Mode::Channels(10_000)),
        rounds: 3,
        ..CALLS
    },
    Row {
        name: "connections",
        title: "Memory of the server for each of 5,000 idle connections",
        unit: "KiB",
        how: How::Memory(Mode::Connections(5000)),
        who: Who::Servers,
        rounds: 3,
        ..CALLS
    },
    Row {
        name: "upkeep",
        title: "Processor time of the server while 100,000 streams are open, heartbeat 5 s",
        unit: "% of a core",
        how: How::Upkeep(Mode::Channels(100_000), 20.0),
        rounds: 1,
        ..CALLS
    },
    Row {
        name: "command",
        title: "A whole run of the command, from start to exit: one call of a server that runs",
        unit: "ms",
        how: How::Command(&["echo", "7"]),
        who: Who::Commands,
        ..CALLS
    },
    Row {
        name: "module-seq",
        title: "Sequential call of a Python module",
        who: Who::Modules,
        ..CALLS
    },
    Row {
        name: "module-pipe",
        title: "64 calls in flight to a Python module",
        unit: CALL_RATE,
        better: Better::Higher,
        how: PIPE,
        who: Who::Modules,
        ..CALLS
    },
    Row {
        name: "module-stream",
        title: "Items of a stream from a Python module",
        unit: ITEM_RATE,
        better: Better::Higher,
        how: STREAM,
        who: Who::Modules,
        ..CALLS
    },
];

impl Row {
    /// What its numbers are, in a line.
    pub(crate) fn heading(&self) -> String {
        let better = match self.better {
            Better::Lower => "lower",
            Better::Higher => "higher",
        };
        format!("{}: {}, {better} is better", self.title, self.unit)
    }

    /// What else its samples hold.
    pub(crate) fn extras(&self) -> &'static [&'static str] {
        match self.how {
            How::Calls(..) => &["server CPU µs"],
            How::Memory(Mode::Channels(_)) => &["client KiB"],
            How::Memory(_) => &["µs to open"],
            How::Upkeep(..) => &["client %", "µs to open, first tenth", "last tenth"],
            How::Command(_) => &[],
            How::Syscalls(_) => &["of the client"],
        }
    }

    /// With whom all are compared: the heading and the key of each, as [`crate::table::Table::ratio`] takes it.
    pub(crate) fn bases(&self) -> &'static [(&'static str, &'static str)] {
        if let How::Memory(Mode::Channels(_)) | How::Upkeep(..) = self.how {
            return &[("× over libzmq", "zerorpc-zmq")];
        }
        match self.who {
            Who::All => match self.how {
                How::Calls(Mode::Stream | Mode::Big(_), _) => {
                    &[("× TCP", TCP), ("× libzmq", LIBZMQ), ("× its rules", RULES)]
                }
                _ => &[("× TCP", TCP), ("× libzmq", LIBZMQ)],
            },
            Who::Twice(..) => &[("× TCP", "tcp, 16 clients"), ("× its 16 clients", ", 16 clients")],
            Who::Servers => &[("× libzmq", LIBZMQ)],
            Who::Commands | Who::Modules => &[("× zerorpc-python", PYTHON)],
        }
    }

    /// Whether it needs the zerorpc command.
    pub(crate) fn needs_command(&self) -> bool {
        matches!(self.who, Who::Commands | Who::Modules)
    }

    /// How many files a process that is measured has open, at least.
    pub(crate) fn files(&self) -> u64 {
        match self.how {
            How::Memory(Mode::Connections(count)) => count as u64 + 100,
            _ => 0,
        }
    }

    /// All who are measured.
    pub(crate) fn contenders(&self, cast: &Cast) -> Vec<Contender> {
        let mode = match self.how {
            How::Calls(mode, _)
            | How::Memory(mode)
            | How::Upkeep(mode, _)
            | How::Syscalls(mode) => mode,
            How::Command(_) => Mode::Seq,
        };
        match self.who {
            Who::All => cast.subjects.iter().filter_map(|it| self.contender(it, mode)).collect(),
            Who::Twice(first, other, second) => {
                let both = |subject| {
                    let named = |mode, name: &str| {
                        let mut contender = self.contender(subject, mode)?;
                        contender.key = format!("{}, {name}", contender.key);
                        contender.title = format!("{}, {name}", contender.title);
                        Some(contender)
                    };
                    [named(mode, first), named(other, second)].into_iter().flatten()
                };
                cast.subjects.iter().flat_map(both).collect()
            }
            Who::Servers => {
                let able = cast.subjects.iter().filter_map(|it| self.contender(it, mode));
                able.map(|it| Contender { client: zerorpc("mio"), ..it }).collect()
            }
            Who::Commands => commands(cast, mode),
            Who::Modules => modules(cast, mode),
        }
    }

    fn contender(&self, subject: &Subject, mode: Mode) -> Option<Contender> {
        let mut title = subject.title.to_owned();
        let mut mode = mode;
        if let (Mode::Channels(_), How::Memory(_), false) = (mode, self.how, subject.can(mode)) {
            mode = Mode::Channels(FEW);
            title = format!("{title} (only {FEW})");
        }
        subject.can(mode).then(|| Contender {
            key: subject.key.to_owned(),
            title,
            server: subject.program.clone(),
            serving: Serving::Contract,
            client: subject.program.clone(),
            mode,
        })
    }
}

/// Our command and zerorpc-python's, both calling our server.
fn commands(cast: &Cast, mode: Mode) -> Vec<Contender> {
    let contender = |key: &str, title: &str, client| Contender {
        key: key.to_owned(),
        title: title.to_owned(),
        server: zerorpc("mio"),
        serving: Serving::Contract,
        client,
        mode,
    };
    let theirs = cast.python.as_ref().map(|python| python.tool("zerorpc"));
    let theirs = theirs.map(|client| contender(PYTHON, "the command of zerorpc-python", client));
    let ours = cast.command.clone().map(|client| contender(MIO, "our command", client));
    theirs.into_iter().chain(ours).collect()
}

/// A Python module behind zerorpc-python's server and behind ours, both called by our client.
fn modules(cast: &Cast, mode: Mode) -> Vec<Contender> {
    let contender = |key: &str, title: &str, server: Program| Contender {
        key: key.to_owned(),
        title: title.to_owned(),
        server: server.folder(environment::peers().join("python")),
        serving: Serving::Module,
        client: zerorpc("mio"),
        mode,
    };
    let theirs = cast.python.as_ref().map(|python| python.tool("zerorpc"));
    let theirs = theirs.map(|server| contender(PYTHON, "zerorpc-python's server", server));
    let ours = cast.command.clone().map(|server| contender(MIO, "our server", server));
    theirs.into_iter().chain(ours).collect()
}
