//! A proxy between two peers that judges what it passes on.
//!
//! Two threads for each connection pass bytes on, unchanged. What they have read goes to the judge first: in its queue, the
//! bytes of one side stand before whatever the other side answers to them. So the judge need not keep up, and what was
//! answered was asked.

mod link;

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::watch::{Connection, Settings, Side, Sighting, Tally, View, Voice, What};
use link::{Listener, Stream, Target};

/// How often time is told to the judge while nothing comes.
const TICK: Duration = Duration::from_millis(50);

/// So many chunks may wait for the judge; then reading waits.
const QUEUE: usize = 256;

/// One read.
const CHUNK: usize = 64 << 10;

/// What the threads that pass bytes on tell the judge.
#[derive(Debug)]
enum Word {
    Opened { connection: u32, at: Duration },
    Refused { connection: u32, at: Duration, why: String },
    Heard { connection: u32, side: Side, at: Duration, bytes: Vec<u8> },
    Ended { connection: u32, side: Side, at: Duration },
    Stop,
}

/// A proxy that listens, and has not begun to pass anything on.
#[derive(Debug)]
pub struct Proxy {
    listener: Listener,
    target: Target,
    words: (SyncSender<Word>, Receiver<Word>),
}

/// Ends a proxy.
#[derive(Clone, Debug)]
pub struct Stopper(SyncSender<Word>);

impl Stopper {
    /// Has [`Proxy::run`] return.
    pub fn stop(&self) {
        let _ = self.0.send(Word::Stop);
    }
}

impl Proxy {
    /// Listens at one endpoint, for connections that are to be made to the other.
    ///
    /// # Errors
    /// In words, when an endpoint is none, or nobody can listen there.
    pub fn bind(listen: &str, target: &str) -> Result<Self, String> {
        let target = Target::read(target)?;
        let listener = Listener::bind(listen)?;
        Ok(Self { listener, target, words: sync_channel(QUEUE) })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.listener.endpoint()
    }

    /// What ends it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper(self.words.0.clone())
    }

    /// Passes on and judges until it is stopped or, with `once`, until all of at least one connection have ended.
    ///
    /// # Errors
    /// In words, when what is seen cannot be told.
    pub fn run(
        self,
        settings: Settings,
        once: bool,
        voice: &Voice,
        out: &mut impl Write,
    ) -> Result<Tally, String> {
        let Self { listener, target, words: (sender, words) } = self;
        let start = Instant::now();
        let done = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&done);
        let acceptor = thread::spawn(move || accept(&listener, &target, &sender, start, &is_done));
        let mut judge =
            Judge { settings, voice, out, tally: Tally::default(), open: BTreeMap::new() };
        let told = judge.run(&words, start, once);
        done.store(true, Ordering::Release);
        // Whoever waits for room in the queue has none to wait for any more.
        drop(words);
        let _ = acceptor.join();
        told.map_err(|error| format!("what was seen cannot be written: {error}"))?;
        Ok(judge.tally)
    }
}

/// Takes connections until it is told that all is over.
fn accept(
    listener: &Listener,
    target: &Target,
    words: &SyncSender<Word>,
    start: Instant,
    is_done: &AtomicBool,
) {
    let mut connection = 0;
    while !is_done.load(Ordering::Acquire) {
        let near = match listener.accept(TICK) {
            Ok(Some(near)) => near,
            Ok(None) => continue,
            Err(error) => {
                let why = format!("a connection cannot be taken: {error}");
                let _ = words.send(Word::Refused { connection, at: start.elapsed(), why });
                thread::sleep(TICK);
                continue;
            }
        };
        connection += 1;
        let words = words.clone();
        let target = target.clone();
        // Names may take their time to be looked up: others are accepted meanwhile.
        thread::spawn(move || {
            let opened = words.send(Word::Opened { connection, at: start.elapsed() });
            let far = opened.map_err(|_| "nobody listens any more".to_owned()).and_then(|()| {
                let far = target.connect()?;
                let copies = near.copy().and_then(|near| Ok((near, far.copy()?)));
                copies.map(|copies| (far, copies)).map_err(|error| error.to_string())
            });
            match far {
                Ok((far, (near_copy, far_copy))) => {
                    let back = words.clone();
                    thread::spawn(move || {
                        pass_on(far, near_copy, &back, connection, Side::Listener, start);
                    });
                    pass_on(near, far_copy, &words, connection, Side::Connector, start);
                }
                Err(why) => {
                    let _ = words.send(Word::Refused { connection, at: start.elapsed(), why });
                }
            }
        });
    }
}

