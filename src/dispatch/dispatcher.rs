//! A service over a session that somebody else drives.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use zerorpc_proto::{Args, Blocked, Notice, RequestId, Session, transport::Principal};

use super::{Stream, guarded, run};
use crate::{
    authorize::{Authorizer, Guarded},
    request::{Caller, Request, anonymous},
    responder::{Answers, End, Responder},
    service::{Reply, Service},
};

/// Answers the requests of a [`Session`] of one's own by a [`Service`], built-in methods such as `_zerorpc_inspect` included:
/// for event loops that want neither the threads nor the sockets of a [`Server`](crate::Server).
///
/// Methods run where [`handle_notice`](Self::handle_notice) is called, one after the other: one that takes its time keeps
/// the session from beating meanwhile. Those should answer [later](Reply::Later), from threads of their own; what they
/// answer goes to the session by [`poll`](Self::poll), which [`on_answer`](Self::on_answer) asks for.
///
/// ```
/// use std::time::Instant;
/// use zerorpc::{Dispatcher, Methods};
/// use zerorpc_proto::{Answer, Args, CallOptions, Config, Session};
///
/// let now = Instant::now();
/// let mut server = Session::new(Config::server(1));
/// let service = Methods::new("calculator").method("add", |a: i64, b: i64| Ok(a + b));
/// let mut dispatcher = Dispatcher::new(service);
/// # let mut client = Session::new(Config::client(2));
/// # let call = client.open(now, zerorpc_proto::PeerId::NAMELESS, "add", Args::encode(&(20, 22))?, &CallOptions::new())?;
/// # let request = client.poll_transmit().ok_or("a request")?;
/// # let message = zerorpc_proto::Multipart::direct(request.payload.to_bytes());
/// # let _ = server.handle_message(now, zerorpc_proto::PeerId::NAMELESS, message);
///
/// // In the loop, after messages and time have come in:
/// while let Some(notice) = server.poll_notice() {
///     dispatcher.handle_notice(&mut server, notice);
/// }
/// // … and before messages go out.
/// # let answer = server.poll_transmit().ok_or("an answer")?;
/// # let message = zerorpc_proto::Multipart::direct(answer.payload.to_bytes());
/// # let _ = client.handle_message(now, zerorpc_proto::PeerId::NAMELESS, message);
/// # let answer = client.call(call).and_then(|mut call| call.recv());
/// # assert_eq!(answer, Some(Answer::Value(Args::encode(&42)?)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Dispatcher {
    service: Arc<dyn Service>,
    authorizer: Option<Arc<dyn Authorizer>>,
    /// Requests whose answer comes later.
    running: HashMap<RequestId, Arc<Caller>>,
    /// Streams that wait for credit.
    parked: HashMap<RequestId, (Stream, Arc<Caller>)>,
    later: Arc<Later>,
}

impl Dispatcher {
    /// Answers by this service.
    pub fn new(service: impl Service) -> Self {
        let later = Later { queue: Mutex::default(), wake: Mutex::new(Arc::new(|| {})) };
        Self {
            service: Arc::new(service),
            authorizer: None,
            running: HashMap::new(),
            parked: HashMap::new(),
            later: Arc::new(later),
        }
    }

    /// Runs `wake` when there is something to [`poll`](Self::poll): on the thread that has answered, under no lock. Let it
    /// wake the loop.
    #[must_use]
    pub fn on_answer(self, wake: impl Fn() + Send + Sync + 'static) -> Self {
        *self.later.wake.lock() = Arc::new(wake);
        self
    }

    /// Has `authorizer` say who may call what; callers are those of [`handle_notice_from`](Self::handle_notice_from), and
    /// anonymous otherwise.
    #[must_use]
    pub fn authorize(mut self, authorizer: impl Authorizer + 'static) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Does what a notice asks for: runs a method, goes on with a stream, forgets a request whose caller is gone. What is
    /// not about a request comes back.
    pub fn handle_notice(&mut self, session: &mut Session, notice: Notice) -> Option<Notice> {
        self.handle_notice_from(session, notice, None)
    }

    /// As [`handle_notice`](Self::handle_notice), where it is known whom a request comes from: of the
    /// [peer](zerorpc_proto::Request::peer) of [`Notice::Requested`], the socket knows the principal.
    pub fn handle_notice_from(
        &mut self,
        session: &mut Session,
        notice: Notice,
        peer: impl Into<Option<Arc<Principal>>>,
    ) -> Option<Notice> {
        match notice {
            Notice::Requested(id) => self.answer(session, id, peer.into()),
            Notice::Writable(id) => self.resume(session, id),
            Notice::RequestLost(id, _) => {
                self.later.forget(id);
                let parked = self.parked.remove(&id).map(|(_, caller)| caller);
                if let Some(caller) = parked.or_else(|| self.running.remove(&id)) {
                    lose(&caller);
                }
            }
            other => return Some(other),
        }
        None
    }

    /// Gives the session what was answered since the last time by those who answer [later](Reply::Later).
    pub fn poll(&mut self, session: &mut Session) {
        for id in self.later.take_touched() {
            self.pass_on(session, id);
        }
    }

    /// How many requests have begun and have not been answered to their end.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.running.len() + self.parked.len()
    }

