//! The same, for a model: who runs next is shuttle's choice at each of these. Time does not pass there; whoever waits for
//! some time may find that it is up whenever it runs.

use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
    sync::PoisonError,
    time::Instant,
};

pub(crate) use std::sync::{Arc, OnceLock, Weak};

pub(crate) use shuttle::thread_local;

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};

std::thread_local! {
    /// Whether a time to wait ever comes to its end. Where it never does, nobody's rest hides that he was not woken.
    static TIME_PASSES: Cell<bool> = const { Cell::new(true) };
}

/// From now on, on this thread and so in this model.
pub(crate) fn let_time_pass(passes: bool) {
    TIME_PASSES.set(passes);
}

fn time_passes() -> bool {
    TIME_PASSES.get()
}

/// The lock of parking_lot, which knows no poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, inner: Some(self.lock_inner()) }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_inner(&self) -> shuttle::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// Gone while its owner waits.
    inner: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_deref().expect("it is not waiting")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_deref_mut().expect("it is not waiting")
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(shuttle::sync::Condvar);

/// Whether time was up.
pub(crate) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(crate) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.inner.take();
        guard.inner = inner.map(|inner| self.0.wait(inner).unwrap_or_else(PoisonError::into_inner));
    }

    /// Once the lock was given back, time is up.
    pub(crate) fn wait_until<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        _: Instant,
    ) -> WaitTimeoutResult {
        if !time_passes() {
            self.wait(guard);
            return WaitTimeoutResult(false);
        }
        guard.inner = None;
        thread::yield_now();
        guard.inner = Some(guard.mutex.lock_inner());
        WaitTimeoutResult(true)
    }
}

pub(crate) mod thread;
pub(crate) use thread::{JoinHandle, Thread};
