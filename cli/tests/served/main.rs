//! Python modules as their authors wrote them, served without a change: what a caller gets is what plain Python
//! gives. Every module in `modules/` is of a kind that people serve.
//!
//! Tests run with the oldest and the newest Python at hand; packages from PyPI are installed below `target/peers`.

mod built_ins;
mod callers;
#[allow(dead_code, reason = "the tests of the command use all of it")]
#[path = "../command/support.rs"]
mod command;
mod gevent;
mod messages;
mod names;
mod one_at_a_time;
#[path = "../support/process.rs"]
mod process;
mod processes;
#[path = "../support/running.rs"]
mod running;
mod streams;
mod support;
mod threads;
mod threads_of_modules;
mod values;
mod zerorpc_inside;
