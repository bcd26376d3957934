//! What went over the wire in both directions, with times, to be printed when a case fails.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::event::{Event, shown_bytes};

/// More than this is not kept of one case: floods would fill the memory of the judge.
const MOST_BYTES: usize = 256 * 1024;
const MOST_ENTRIES: usize = 2000;

/// Who said something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// The case, to the implementation under test.
    Sent,
    /// The implementation under test.
    Received,
}

#[derive(Debug)]
enum What {
    /// The first of them, and how many there were.
    Bytes(Direction, Vec<u8>, usize),
    Frames(Direction, Vec<Vec<u8>>),
    Note(String),
}

#[derive(Debug)]
struct Entry {
    at: Duration,
    connection: u32,
    what: What,
}

#[derive(Debug)]
struct Entries {
    list: Vec<Entry>,
    bytes: usize,
    left_out: usize,
}

/// The record of one case, shared by all of its connections.
#[derive(Clone, Debug)]
pub struct Transcript {
    start: Instant,
    entries: Arc<Mutex<Entries>>,
}

impl Default for Transcript {
    fn default() -> Self {
        let entries = Entries { list: Vec::new(), bytes: 0, left_out: 0 };
        Self { start: Instant::now(), entries: Arc::new(Mutex::new(entries)) }
    }
}

impl Transcript {
    /// Bytes that are no whole frames: greetings, commands in the making, broken ones.
    pub fn bytes(&self, connection: u32, direction: Direction, bytes: &[u8]) {
        let kept = bytes[..bytes.len().min(4096)].to_vec();
        self.add(connection, kept.len(), What::Bytes(direction, kept, bytes.len()));
    }

    /// A whole message.
    pub fn frames(&self, connection: u32, direction: Direction, frames: &[impl AsRef<[u8]>]) {
        let size = frames.iter().map(|frame| frame.as_ref().len()).sum();
        let frames = frames.iter().map(|frame| frame.as_ref().to_vec()).collect();
        self.add(connection, size, What::Frames(direction, frames));
    }

    /// Something else that happened: a connection ended, a process was killed.
    pub fn note(&self, connection: u32, words: impl Into<String>) {
        self.add(connection, 0, What::Note(words.into()));
    }

    fn add(&self, connection: u32, size: usize, what: What) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.bytes + size > MOST_BYTES || entries.list.len() >= MOST_ENTRIES {
            entries.left_out += 1;
            return;
        }
        entries.bytes += size;
        entries.list.push(Entry { at: self.start.elapsed(), connection, what });
    }

    /// All of it, a line for each entry.
    #[must_use]
    pub fn render(&self) -> String {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for entry in &entries.list {
            let seconds = entry.at.as_secs_f64();
            let words = match &entry.what {
                What::Bytes(direction, bytes, count) => format!(
                    "{} {}{}",
                    arrow(*direction),
                    shown_bytes(bytes),
                    if *count > bytes.len() {
                        format!(", {count} bytes in all")
                    } else {
                        String::new()
                    }
                ),
                What::Frames(direction, frames) => {
                    format!("{} {}", arrow(*direction), shown_frames(frames))
                }
                What::Note(words) => format!("-- {words}"),
            };
            // Writing to a String does not fail.
            let _ = writeln!(text, "{seconds:9.3} #{} {words}", entry.connection);
        }
        if entries.left_out > 0 {
            let _ = writeln!(text, "          … and {} more", entries.left_out);
        }
        text
    }
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Sent => ">>",
        Direction::Received => "<<",
    }
}

fn shown_frames(frames: &[Vec<u8>]) -> String {
    let Some((payload, envelope)) = frames.split_last() else { return "no frames".to_owned() };
    let mut words = String::new();
    for frame in envelope {
        words.push_str(&shown_bytes(frame));
        words.push(' ');
    }
    match Event::decode(payload) {
        Ok(event) => words.push_str(&event.to_string()),
        Err(_) => words.push_str(&shown_bytes(payload)),
    }
    words
}
