//! One client with many servers over mio: who is asked, what stays together, and what becomes of calls whose
//! server goes.

mod choice;
mod draining;
mod loss;
mod processes;
mod restarts;
mod silence;
mod support;
