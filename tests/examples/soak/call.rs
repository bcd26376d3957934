//! A caller of the soak.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Write},
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use futures_lite::Stream;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::json;
use zerorpc::{Client, Error, Pending, PendingStream};

use super::{Result, heap, seconds};

/// Between two short calls.
const PAUSE: Duration = Duration::from_millis(50);
/// How many bytes short calls carry, one after the other.
const SIZES: [usize; 4] = [10, 1_000, 10, 100_000];

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long, value_parser = seconds)]
    heartbeat: Duration,
    /// How often channels are looked at, and with that, how often each stream is read an item of.
    #[arg(long, value_parser = seconds)]
    pace: Duration,
    /// Channels to the server that stays; a tenth of them more to the other.
    #[arg(long)]
    channels: usize,
    /// Endpoints of the server that stays.
    #[arg(long)]
    steady: Vec<String>,
    /// Endpoints of the server that is restarted.
    #[arg(long)]
    restarted: Vec<String>,
}

/// What a caller has seen of one server so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Channels that are open now.
    pub(crate) open: usize,
    pub(crate) answered: u64,
    pub(crate) items: u64,
    /// Streams that were forgotten before their end.
    pub(crate) forgotten: u64,
    /// What calls ended with that were not answered.
    pub(crate) errors: BTreeMap<String, u64>,
}

/// What a caller has seen of both servers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) steady: Seen,
    pub(crate) restarted: Seen,
    /// What it has in use, in MiB.
    pub(crate) heap: f64,
}

/// Calls until its stdin ends; tells what it has seen for each line that comes there.
pub(crate) fn run(options: &Options) -> Result<()> {
    let few = options.channels.div_ceil(10);
    let steady = Load::new(&options.steady, options.heartbeat, options.channels)?;
    let restarted = Load::new(&options.restarted, options.heartbeat, few)?;
    println!("{}", json!({ "connecting": true }));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for load in [&steady, &restarted] {
            scope.spawn(|| load.hold(options.pace, &done));
            scope.spawn(|| load.call(&done));
        }
        let answered = io::stdin().lock().lines().try_for_each(|line| {
            line?;
            let [steady, restarted] = [&steady, &restarted].map(Load::seen);
            let report = Report { steady, restarted, heap: heap() };
            writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)
        });
        done.store(true, Ordering::SeqCst);
        answered
    })?;
    Ok(())
}

/// A client and what it has been told to keep open.
struct Load {
    client: Client,
    channels: usize,
    seen: Mutex<Seen>,
}

impl Load {
    fn new(endpoints: &[String], heartbeat: Duration, channels: usize) -> Result<Self> {
        // Answers may take their time: it is silence that loses them.
        let builder = Client::builder().heartbeat(heartbeat).timeout(None);
        let builder = endpoints.iter().fold(builder, |builder, endpoint| builder.connect(endpoint));
        Ok(Self { client: builder.build()?, channels, seen: Mutex::default() })
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn failed(&self, error: &Error) {
        let kind = match error {
            Error::LostRemote { .. } => "lost".to_owned(),
            Error::Timeout { .. } => "timed out".to_owned(),
            Error::Unreachable { .. } => "unreachable".to_owned(),
            other => other.to_string(),
        };
        self.note(|seen| *seen.errors.entry(kind).or_default() += 1);
    }

    /// Short calls, one after the other.
    fn call(&self, done: &AtomicBool) {
        for size in SIZES.into_iter().cycle() {
            if done.load(Ordering::SeqCst) {
                return;
            }
            let value = ByteBuf::from(vec![size as u8; size]);
            match self.client.call::<ByteBuf>("echo", (&value,)) {
                Ok(echo) if echo == value => self.note(|seen| seen.answered += 1),
                Ok(echo) => panic!("{} bytes of {size} came back", echo.len()),
                Err(error) => self.failed(&error),
            }
            thread::sleep(PAUSE);
        }
    }

    /// Keeps channels open.
    fn hold(&self, pace: Duration, done: &AtomicBool) {
        let mut held: Vec<Held> = (0..self.channels).map(|_| Held::None).collect();
        let mut begun = 0;
        while !done.load(Ordering::SeqCst) {
            for channel in &mut held {
                channel.look(self);
                if matches!(channel, Held::None) {
                    *channel = Held::begin(self, begun);
                    begun += 1;
                }
            }
            let open = held.iter().filter(|channel| !matches!(channel, Held::None)).count();
            self.note(|seen| seen.open = open);
            thread::sleep(pace);
        }
    }
}

/// A channel that is kept open.
enum Held {
    None,
    Call(Pending<()>),
    /// A stream, the item that is to come next, and the one that is awaited no more.
    Stream(PendingStream<u64>, u64, u64),
}

impl Held {
    fn begin(load: &Load, number: u64) -> Self {
        let begun = match number % 2 {
            0 => load.client.start("later", ()).map(Self::Call),
            // Some are forgotten soon, others stay for a while: for so short a time that the load is the same all along.
            _ => load.client.start_stream("ticks", ()).map(|stream| {
                let items = 10 << (number / 2 % 4);
                Self::Stream(stream, 0, items)
            }),
        };
        begun.unwrap_or_else(|error| {
            load.failed(&error);
            Self::None
        })
    }

    /// Takes what has come, of streams one item at most.
    fn look(&mut self, load: &Load) {
        let mut context = Context::from_waker(Waker::noop());
        match self {
            Self::None => {}
            Self::Call(call) => match Future::poll(Pin::new(call), &mut context) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => load.note(|seen| seen.answered += 1),
                Poll::Ready(Err(error)) => load.failed(&error),
            },
            Self::Stream(stream, next, end) => match Pin::new(stream).poll_next(&mut context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(item))) => {
                    assert_eq!(item, *next, "items come in order");
                    *next += 1;
                    load.note(|seen| seen.items += 1);
                    if next < end {
                        return;
                    }
                    load.note(|seen| seen.forgotten += 1);
                }
                Poll::Ready(Some(Err(error))) => load.failed(&error),
                Poll::Ready(None) => load.failed(&Error::NotStream { method: "ticks".into() }),
            },
        }
        *self = Self::None;
    }
}
