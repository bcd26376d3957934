//! A client and a server in memory, and what they do together.

use std::time::{Duration, Instant};

use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, DEFAULT_HEARTBEAT, RequestId, Session,
};

use crate::{
    Error, Meter, Side, Unwatched,
    node::Node,
    wire::{self, Cover},
};

/// A client and a server, and all that is between them.
#[derive(Debug)]
pub struct Pair {
    client: Node,
    server: Node,
    options: CallOptions,
    now: Instant,
    /// How much time passes with each [`tick`](Self::tick).
    tick: Duration,
    bytes: Vec<u8>,
}

/// A stream that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    call: CallId,
    request: RequestId,
}

impl Pair {
    /// Two sessions, whose messages go from one to the other as they are.
    #[must_use]
    pub fn of_sessions() -> Self {
        let now = Instant::now();
        let client = Node::new(Side::Client, Session::new(Config::client(1)), None, now);
        let server = Node::new(Side::Server, Session::new(Config::server(2)), None, now);
        Self::new(client, server, now)
    }

    /// Two sessions, each with an engine, between which bytes go.
    ///
    /// # Errors
    /// When the engines do not understand each other.
    pub fn of_engines() -> Result<Self, Error> {
        let now = Instant::now();
        let [dealer, router] = wire::shaken(now, Cover::None)?;
        let client = Node::new(Side::Client, Session::new(Config::client(1)), Some(dealer), now);
        let server = Node::new(Side::Server, Session::new(Config::server(2)), Some(router), now);
        Ok(Self::new(client, server, now))
    }

    fn new(client: Node, server: Node, now: Instant) -> Self {
        let options = CallOptions::default();
        Self { client, server, options, now, tick: Duration::ZERO, bytes: Vec::new() }
    }

    /// Opens so many calls that stay open without an answer, spread evenly over one heartbeat interval. From
    /// now on, one of them is due with each [`tick`](Self::tick).
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn hold(&mut self, calls: u32) -> Result<(), Error> {
        self.tick = DEFAULT_HEARTBEAT / calls;
        let options = CallOptions::new().timeout(None);
        for number in 0..calls {
            self.now += self.tick;
            self.client.open(self.now, "wait", number.into(), &options)?;
            self.carry(&mut Unwatched, Side::Client)?;
            self.server.requested()?;
        }
        Ok(())
    }

    /// The connection between the two ends, and with it everything that is open, on both sides.
    ///
    /// # Errors
    /// When something else is left than what the calls were.
    pub fn part(&mut self, meter: &mut impl Meter) -> Result<(), Error> {
        for node in [&mut self.client, &mut self.server] {
            meter.watch(node.side, || node.part(self.now))?;
        }
        Ok(())
    }

    /// One call of a small method: a number there and back.
    ///
    /// # Errors
    /// When the answer is not what was sent.
    pub fn call(&mut self, meter: &mut impl Meter, number: u64) -> Result<(), Error> {
        let Self { client, options, now, .. } = self;
        let call = meter.watch(Side::Client, || client.open(*now, "echo", number, options))?;
        self.carry(meter, Side::Client)?;
        meter.watch(Side::Server, || self.server.echo())?;
        self.carry(meter, Side::Server)?;
        let answer = meter.watch(Side::Client, || match self.client.told_answer(call)? {
            Answer::Value(value) => decoded(&value),
            other => Err(format!("a value was expected, not {other:?}").into()),
        })?;
        expect(answer, number)
    }

    /// Opens a stream, of which nothing has been sent.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_stream(&mut self) -> Result<Stream, Error> {
        let call = self.client.open(self.now, "numbers", 0, &self.options)?;
        self.carry(&mut Unwatched, Side::Client)?;
        Ok(Stream { call, request: self.server.requested()? })
    }

    /// One item of a stream, asked for before it is there. Asking grants credit from time to time.
    ///
    /// # Errors
    /// When the item is not what was sent.
    pub fn item(
        &mut self,
        meter: &mut impl Meter,
        stream: Stream,
        number: u64,
    ) -> Result<(), Error> {
        let Stream { call, request } = stream;
        let early = meter.watch(Side::Client, || self.client.ask(call))?;
        if let Some(early) = early {
            return Err(format!("nothing was sent, yet there is {early:?}").into());
        }
        self.carry(meter, Side::Client)?;
        meter.watch(Side::Server, || self.server.send_item(request, number))?;
        self.carry(meter, Side::Server)?;
        let item = meter.watch(Side::Client, || match self.client.told_answer(call)? {
            Answer::Item(item) => decoded(&item),
            other => Err(format!("an item was expected, not {other:?}").into()),
        })?;
        expect(item, number)
    }

    /// Lets time pass until the next of the [held](Self::hold) calls is due, on both sides: each sends a beat
    /// and hears one.
    ///
    /// # Errors
    /// When somebody was lost.
    pub fn tick(&mut self, meter: &mut impl Meter) -> Result<(), Error> {
        self.now += self.tick;
        for node in [&mut self.client, &mut self.server] {
            meter.watch(node.side, || node.session.handle_timeout(self.now));
        }
        let beats = [Side::Client, Side::Server].map(|side| self.carry(meter, side));
        for (beats, node) in beats.into_iter().zip([&mut self.client, &mut self.server]) {
            let (beats, notice) = (beats?, node.session.poll_notice());
            if beats != 1 || notice.is_some() {
                return Err(format!("{beats} beats instead of one, and {notice:?}").into());
            }
        }
        Ok(())
    }

    /// Carries whatever one side has to say to the other, and returns in how many pieces it came.
    fn carry(&mut self, meter: &mut impl Meter, from: Side) -> Result<usize, Error> {
        let (from, to) = match from {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        };
        let mut pieces = 0;
        loop {
            self.bytes.clear();
            meter.watch(from.side, || from.write(&mut self.bytes));
            if self.bytes.is_empty() {
                return Ok(pieces);
            }
            pieces += 1;
            meter.watch(to.side, || to.read(self.now, &self.bytes))?;
        }
    }
}

/// The number in a value, or in the arguments that an item consists of.
fn decoded(value: &Args) -> Result<u64, Error> {
    Ok(value.decode()?)
}

fn expect(found: u64, sent: u64) -> Result<(), Error> {
    if found == sent { Ok(()) } else { Err(format!("{sent} has become {found}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_pairs_talk() -> Result<(), Error> {
        for mut pair in [Pair::of_sessions(), Pair::of_engines()?] {
            let stream = pair.open_stream()?;
            for number in 0..300 {
                pair.call(&mut Unwatched, number)?;
                pair.item(&mut Unwatched, stream, number)?;
            }
        }
        Ok(())
    }

    #[test]
    fn each_held_call_beats_once_in_an_interval() -> Result<(), Error> {
        for mut pair in [Pair::of_sessions(), Pair::of_engines()?] {
            pair.hold(50)?;
            for _ in 0..200 {
                pair.tick(&mut Unwatched)?;
            }
            pair.part(&mut Unwatched)?;
        }
        Ok(())
    }
}
