//! One socket: made with its first link, for without one it has no use.

use std::{sync::mpsc::Sender, thread::JoinHandle};

use zerorpc::{
    Answer, Client, Error, HeartbeatMode, LinkControl, Pending, Publisher, Pusher, SocketConfig,
};

use super::{
    emitter::{Emitter, OneWaySender},
    event::Event,
    orders::{Change, Choices, Link, Message, Role},
};

/// A socket of the child's.
pub(super) struct Socket {
    choices: Choices,
    open: Option<Open>,
}

enum Open {
    Client(Client),
    Emitter(Emitter),
}

impl Socket {
    pub(super) fn new(choices: Choices) -> Self {
        Self { choices, open: None }
    }

    /// Changes the links; gives the endpoint as it is now, where it is linked.
    pub(super) fn link(
        &mut self,
        link: &Link,
        dispatcher: &Sender<Event>,
    ) -> Result<Option<String>, Error> {
        let Link { change, endpoint, .. } = link;
        let links = match &self.open {
            Some(Open::Client(client)) => client.links(),
            Some(Open::Emitter(emitter)) => emitter.sender.links(),
            None => return self.open(*change, endpoint, dispatcher),
        };
        relink(&links, *change, endpoint)
    }

    fn open(
        &mut self,
        change: Change,
        endpoint: &str,
        dispatcher: &Sender<Event>,
    ) -> Result<Option<String>, Error> {
        if let Change::Unbind | Change::Disconnect = change {
            return Err(Error::NoEndpoint);
        }
        let binds = change == Change::Bind;
        let links = SocketConfig::new();
        let links = if binds { links.bind(endpoint) } else { links.connect(endpoint) };
        let sender = match self.choices.role {
            Role::Client => {
                let client = self.client(endpoint, binds)?;
                let bound = client.endpoints().first().cloned();
                self.open = Some(Open::Client(client));
                return Ok(bound.or_else(|| Some(endpoint.to_owned())));
            }
            Role::Pusher => OneWaySender::Pusher(Pusher::open(&links)?),
            Role::Publisher => OneWaySender::Publisher(Publisher::open(&links)?),
        };
        let bound = sender.endpoints().first().cloned();
        let emitter = Emitter::start(sender, dispatcher.clone())
            .map_err(|error| Error::Thread(error.to_string()))?;
        self.open = Some(Open::Emitter(emitter));
        Ok(bound.or_else(|| Some(endpoint.to_owned())))
    }

    fn client(&self, endpoint: &str, binds: bool) -> Result<Client, Error> {
        let Choices { timeout, heartbeat, passive, slots, .. } = &self.choices;
        let mode = if *passive { HeartbeatMode::Passive } else { HeartbeatMode::Active };
        let mut builder = Client::builder().heartbeat_mode(mode);
        if let Some(timeout) = timeout {
            builder = builder.timeout(*timeout);
        }
        if let Some(heartbeat) = heartbeat {
            builder = builder.heartbeat(*heartbeat);
        }
        if let Some(slots) = slots {
            builder = builder.slots(*slots);
        }
        if binds { builder.bind(endpoint) } else { builder.connect(endpoint) }.build()
    }

    /// Begins a call.
    pub(super) fn request(&self, call: &Message) -> Result<Pending<Answer>, Error> {
        match &self.open {
            Some(Open::Client(client)) => {
                client.with(call.options.clone()).start(&call.method, call.args.clone())
            }
            Some(Open::Emitter(_)) | None => Err(Error::NoEndpoint),
        }
    }

    /// Sends an event, which the dispatcher hears of.
    pub(super) fn emit(&self, number: u64, event: Message) -> Result<(), Error> {
        match &self.open {
            Some(Open::Emitter(emitter)) => {
                emitter.emit(number, event);
                Ok(())
            }
            Some(Open::Client(_)) | None => Err(Error::NoEndpoint),
        }
    }

    /// Closes the socket; gives the thread that lingers for what was not sent yet, if there is one.
    pub(super) fn close(self) -> Option<JoinHandle<()>> {
        match self.open {
            Some(Open::Emitter(emitter)) => Some(emitter.close()),
            Some(Open::Client(_)) | None => None,
        }
    }
}

fn relink(
    links: &LinkControl<'_>,
    change: Change,
    endpoint: &str,
) -> Result<Option<String>, Error> {
    match change {
        Change::Bind => links.bind(endpoint).map(Some),
        Change::Connect => links.connect(endpoint).map(|()| Some(endpoint.to_owned())),
        Change::Unbind => links.unbind(endpoint).map(|()| None),
        Change::Disconnect => links.disconnect(endpoint).map(|()| None),
    }
}
