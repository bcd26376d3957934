//! Sockets whose events nobody answers: a thread of their own, which may have to wait for a puller.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
};

use zerorpc::{Error, LinkControl, Publisher, Pusher};

use super::{event::Event, orders::Message};

/// A socket that only sends.
pub(super) enum OneWaySender {
    Pusher(Pusher),
    Publisher(Publisher),
}

impl OneWaySender {
    pub(super) fn endpoints(&self) -> &[String] {
        match self {
            Self::Pusher(pusher) => pusher.endpoints(),
            Self::Publisher(publisher) => publisher.endpoints(),
        }
    }

    pub(super) fn links(&self) -> LinkControl<'_> {
        match self {
            Self::Pusher(pusher) => pusher.links(),
            Self::Publisher(publisher) => publisher.links(),
        }
    }

    fn emit(&self, event: &Message) -> Result<(), Error> {
        let Message { context, method, args, .. } = event;
        match self {
            Self::Pusher(pusher) => pusher.with(context.clone()).push(method, args.clone()),
            Self::Publisher(publisher) => {
                publisher.with(context.clone()).publish(method, args.clone())
            }
        }
    }

    fn close(&self) {
        match self {
            Self::Pusher(pusher) => pusher.close(),
            Self::Publisher(publisher) => publisher.close(),
        }
    }
}

/// Sends events, one after the other.
pub(super) struct Emitter {
    pub(super) sender: Arc<OneWaySender>,
    jobs: Sender<(u64, Message)>,
    thread: JoinHandle<()>,
}

impl Emitter {
    /// Starts the thread; it reports each event to the dispatcher.
    pub(super) fn start(sender: OneWaySender, dispatcher: Sender<Event>) -> io::Result<Self> {
        let sender = Arc::new(sender);
        let (jobs, inbox) = channel::<(u64, Message)>();
        let socket = Arc::clone(&sender);
        let thread = thread::Builder::new().name("zerorpc-emitter".into()).spawn(move || {
            for (number, event) in inbox {
                // Fails after the end only.
                let _ = dispatcher.send(Event::Emitted { number, outcome: socket.emit(&event) });
            }
        })?;
        Ok(Self { sender, jobs, thread })
    }

    /// Sends an event, after those before it.
    pub(super) fn emit(&self, number: u64, event: Message) {
        // The thread ends with the sender.
        let _ = self.jobs.send((number, event));
    }

    /// Closes the socket; what waits to be sent is refused. The thread, which is returned, lingers a moment.
    pub(super) fn close(self) -> JoinHandle<()> {
        self.sender.close();
        self.thread
    }
}
