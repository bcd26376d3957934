//! Every promise of the core, checked in virtual time: with one session whose peers are played by the test, or
//! with a world full of them. No test here looks at a clock, and all chance can be repeated (`ZERORPC_SEED`).

mod bounds;
mod credit;
mod draining;
mod driving;
mod fuzzing;
mod heartbeats;
mod limits;
mod many;
mod memory;
mod peers;
mod plan;
mod routes;
mod scenario;
mod streams;
