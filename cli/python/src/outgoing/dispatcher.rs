//! The thread that works all sockets of a child.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender},
    },
    task::{Context, Poll, Wake, Waker},
    thread::JoinHandle,
};

use bytes::Bytes;
use tracing::warn;
use zerorpc::{Answer, Error, Pending, RawStream};

use super::{
    answers,
    event::Event,
    orders::{self, Choices, Link, Message, Wrong},
    socket::Socket,
};

/// How many items of a stream the child takes unasked: as many as `link.py` says, where the reason stands.
const WINDOW: u64 = 64;

type Send = Box<dyn Fn(u8, u64, Bytes) + std::marker::Send>;

/// Everything that is open, by the child's numbers.
pub(super) struct Dispatcher {
    send: Send,
    events: Sender<Event>,
    sockets: HashMap<u64, Socket>,
    requests: HashMap<u64, Request>,
    /// Threads of closed sockets.
    lingering: Vec<JoinHandle<()>>,
}

/// A call that is under way.
struct Request {
    socket: u64,
    stage: Stage,
    /// How many items the child takes.
    credit: u64,
    notifier: Arc<Notifier>,
}

enum Stage {
    Asked(Pending<Answer>),
    Streaming(RawStream),
}

/// Wakes the dispatcher for a request.
struct Notifier {
    number: u64,
    events: Sender<Event>,
    /// It has told, and the dispatcher has not looked yet.
    is_notified: AtomicBool,
}

impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        if !self.is_notified.swap(true, Ordering::AcqRel) {
            // Fails after the end only.
            let _ = self.events.send(Event::Ready(self.number));
        }
    }
}

impl Dispatcher {
    pub(super) fn new(send: Send, events: Sender<Event>) -> Self {
        Self {
            send,
            events,
            sockets: HashMap::new(),
            requests: HashMap::new(),
            lingering: Vec::new(),
        }
    }

    /// Works until it is over.
    pub(super) fn run(mut self, inbox: &Receiver<Event>) {
        for event in inbox {
            match event {
                Event::Frame { kind, number, body } => self.take(kind, number, body),
                Event::Ready(number) => self.advance(number),
                Event::Emitted { number, outcome } => self.confirm(number, outcome.map(|()| None)),
                Event::Close => break,
            }
        }
        self.requests.clear();
        for (_, socket) in self.sockets.drain() {
            self.lingering.extend(socket.close());
        }
        for thread in self.lingering {
            // What a thread panicked of was said by the panic.
            let _ = thread.join();
        }
    }

    fn take(&mut self, kind: u8, number: u64, body: Bytes) {
        let done = match kind {
            orders::SOCKET => self.open_socket(number, body),
            orders::LINK => self.link(number, body),
            orders::REQUEST => self.request(number, body),
            orders::EMIT => self.emit(number, body),
            orders::GRANT => self.grant(number, body),
            orders::DROP => {
                self.requests.remove(&number);
                Ok(())
            }
            orders::CLOSE => {
                self.close_socket(number);
                Ok(())
            }
            _ => Err(format!("a frame of unknown kind {kind}")),
        };
        if let Err(wrong) = done {
            self.requests.remove(&number);
            self.answer(answers::ERROR, number, answers::local(&wrong));
        }
    }

    fn open_socket(&mut self, number: u64, body: Bytes) -> Result<(), Wrong> {
        match Choices::decode(body) {
            Ok(choices) => {
                self.sockets.insert(number, Socket::new(choices));
                Ok(())
            }
            Err(wrong) => {
                // Whoever links it hears that there is none.
                warn!("a Python method cannot open a socket: {wrong}");
                Ok(())
            }
        }
    }

    fn link(&mut self, number: u64, body: Bytes) -> Result<(), Wrong> {
        let link = Link::decode(body)?;
        let outcome = match self.sockets.get_mut(&link.socket) {
            Some(socket) => socket.link(&link, &self.events),
            None => Err(gone()),
        };
        self.confirm(number, outcome);
        Ok(())
    }

