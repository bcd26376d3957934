//! What threads wait for each other with, and see each other's work by. All of it comes from here, so that a model which
//! tries every order of events can take its place.

pub(crate) use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, Thread},
};

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
