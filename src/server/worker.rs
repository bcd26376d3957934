//! A thread that waits for requests and runs their methods.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use zerorpc_proto::{Args, Blocked, RemoteFailure, RequestId};

use super::{
    builtin,
    desk::{Desk, Job, Stream},
};
use crate::{
    driver::{Driver, Guard},
    failure::Failure,
    request::{Caller, Request},
    service::Reply,
};

/// How long a worker that is not the last one waits for something to do.
const IDLE: Duration = Duration::from_secs(10);

/// How the answer to a request ends.
enum End {
    Value(Args),
    Done,
    Failure(Failure),
}

pub(super) fn work(driver: &Driver) {
    let mut state = driver.lock();
    while state.closed.is_none() {
        let Some(desk) = &mut state.desk else { break };
        if let Some(job) = desk.jobs.pop_front() {
            driver.call_workers(&mut state);
            state = run(driver, state, job);
        } else if driver.may_lead(&mut state) {
            state = driver.lead(state);
            if !state.deferred.is_empty() {
                driver.leave(state);
                state = driver.lock();
            }
        } else if idle(driver, &mut state) {
            break;
        }
    }
    if let Some(desk) = &mut state.desk {
        desk.workers -= 1;
    }
    driver.leave(state);
}

/// Waits for something to do; true when there is too little of it for this worker.
fn idle(driver: &Driver, state: &mut Guard<'_>) -> bool {
    let count = |state: &mut Guard<'_>, change: isize| -> Option<()> {
        let desk = state.desk.as_mut()?;
        desk.idle = desk.idle.saturating_add_signed(change);
        Some(())
    };
    count(state, 1);
    let waited = driver.worker_bell.wait_for(state, IDLE);
    count(state, -1);
    waited.timed_out()
        && state.desk.as_ref().is_some_and(|desk| desk.jobs.is_empty() && desk.workers > 1)
}

fn run<'a>(driver: &'a Driver, mut state: Guard<'a>, job: Job) -> Guard<'a> {
    match job {
        Job::Resume(id, stream) => {
            driver.leave(state);
            feed(driver, id, stream);
        }
        Job::Discard(stream) => {
            driver.leave(state);
            drop(stream);
        }
        Job::Answer(id) => {
            // A caller that has gone meanwhile does not get its method run.
            let Some(request) = take(&mut state, id) else { return state };
            let Some(service) = state.desk.as_ref().map(|desk| Arc::clone(&desk.service)) else {
                return state;
            };
            driver.leave(state);
            match guarded(|| builtin::answer(service.as_ref(), &request)) {
                Ok(Reply::Value(value)) => end(driver, id, End::Value(value)),
                Ok(Reply::Stream(items)) => feed(driver, id, Stream { items, pending: None }),
                Err(failure) => end(driver, id, End::Failure(failure)),
            }
        }
    }
    driver.lock()
}

fn take(state: &mut Guard<'_>, id: RequestId) -> Option<Request> {
    let mut taken = state.session.request(id)?;
    let args = taken.take_args();
    let caller = Arc::new(Caller::default());
    let request = Request::new(taken.method(), args, taken.context(), Arc::clone(&caller));
    state.desk.as_mut()?.running.insert(id, caller);
    Some(request)
}

/// Sends items until the stream ends, or parks it until there is credit.
fn feed(driver: &Driver, id: RequestId, mut stream: Stream) {
    loop {
        let item = match stream.pending.take() {
            Some(item) => item,
            None => match guarded(|| stream.items.next().transpose()) {
                Ok(Some(item)) => item,
                Ok(None) => return end(driver, id, End::Done),
                Err(failure) => return end(driver, id, End::Failure(failure)),
            },
        };
        let mut state = driver.lock();
        let Some(mut request) = state.session.request(id) else {
            // The caller is gone: the iterator is dropped, but not under the lock.
            return driver.leave(state);
        };
        match request.send(item) {
            Ok(()) => {
                driver.pump(&mut state);
                driver.leave(state);
            }
            Err(Blocked(item)) => {
                stream.pending = Some(item);
                if let Some(desk) = &mut state.desk {
                    desk.parked.insert(id, stream);
                }
                return driver.leave(state);
            }
        }
    }
}

fn end(driver: &Driver, id: RequestId, end: End) {
    let mut state = driver.lock();
    if let Some(Desk { running, .. }) = &mut state.desk {
        running.remove(&id);
    }
    if let Some(request) = state.session.request(id) {
        match end {
            End::Value(value) => {
                // `feed` alone sends items, and it never ends with a value.
                let _has_no_items = request.reply(value);
            }
            End::Done => request.finish(),
            End::Failure(Failure { name, message, traceback }) => {
                request.fail(RemoteFailure { name, message, traceback });
            }
        }
        driver.pump(&mut state);
    }
    driver.leave(state);
}

/// Runs a service's code; a panic fails the request and nothing else.
fn guarded<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(Failure::new("Panic", text.unwrap_or("the method panicked")))
    })
}
