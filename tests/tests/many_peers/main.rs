//! One client with many servers over mio: who is asked, what stays together, and what becomes of calls whose
//! server goes.

mod choice;
mod draining;
#[path = "../../../transport-mio/tests/sockets/hosts.rs"]
mod hosts;
mod loss;
mod names;
#[path = "../../../transport-mio/tests/sockets/namespaces.rs"]
mod namespaces;
mod processes;
mod restarts;
mod silence;
mod support;