    fn answer(&mut self, session: &mut Session, id: RequestId, peer: Option<Arc<Principal>>) {
        let Some(mut taken) = session.request(id) else { return };
        if !taken.start() {
            // Its caller has to read first what it has got already; the session tells of it again.
            return;
        }
        let caller = Arc::<Caller>::default();
        let (method, args, context) = (taken.method_name(), taken.take_args(), taken.context());
        let peer = peer.unwrap_or_else(anonymous);
        let request = Request::new(method, args, context, peer, Arc::clone(&caller));
        let guarded_service =
            Guarded { service: &*self.service, authorizer: self.authorizer.as_deref() };
        match run(&guarded_service, &request) {
            Ok(Reply::Value(value)) => End::Value(value).give_to(session, id),
            Ok(Reply::Stream(items)) => self.feed(session, id, Stream::new(items), caller),
            Ok(Reply::Later(begin)) => {
                self.running.insert(id, Arc::clone(&caller));
                let answers: Arc<dyn Answers> = self.later.clone();
                let responder = Responder::new(Arc::downgrade(&answers), id, caller);
                // One that is dropped by a panic fails the request.
                let _panicked = guarded(|| {
                    begin(responder);
                    Ok(())
                });
                self.poll(session);
            }
            Err(failure) => End::Failure(failure).give_to(session, id),
        }
    }

    /// Sends items until the stream ends, or has to wait for credit.
    fn feed(
        &mut self,
        session: &mut Session,
        id: RequestId,
        mut stream: Stream,
        caller: Arc<Caller>,
    ) {
        loop {
            let item = match stream.next() {
                Ok(item) => item,
                Err(end) => return end.give_to(session, id),
            };
            let Some(mut request) = session.request(id) else { return lose(&caller) };
            if let Err(Blocked(item)) = request.send(item) {
                stream.put_back(item);
                self.parked.insert(id, (stream, caller));
                return;
            }
        }
    }

    fn resume(&mut self, session: &mut Session, id: RequestId) {
        if let Some((stream, caller)) = self.parked.remove(&id) {
            return self.feed(session, id, stream, caller);
        }
        self.pass_on(session, id);
    }

    /// Gives the session what waits for one request; tells who answers it when there is room for more.
    fn pass_on(&mut self, session: &mut Session, id: RequestId) {
        let Some(caller) = self.running.get(&id) else { return self.later.forget(id) };
        let Some(mut request) = session.request(id) else { return };
        let mut queue = self.later.queue.lock();
        let Some(waiting) = queue.waiting.get_mut(&id) else { return };
        while let Some(item) = waiting.items.pop_front() {
            if let Err(Blocked(item)) = request.send(item) {
                waiting.items.push_front(item);
                break;
            }
        }
        if !waiting.items.is_empty() {
            return;
        }
        if let Some(end) = waiting.end.take() {
            queue.waiting.remove(&id);
            drop(queue);
            end.give(request);
            self.running.remove(&id);
        } else if std::mem::take(&mut waiting.was_blocked) {
            drop(queue);
            let _panicked = guarded(|| {
                caller.resume();
                Ok(())
            });
        }
    }
}

impl End {
    fn give_to(self, session: &mut Session, id: RequestId) {
        if let Some(request) = session.request(id) {
            self.give(request);
        }
    }
}

/// The caller is gone. Callbacks of the service may panic as its methods may.
fn lose(caller: &Caller) {
    let _panicked = guarded(|| {
        caller.lose();
        Ok(())
    });
}

impl Drop for Dispatcher {
    /// Nobody can be answered any more.
    fn drop(&mut self) {
        let parked = self.parked.values().map(|(_, caller)| caller);
        for caller in self.running.values().chain(parked) {
            lose(caller);
        }
    }
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("open", &self.open_requests()).finish_non_exhaustive()
    }
}

/// What is answered later, from any thread, until the session takes it.
struct Later {
    queue: Mutex<Queue>,
    /// Asks for it to be taken.
    wake: Mutex<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Queue {
    waiting: HashMap<RequestId, Waiting>,
    /// Requests of which something was answered since the session was given it.
    touched: Vec<RequestId>,
}

/// What waits of one request.
#[derive(Default)]
struct Waiting {
    items: VecDeque<Args>,
    end: Option<End>,
    /// Who answers wants to hear when there is room for more.
    was_blocked: bool,
}

impl Later {
    /// So many items of a request wait for the session at most.
    const MOST_ITEMS: usize = 64;

    fn take_touched(&self) -> Vec<RequestId> {
        std::mem::take(&mut self.queue.lock().touched)
    }

    fn forget(&self, id: RequestId) {
        let forgotten = self.queue.lock().waiting.remove(&id);
        drop(forgotten);
    }

    /// Asks for what was answered to be taken, unless somebody has asked already.
    fn wake(&self, is_first: bool) {
        let wake = Arc::clone(&self.wake.lock());
        if is_first {
            wake();
        }
    }
}

impl Answers for Later {
    fn send_all(&self, id: RequestId, items: &mut VecDeque<Args>) {
        let mut queue = self.queue.lock();
        let Queue { waiting, touched } = &mut *queue;
        let waiting = waiting.entry(id).or_default();
        let room = Self::MOST_ITEMS.saturating_sub(waiting.items.len());
        waiting.items.extend(items.drain(..room.min(items.len())));
        waiting.was_blocked |= !items.is_empty();
        let is_first = touched.is_empty();
        touched.push(id);
        drop(queue);
        self.wake(is_first);
    }

    fn has_room(&self, id: RequestId) -> bool {
        let mut queue = self.queue.lock();
        let Some(waiting) = queue.waiting.get_mut(&id) else { return true };
        let has_room = waiting.items.len() < Self::MOST_ITEMS;
        waiting.was_blocked |= !has_room;
        has_room
    }

    fn end(&self, id: RequestId, end: End) {
        let mut queue = self.queue.lock();
        queue.waiting.entry(id).or_default().end = Some(end);
        let is_first = queue.touched.is_empty();
        queue.touched.push(id);
        drop(queue);
        self.wake(is_first);
    }
}
