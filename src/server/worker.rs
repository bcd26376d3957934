//! A thread that waits for requests and runs their methods.

use std::{
    panic::resume_unwind,
    sync::Arc,
    time::{Duration, Instant},
};

use zerorpc_proto::{
    Blocked, RequestId, Route,
    transport::{Principal, Transport},
};

use super::{contention::Stretch, responder};
use crate::{
    authorize::Guarded,
    dispatch::{self, Stream, guarded},
    driver::{Driver, Guard, Job, RequestQueue, Share, State},
    request::{Caller, Request, anonymous},
    responder::{End, Responder},
    service::Reply,
};

/// How long a worker that is not the last one waits for something to do. Not measured: to start a thread takes 10 to 40 µs,
/// and a stack that sleeps some KiB, so anything between a second and a minute does.
const IDLE: Duration = Duration::from_secs(10);

/// Does what there is to do until it is too little for so many workers.
pub(super) fn work(driver: &Driver, service: &Guarded<'_>) {
    let mut state = driver.arrive();
    while state.closed.is_none() {
        state.resume_late();
        let Some(requests) = &mut state.requests else { break };
        if let Some(job) = requests.next_job() {
            let is_builtin = matches!(job, Job::Builtin(_));
            state = run(driver, service, state, job);
            if !is_builtin && let Some(requests) = &mut state.requests {
                requests.done();
            }
            driver.progress();
            continue;
        }
        if driver.send_queued(&mut state) {
            // Jobs may have come of it.
        } else if driver.may_lead(&mut state) {
            state = driver.lead(state);
        } else {
            let is_superfluous;
            (state, is_superfluous) = idle(driver, state);
            if is_superfluous {
                break;
            }
        }
    }
    if let Some(requests) = &mut state.requests {
        requests.worker_ended();
    }
}

/// Waits for something to do; true when there is too little of it for this worker.
fn idle<'a>(driver: &Driver, mut state: Guard<'a>) -> (Guard<'a>, bool) {
    let set_idle = |state: &mut Guard<'_>, is_idle: bool| {
        if let Some(requests) = &mut state.requests {
            requests.set_idle(is_idle);
        }
    };
    set_idle(&mut state, true);
    let deadline = Instant::now() + IDLE;
    let (mut state, timed_out) = state.wait_until(&driver.worker_cv, Some(deadline));
    set_idle(&mut state, false);
    let is_superfluous =
        timed_out && state.requests.as_ref().is_some_and(RequestQueue::has_too_many_workers);
    (state, is_superfluous)
}

/// Before something that may take long: sends what waits, and calls somebody for what is to be done beside it.
///
/// Short methods are run one after the other. If one of them should take long after all, the watchdog, which looks in as long
/// as nobody leads, sends the answers before it and calls somebody for the requests behind it.
fn make_way(driver: &Driver, state: &mut Guard<'_>) {
    if state.leader.is_some() || !state.requests.as_ref().is_some_and(RequestQueue::is_fast) {
        driver.send_out(state);
        driver.wake_worker(state);
    }
}

fn run<'a>(driver: &'a Driver, service: &Guarded<'_>, mut state: Guard<'a>, job: Job) -> Guard<'a> {
    let is_builtin = matches!(job, Job::Builtin(_));
    let id = match job {
        Job::Resume(id, stream) => {
            make_way(driver, &mut state);
            drop(state);
            return feed(driver, id, stream);
        }
        Job::Discard(stream) => {
            make_way(driver, &mut state);
            drop(state);
            drop(stream);
            return driver.lock();
        }
        Job::Answer(id) | Job::Builtin(id) => id,
    };
    // A caller that has gone meanwhile does not get its method run.
    let Some((request, caller, share)) = take(&mut state, id, is_builtin) else {
        // It may have to be looked at again earlier than whoever leads has reckoned with.
        driver.wake_if_earlier(&mut state);
        return state;
    };
    make_way(driver, &mut state);
    drop(state);
    let stretch = share.is_heavy().then(Stretch::begin);
    let start = Instant::now();
    let answer = dispatch::run(service, &request);
    let duration = start.elapsed();
    if driver.home.was_left_in(duration) {
        // Without the hook: nothing has gone wrong in this child, there is nothing for this thread to do.
        resume_unwind(Box::new("the method has forked, and has come back in the child"));
    }
    let method = request.into_method_name();
    let size = match &answer {
        Ok(Reply::Value(value)) => Some(value.as_bytes().len()),
        Ok(Reply::Stream(_) | Reply::Later(_)) => Some(0),
        Err(_) => None,
    };
    let was_held_up = stretch.is_some_and(|stretch| stretch.was_held_up());
    let done = |state: &mut Guard<'_>| state.release(&share, was_held_up, &method, size);
    let end = match answer {
        Ok(Reply::Value(value)) => End::Value(value),
        Ok(Reply::Stream(items)) => {
            done(&mut driver.lock());
            return feed(driver, id, Stream::new(items));
        }
        Ok(Reply::Later(begin)) => {
            done(&mut driver.lock());
            let responder = Responder::new(responder::answers(driver), id, caller);
            // One that is dropped by a panic fails the request.
            let _panicked = guarded(|| {
                begin(responder);
                Ok(())
            });
            return driver.lock();
        }
        Err(failure) => End::Failure(failure),
    };
    // Nobody else has it now: it can be used again.
    drop(caller);
    let mut state = driver.come_back();
    if let Some(requests) = &mut state.requests {
        requests.pace.note(duration);
    }
    done(&mut state);
    finish(driver, &mut state, id, end, (start, start + duration));
    state
}

