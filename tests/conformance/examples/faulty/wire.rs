//! The bytes of a connection, between the core and the stream: a fault rewrites them frame by frame.
//!
//! It speaks of ZMTP 3 alone. A peer that says something else is left to the core.

use std::{io, net::TcpStream};

use super::fault::{Hook, OfFrames};

pub(crate) const MORE: u8 = 1;
pub(crate) const LONG: u8 = 2;
pub(crate) const COMMAND: u8 = 4;

const GREETING: usize = 64;
const SIGNATURE: usize = 10;

/// A frame, commands too.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) flags: u8,
    pub(crate) body: Vec<u8>,
}

/// What a fault of the wire keeps.
#[derive(Debug, Default)]
pub(crate) struct WireMemory {
    /// For whatever it counts.
    pub(crate) count: u64,
    /// Whether the last frame has announced another one.
    pub(crate) is_amid: bool,
    /// How often anything was read.
    pub(crate) reads: u64,
}

/// What becomes of a frame that has come.
#[derive(Debug)]
pub(crate) enum Verdict {
    Keep(Frame),
    Close,
    Die,
}

impl Frame {
    pub(crate) fn is_command(&self) -> bool {
        self.flags & COMMAND != 0
    }

    /// Whether it is the command of this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.is_command()
            && self.body.first().copied() == u8::try_from(name.len()).ok()
            && self.body.get(1..=name.len()) == Some(name.as_bytes())
    }

    /// As it is to be.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags = self.flags & !LONG;
        match u8::try_from(self.body.len()) {
            Ok(size) => [&[flags, size], &self.body[..]].concat(),
            Err(_) => self.encode_long(),
        }
    }

    /// With eight bytes of size, however large it is.
    pub(crate) fn encode_long(&self) -> Vec<u8> {
        let size = (self.body.len() as u64).to_be_bytes();
        [&[self.flags | LONG], &size[..], &self.body].concat()
    }

    /// Takes the first frame out of what has come.
    fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let flags = *bytes.first()?;
        let (start, size): (usize, usize) = if flags & LONG == 0 {
            (2, usize::from(*bytes.get(1)?))
        } else {
            let size = u64::from_be_bytes(*bytes.get(1..)?.first_chunk()?);
            (9, usize::try_from(size).ok()?)
        };
        let body = bytes.get(start..start.checked_add(size)?)?.to_vec();
        bytes.drain(..start + size);
        Some(Self { flags, body })
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    hooks: &'static [Hook],
    /// How far the greetings have come.
    greeted: usize,
    heard: Vec<u8>,
    is_foreign: bool,
    is_past_greeting: bool,
    /// What the core said of which no frame is complete.
    said: Vec<u8>,
    /// Frames of messages that are not complete.
    leaving: Vec<Frame>,
    coming: Vec<Frame>,
    out_memory: WireMemory,
    in_memory: WireMemory,
    /// What waits to be written.
    queue: Vec<u8>,
}

impl Wire {
    /// None where no fault needs one.
    pub(crate) fn new(hooks: &'static [Hook]) -> Option<Self> {
        hooks.iter().any(Hook::is_of_wire).then(|| Self {
            hooks,
            greeted: 0,
            heard: Vec::new(),
            is_foreign: false,
            is_past_greeting: false,
            said: Vec::new(),
            leaving: Vec::new(),
            coming: Vec::new(),
            out_memory: WireMemory::default(),
            in_memory: WireMemory::default(),
            queue: Vec::new(),
        })
    }

