//! How the answers of a server's methods that answer later reach its socket.

use std::{cell::RefCell, collections::VecDeque, sync::Weak, time::Instant};

use zerorpc_proto::{Args, Blocked, RequestId};

use crate::{
    driver::{Driver, Guard},
    responder::{Answers, End},
};

/// Where its responders' answers go.
pub(super) fn answers(driver: &Driver) -> Weak<dyn Answers> {
    let driver: Weak<Driver> = Weak::clone(&driver.me);
    driver
}

impl Answers for Driver {
    fn send_all(&self, id: RequestId, items: &mut VecDeque<Args>) {
        if self.home.is_elsewhere_at(Instant::now()) {
            return items.clear();
        }
        let mut state = self.lock();
        match state.session.request(id) {
            Some(mut request) => {
                while let Some(item) = items.pop_front() {
                    if let Err(Blocked(item)) = request.send(item) {
                        items.push_front(item);
                        break;
                    }
                }
            }
            None => items.clear(),
        }
        send_out(self, state);
    }

    fn has_room(&self, id: RequestId) -> bool {
        if self.home.is_elsewhere_at(Instant::now()) {
            return false;
        }
        let mut state = self.lock();
        let has_room = state.session.request(id).is_some_and(|mut request| request.has_room());
        self.take_notices(&mut state);
        has_room
    }

    fn end(&self, id: RequestId, end: End) {
        if self.home.is_elsewhere_at(Instant::now()) {
            return;
        }
        let mut state = self.lock();
        answer(&mut state, id, end);
        send_out(self, state);
    }
}

/// Gives a request its last answer; false when its caller has gone.
pub(super) fn answer(state: &mut Guard<'_>, id: RequestId, end: End) -> bool {
    if let Some(requests) = &mut state.requests {
        requests.end(id);
    }
    let Some(request) = state.session.request(id) else { return false };
    end.give(request);
    true
}

fn send_out(driver: &Driver, mut state: Guard<'_>) {
    let is_put_off = TOGETHER.with_borrow_mut(|together| match together {
        Some(drivers) => {
            if !drivers.iter().any(|other| Weak::ptr_eq(other, &driver.me)) {
                drivers.push(Weak::clone(&driver.me));
            }
            true
        }
        None => false,
    });
    if !is_put_off {
        driver.send_out(&mut state);
    }
}

thread_local! {
    /// The sockets that have something to send when [`send_together`] ends.
    static TOGETHER: RefCell<Option<Vec<Weak<Driver>>>> = const { RefCell::new(None) };
}

/// Runs `action`, and sends what [`Responder`](crate::Responder)s are given in it, on this thread, at its end: with few system calls where
/// many answers have come together. It should not wait for anything.
pub fn send_together<T>(action: impl FnOnce() -> T) -> T {
    /// Sends also when `action` panics.
    struct Sending;

    impl Drop for Sending {
        fn drop(&mut self) {
            for driver in TOGETHER.take().into_iter().flatten().filter_map(|it| it.upgrade()) {
                driver.send_out(&mut driver.lock());
            }
        }
    }

    if TOGETHER.with_borrow(Option::is_some) {
        return action();
    }
    TOGETHER.set(Some(Vec::new()));
    let _sending = Sending;
    action()
}
