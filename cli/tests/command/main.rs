//! The command as its users meet it: real processes, real sockets, a real Python, and real peers.

mod calls;
mod curve;
mod draining;
mod ending;
mod heartbeats;
mod interop;
mod keys;
mod lost;
mod memory;
mod modules;
#[cfg(target_os = "linux")]
mod networks;
mod paused;
#[path = "../support/process.rs"]
mod process;
mod results;
#[path = "../support/running.rs"]
mod running;
mod security;
mod sessions;
mod strangers;
mod support;
mod transports;
mod usage;
mod waiting;
mod words;