    fn request(&mut self, number: u64, body: Bytes) -> Result<(), Wrong> {
        let call = Message::decode_request(body)?;
        let begun = match self.sockets.get(&call.socket) {
            Some(socket) => socket.request(&call),
            None => Err(gone()),
        };
        match begun {
            Ok(pending) => {
                let events = self.events.clone();
                let notifier =
                    Arc::new(Notifier { number, events, is_notified: AtomicBool::new(false) });
                let stage = Stage::Asked(pending);
                let request = Request { socket: call.socket, stage, credit: WINDOW, notifier };
                self.requests.insert(number, request);
                self.advance(number);
            }
            Err(error) => self.answer(answers::ERROR, number, answers::error(&error)),
        }
        Ok(())
    }

    fn emit(&mut self, number: u64, body: Bytes) -> Result<(), Wrong> {
        let event = Message::decode_event(body)?;
        let sent = match self.sockets.get(&event.socket) {
            Some(socket) => socket.emit(number, event),
            None => Err(gone()),
        };
        if let Err(error) = sent {
            self.confirm(number, Err(error));
        }
        Ok(())
    }

    fn grant(&mut self, number: u64, body: Bytes) -> Result<(), Wrong> {
        let items = orders::granted(body)?;
        if let Some(request) = self.requests.get_mut(&number) {
            request.credit = request.credit.saturating_add(items);
            self.advance(number);
        }
        Ok(())
    }

    fn close_socket(&mut self, number: u64) {
        let ended: Vec<u64> = self
            .requests
            .iter()
            .filter(|(_, request)| request.socket == number)
            .map(|(number, _)| *number)
            .collect();
        for request in ended {
            self.requests.remove(&request);
            self.answer(answers::ERROR, request, answers::closed());
        }
        if let Some(socket) = self.sockets.remove(&number) {
            self.lingering.retain(|thread| !thread.is_finished());
            self.lingering.extend(socket.close());
        }
    }

    /// Passes on what has come for a request, as far as the child takes it.
    fn advance(&mut self, number: u64) {
        while let Some(request) = self.requests.get_mut(&number) {
            let Poll::Ready((kind, body)) = request.poll() else { return };
            if matches!(kind, answers::VALUE | answers::END | answers::ERROR) {
                self.requests.remove(&number);
            }
            self.answer(kind, number, body);
        }
    }

    fn confirm(&self, number: u64, outcome: Result<Option<String>, Error>) {
        match outcome {
            Ok(endpoint) => self.answer(answers::LINKED, number, answers::linked(endpoint)),
            Err(error) => self.answer(answers::ERROR, number, answers::error(&error)),
        }
    }

    fn answer(&self, kind: u8, number: u64, body: Bytes) {
        (self.send)(kind, number, body);
    }
}

impl Request {
    /// The next frame for the child, if there is one that it takes. Otherwise the notifier rings when there is.
    fn poll(&mut self) -> Poll<(u8, Bytes)> {
        // First, so that what comes while it looks is not missed.
        self.notifier.is_notified.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self.notifier));
        let mut context = Context::from_waker(&waker);
        match &mut self.stage {
            Stage::Asked(pending) => {
                Pin::new(pending).poll(&mut context).map(|answer| match answer {
                    Ok(Answer::Value(value)) => (answers::VALUE, value.into_bytes()),
                    Ok(Answer::Stream(stream)) => {
                        self.stage = Stage::Streaming(stream);
                        (answers::STREAM, Bytes::new())
                    }
                    Err(error) => (answers::ERROR, answers::error(&error)),
                })
            }
            // What the child does not take is not asked for.
            Stage::Streaming(_) if self.credit == 0 => Poll::Pending,
            Stage::Streaming(stream) => stream.poll_next(&context).map(|item| match item {
                Some(Ok(item)) => {
                    self.credit -= 1;
                    (answers::ITEM, item.into_bytes())
                }
                Some(Err(error)) => (answers::ERROR, answers::error(&error)),
                None => (answers::END, Bytes::new()),
            }),
        }
    }
}

/// A socket that is closed, or could not be opened.
fn gone() -> Error {
    Error::Closed { endpoint: String::new() }
}