/// Takes a request up, unless it has to wait: the session or the queue tells of it again.
fn take(
    state: &mut Guard<'_>,
    id: RequestId,
    is_builtin: bool,
) -> Option<(Request, Arc<Caller>, Share)> {
    let State { session, requests, transport, .. } = &mut **state;
    let requests = requests.as_mut()?;
    let waiting = session.request(id)?;
    let peer = caller_of(transport.as_deref()?, &waiting)?;
    let (method, size) = (waiting.method_name(), waiting.args().as_bytes().len());
    let share = match is_builtin {
        true => Share::NONE,
        false => requests.load.admit(id, &method, size, session.retained_bytes())?,
    };
    let mut taken = session.request(id)?;
    taken.expect_bytes(share.answer());
    if !taken.start() {
        // Its caller has to read first what it has got already, or others of its requests have to end.
        requests.load.withdraw(&share);
        if requests.load.has_waiting() {
            requests.resume_waiting(session.retained_bytes());
        }
        return None;
    }
    let (args, context) = (taken.take_args(), taken.context());
    let caller = requests.begin(id);
    Some((Request::new(method, args, context, peer, Arc::clone(&caller)), caller, share))
}

/// Who has made a request; `None` if the connection is gone, of which the session is still to be told.
fn caller_of(
    transport: &dyn Transport,
    request: &zerorpc_proto::Request<'_>,
) -> Option<Arc<Principal>> {
    let peer = request.peer();
    if transport.knows_peers() {
        return transport.principal(peer);
    }
    let principal = transport.principal_of(&Route::of(peer, &request.envelope()));
    Some(principal.unwrap_or_else(anonymous))
}

/// Sends items until the stream ends, or parks it until there is credit.
fn feed<'a>(driver: &'a Driver, id: RequestId, mut stream: Stream) -> Guard<'a> {
    let mut asked = Instant::now();
    loop {
        let item = stream.next();
        let mut state = driver.lock();
        let item = match item {
            Ok(item) => item,
            Err(end) => {
                finish(driver, &mut state, id, end, (asked, Instant::now()));
                return dropped(driver, state, stream);
            }
        };
        let Some(mut request) = state.session.request(id) else {
            // The caller is gone.
            return dropped(driver, state, stream);
        };
        match request.send(item) {
            Ok(()) => {
                let now = Instant::now();
                driver.send_soon(&mut state, asked, now);
                asked = now;
                drop(state);
                driver.progress();
            }
            Err(Blocked(item)) => {
                stream.put_back(item);
                if let Some(requests) = &mut state.requests {
                    requests.parked.insert(id, stream);
                }
                driver.take_notices(&mut state);
                return state;
            }
        }
    }
}

/// Drops a stream, which may take its time, without the lock.
fn dropped<'a>(driver: &'a Driver, state: Guard<'a>, stream: Stream) -> Guard<'a> {
    drop(state);
    drop(stream);
    driver.lock()
}

/// Gives a request its last answer, which the service was asked for and gave at these times, to be sent with others.
fn finish(
    driver: &Driver,
    state: &mut Guard<'_>,
    id: RequestId,
    end: End,
    (asked, given): (Instant, Instant),
) {
    if responder::answer(state, id, end) {
        driver.send_soon(state, asked, given);
    }
}
