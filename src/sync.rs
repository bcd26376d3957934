//! What threads wait for each other with, and see each other's work by. All of it comes from here, so that a model which
//! tries many orders of events can take its place (`driver/model.rs`).

#[cfg(all(test, shuttle))]
mod model;
#[cfg(all(test, shuttle))]
pub(crate) use model::*;

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    thread_local,
};

#[cfg(not(all(test, shuttle)))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