    /// Takes what the core says.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let is_at_once = self.has(&|hook| matches!(hook, Hook::GreetingAtOnce));
        let mut rest = bytes;
        while self.greeted < GREETING
            && let Some((byte, others)) = rest.split_first()
        {
            let byte = self.hooks.iter().fold(*byte, |byte, hook| match hook {
                Hook::Greeting(change) => change(self.greeted, byte),
                _ => byte,
            });
            // What the core says later on has left already.
            if !is_at_once || self.greeted < SIGNATURE {
                self.queue.push(byte);
            }
            self.greeted += 1;
            rest = others;
            if is_at_once && self.greeted == SIGNATURE {
                self.queue.extend(rest_of_greeting());
            }
        }
        self.said.extend(rest);
        if self.is_foreign {
            self.queue.append(&mut self.said);
            return;
        }
        while let Some(frame) = Frame::take(&mut self.said) {
            self.say_frame(frame);
        }
    }

    fn say_frame(&mut self, frame: Frame) {
        let has_messages = self.has(&|hook| matches!(hook, Hook::MessagesOut(_)));
        if frame.is_command() || !has_messages {
            return self.write_frame(frame);
        }
        let changes = self.hooks.iter().filter_map(|hook| match hook {
            Hook::MessagesOut(change) => Some(*change),
            _ => None,
        });
        let frames = message(&mut self.leaving, frame, changes);
        frames.into_iter().for_each(|frame| self.write_frame(frame));
    }

    fn write_frame(&mut self, frame: Frame) {
        let mut hooks = self.hooks.iter();
        let change = hooks.find_map(|hook| match hook {
            Hook::FramesOut(change) => Some(*change),
            _ => None,
        });
        let bytes = match change {
            Some(change) => change(&mut self.out_memory, frame),
            None => frame.encode(),
        };
        self.queue.extend(bytes);
    }

    fn has(&self, is: &dyn Fn(&Hook) -> bool) -> bool {
        self.hooks.iter().any(is)
    }

    /// Takes what has come; what the core is to have of it, or `None` where the connection is to end.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let is_first = self.heard.is_empty() && !self.is_past_greeting;
        let is_short = |hook: &Hook| matches!(hook, Hook::FirstRead(most) if bytes.len() < *most);
        if is_first && self.has(&is_short) {
            return None;
        }
        let greeted = self.heard.len();
        self.heard.extend(bytes);
        self.in_memory.reads += 1;
        let mut out = Vec::new();
        if self.is_foreign {
            return Some(std::mem::take(&mut self.heard));
        }
        if !self.is_past_greeting {
            // All that has come goes to the core at once, and is looked at when it is complete.
            out.extend(self.greeting_heard(greeted, bytes));
            let is_old = self.heard.first() != Some(&0xff)
                || self.heard.get(9).is_some_and(|byte| byte & 1 == 0)
                || self.heard.get(10).is_some_and(|major| *major < 3);
            if !is_old && self.heard.len() < GREETING {
                return Some(out);
            }
            let refuses =
                |hook: &Hook| matches!(hook, Hook::GreetingIn(refuses) if refuses(&self.heard));
            if self.has(&refuses) {
                return None;
            }
            if is_old {
                self.is_foreign = true;
                self.heard.clear();
                self.queue.append(&mut self.said);
                return Some(out);
            }
            self.is_past_greeting = true;
            out.truncate(out.len() - (self.heard.len() - GREETING));
            self.heard.drain(..GREETING);
        }
        if self.hooks.iter().all(Hook::is_of_greeting) {
            out.append(&mut self.heard);
        }
        while let Some(frame) = Frame::take(&mut self.heard) {
            self.hear_frame(frame, &mut out)?;
        }
        if !self.heard.is_empty() && self.has(&|hook| matches!(hook, Hook::FramesWhole)) {
            return None;
        }
        Some(out)
    }

    /// What the core hears of a greeting of which so many bytes were there before.
    fn greeting_heard(&self, before: usize, bytes: &[u8]) -> Vec<u8> {
        let mut heard = bytes.to_vec();
        for hook in self.hooks {
            if let Hook::GreetingHeard(change) = hook {
                let greeting = heard.iter_mut().enumerate().take(GREETING.saturating_sub(before));
                greeting.for_each(|(at, byte)| *byte = change(before + at, *byte));
            }
        }
        heard
    }

    fn hear_frame(&mut self, frame: Frame, out: &mut Vec<u8>) -> Option<()> {
        let mut frame = frame;
        let is_command = frame.is_command();
        let is_amid = frame.flags & MORE != 0;
        for hook in self.hooks {
            if let Hook::Answers(answer) = hook {
                self.queue.extend(answer(&self.in_memory, &frame));
            }
            if let Hook::FramesIn(judge) = hook {
                match judge(&mut self.in_memory, frame) {
                    Verdict::Keep(kept) => frame = kept,
                    Verdict::Close => return None,
                    Verdict::Die => std::process::exit(70),
                }
            }
        }
        if !is_command {
            self.in_memory.is_amid = is_amid;
        }
        if is_command || !self.has(&|hook| matches!(hook, Hook::MessagesIn(_))) {
            out.extend(frame.encode());
            return Some(());
        }
        let changes = self.hooks.iter().filter_map(|hook| match hook {
            Hook::MessagesIn(change) => Some(*change),
            _ => None,
        });
        let frames = message(&mut self.coming, frame, changes);
        out.extend(frames.iter().flat_map(Frame::encode));
        Some(())
    }

    /// Whether anything can be written.
    pub(crate) fn has_output(&self) -> bool {
        !self.queue.is_empty() && !self.is_held_back()
    }

    fn is_held_back(&self) -> bool {
        let is_unheard = self.heard.is_empty() && !self.is_past_greeting && !self.is_foreign;
        is_unheard && self.has(&|hook| matches!(hook, Hook::GreetingWaits))
    }

    /// Writes what can be written at once.
    pub(crate) fn write_to(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        use io::Write as _;
        while self.has_output() {
            match stream.write(&self.queue) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.queue.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What follows the signature.
fn rest_of_greeting() -> Vec<u8> {
    let mut rest = vec![0; GREETING - SIGNATURE];
    rest[..6].copy_from_slice(b"\x03\x01NULL");
    rest
}

/// The frames of a message as the changes leave them, when the last one has come; none before.
fn message(
    begun: &mut Vec<Frame>,
    frame: Frame,
    changes: impl Iterator<Item = OfFrames>,
) -> Vec<Frame> {
    let is_last = frame.flags & MORE == 0;
    begun.push(frame);
    if !is_last {
        return Vec::new();
    }
    let mut frames = changes.fold(std::mem::take(begun), |frames, change| change(frames));
    mark_more(&mut frames);
    frames
}

/// All frames of a message but the last announce another one.
fn mark_more(frames: &mut [Frame]) {
    let last = frames.len().saturating_sub(1);
    for (index, frame) in frames.iter_mut().enumerate() {
        frame.flags = if index == last { frame.flags & !MORE } else { frame.flags | MORE };
    }
}
