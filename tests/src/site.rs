//! A service that keeps a journal of what it runs, so that a test can tell who ran what, and how often.

#[cfg(unix)]
mod process;

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use rmpv::Value;
use zerorpc::Methods;

#[cfg(unix)]
pub use process::{SiteProcess, nothing_ran_twice};

/// Holds methods back until it is opened.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody through, now and later.
    pub fn open(&self) {
        let (is_open, bell) = &*self.0;
        *is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        bell.notify_all();
    }

    fn pass(&self) {
        let (is_open, bell) = &*self.0;
        let is_open = is_open.lock().unwrap_or_else(PoisonError::into_inner);
        let _passed = bell.wait_while(is_open, |is_open| !*is_open);
    }
}

/// The service of a site: every method takes a number that is its caller's own, and writes it down.
///
/// - `note(number, seconds)` takes its time and answers with the site's name,
/// - `hold(number)` does the same once the gate is open,
/// - `weigh(number, ballast)` answers with the site's name, however large its call,
/// - `items(number, n, seconds)` is a stream of `n` numbers with a pause before each.
pub fn methods(
    name: &str,
    journal: impl Fn(u64) + Clone + Send + Sync + 'static,
    gate: Gate,
) -> Methods {
    let [noted, held, weighed, streamed] = [(); 4].map(|()| journal.clone());
    let [noting, holding, weighing] = [(); 3].map(|()| name.to_owned());
    Methods::new(name)
        .method("note", move |number: u64, seconds: f64| {
            noted(number);
            std::thread::sleep(Duration::from_secs_f64(seconds));
            Ok(noting.clone())
        })
        .method("hold", move |number: u64| {
            held(number);
            gate.pass();
            Ok(holding.clone())
        })
        .method("weigh", move |number: u64, _ballast: Value| {
            weighed(number);
            Ok(weighing.clone())
        })
        .stream("items", move |number: u64, n: u64, seconds: f64| {
            streamed(number);
            let pause = Duration::from_secs_f64(seconds);
            Ok((0..n).inspect(move |_| std::thread::sleep(pause)))
        })
}