/// Passes on what one side sends, until it or the other has ended.
fn pass_on(
    mut from: Stream,
    mut to: Stream,
    words: &SyncSender<Word>,
    connection: u32,
    side: Side,
    start: Instant,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match from.read(&mut chunk) {
            Ok(0) => {
                let _ = words.send(Word::Ended { connection, side, at: start.elapsed() });
                to.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let bytes = chunk[..count].to_vec();
        // Once nobody judges any more, the bytes are passed on all the same.
        let _ = words.send(Word::Heard { connection, side, at: start.elapsed(), bytes });
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    let _ = words.send(Word::Ended { connection, side, at: start.elapsed() });
    from.shutdown(Shutdown::Both);
    to.shutdown(Shutdown::Both);
}

struct Judge<'a, W> {
    settings: Settings,
    voice: &'a Voice,
    out: &'a mut W,
    tally: Tally,
    open: BTreeMap<u32, Connection>,
}

impl<W: Write> Judge<'_, W> {
    fn run(&mut self, words: &Receiver<Word>, start: Instant, once: bool) -> io::Result<()> {
        let mut ticked = Duration::ZERO;
        loop {
            // Time passes when all that came until then was heard.
            let (word, now) = match words.recv_timeout(TICK) {
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(word) => {
                    let at = word.at();
                    (Some(word), at)
                }
                Err(RecvTimeoutError::Timeout) => (None, start.elapsed().saturating_sub(TICK)),
            };
            if now > ticked + TICK {
                ticked = now;
                self.tick(now)?;
            }
            if let Some(word) = word {
                self.take(word)?;
                if once && self.tally.connections > 0 && self.open.is_empty() {
                    break;
                }
            }
        }
        self.tally.events += self.open.values().map(Connection::events).sum::<u64>();
        self.tally.unread += self.open.values().filter(|it| it.is_unread()).count() as u64;
        Ok(())
    }

    fn tick(&mut self, now: Duration) -> io::Result<()> {
        for (number, connection) in &mut self.open {
            connection.tick(now);
            let seen = connection.take_sightings();
            self.voice.tell(self.out, &mut self.tally, *number, &seen)?;
        }
        self.out.flush()
    }

    fn take(&mut self, word: Word) -> io::Result<()> {
        let number = match word {
            Word::Opened { connection, at } => {
                let view = View { both: true, whole: true };
                self.open.insert(connection, Connection::new(view, self.settings, at));
                self.tally.connections += 1;
                return Ok(());
            }
            Word::Refused { connection, at, why } => {
                self.open.remove(&connection);
                let note = Sighting { at, who: None, what: What::Note(why) };
                return self.voice.tell(self.out, &mut self.tally, connection, &[note]);
            }
            Word::Heard { connection, side, at, ref bytes } => {
                if let Some(it) = self.open.get_mut(&connection) {
                    it.hear(side, at, bytes);
                }
                connection
            }
            Word::Ended { connection, side, at } => {
                if let Some(it) = self.open.get_mut(&connection) {
                    it.end_of(side, at);
                }
                connection
            }
            Word::Stop => return Ok(()),
        };
        let Some(connection) = self.open.get_mut(&number) else { return Ok(()) };
        let seen = connection.take_sightings();
        self.voice.tell(self.out, &mut self.tally, number, &seen)?;
        if connection.has_ended() {
            self.tally.events += connection.events();
            self.tally.unread += u64::from(connection.is_unread());
            self.open.remove(&number);
        }
        Ok(())
    }
}

impl Word {
    fn at(&self) -> Duration {
        match self {
            Self::Opened { at, .. }
            | Self::Refused { at, .. }
            | Self::Heard { at, .. }
            | Self::Ended { at, .. } => *at,
            Self::Stop => Duration::ZERO,
        }
    }
}
