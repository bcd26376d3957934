//! How fast zerorpc is, beside what it could be.
//!
//! Whatever is measured is a *subject*: a program that is server and client, and keeps to one [`Contract`].
//! `compare` runs any number of them side by side.
//!
//! ```text
//! SUBJECT server HOST:PORT            prints `ready`, serves until it is killed
//! SUBJECT client HOST:PORT MODE SECS  prints as its last line {"n":…, "secs":…, "p50_us":…, "p99_us":…}
//! ```

mod contract;
mod hold;
mod idle;
mod span;
mod tally;

pub use contract::{Contract, Mode, Role, STREAM, Subject, pause, ready, run};
pub use hold::hold;
pub use idle::idle_connections;
pub use span::{Flight, Lap, Span, in_tasks, in_threads};
pub use tally::{Report, Tally};

/// What can go wrong in a program of this crate: anything, and it ends the program.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// So many bytes has the small message of subjects that know no zerorpc: about a small zerorpc event.
pub const SMALL: usize = 96;

/// So many items zerorpc lets a server send before it has to wait for credit,
pub const AHEAD: u64 = 100;

/// so many more for each credit,
pub const CREDIT: u64 = 51;

/// and so long is what grants it.
pub const GRANT: usize = 64;

/// The keys of a server that speaks CURVE, the public half first: those of the manual of libzmq.
pub const SERVER_KEY: (&str, &str) =
    ("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6");

/// The same of its clients.
pub const CLIENT_KEY: (&str, &str) =
    ("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs");
