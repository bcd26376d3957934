//! What differs in protocol versions 1 and 2, all in one place (protocol section 8).

use crate::{
    Args,
    event::{self, Version},
    msgpack,
};

/// How the other side of a channel speaks; decided by the first event received from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Version 2 and below: a beat is a grant as well, and grants are sent as beats.
    pub(crate) grants_in_beats: bool,
    /// Version 1: a caller that does not beat before it hears a beat, and wants errors of one element.
    pub(crate) version_1: bool,
}

impl Dialect {
    /// What is spoken until the peer has said anything.
    pub(crate) const CURRENT: Self = Self { grants_in_beats: false, version_1: false };

    /// The reference's rule (ZRPC-8.1). A missing version is below 2 and below 3.
    pub(crate) fn of(version: Version) -> Self {
        let number = version.number().unwrap_or(1);
        Self { grants_in_beats: number < 3, version_1: number < 2 }
    }

    /// The name under which a grant is sent.
    pub(crate) fn grant_name(self) -> &'static str {
        if self.grants_in_beats { event::name::HEARTBEAT } else { event::name::MORE }
    }

    /// The arguments of `ERR`: three texts, or what version 1 shows in one (ZRPC-8.2).
    pub(crate) fn put_failure(self, out: &mut bytes::BytesMut, failure: &RemoteError) {
        if self.version_1 {
            out.extend_from_slice(&[0x91]);
            let message = failure.message.replace('\\', "\\\\").replace('\'', "\\'");
            msgpack::put_str(out, &format!("{}('{message}')", failure.name));
        } else {
            out.extend_from_slice(&[0x93]);
            msgpack::put_str(out, &failure.name);
            msgpack::put_str(out, &failure.message);
            // Python shows nothing else of an error, its command neither.
            match failure.traceback.trim_ascii() {
                "" => msgpack::put_str(out, &failure.headline()),
                _ => msgpack::put_str(out, &failure.traceback),
            }
        }
    }
}

/// The error that a remote method ended with: the content of an `ERR` event. It shows itself as its [`headline`](Self::headline).
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.headline())]
#[non_exhaustive]
pub struct RemoteError {
    /// The class of the error, such as `ValueError`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// Where it happened, for people; empty when the server does not tell. An empty one of ours goes out as the
    /// [`headline`](Self::headline): callers in Python see nothing else of an error.
    pub traceback: String,
}

impl RemoteError {
    /// An error without traceback.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), traceback: String::new() }
    }

    /// The same with text that shows where it happened.
    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<String>) -> Self {
        self.traceback = traceback.into();
        self
    }

    /// How many bytes its texts have.
    pub(crate) fn size(&self) -> usize {
        self.name.len() + self.message.len() + self.traceback.len()
    }

    /// Name and message in one line, as Python ends its tracebacks: `NAME: MESSAGE`, or what there is of it.
    #[must_use]
    pub fn headline(&self) -> String {
        let Self { name, message, .. } = self;
        match (name.as_str(), message.as_str()) {
            ("", "") => "an error without a name".to_owned(),
            (only, "") | ("", only) => only.to_owned(),
            (name, message) => format!("{name}: {message}"),
        }
    }

    /// Reads the arguments of `ERR` in any form that peers send: `[name, message, traceback]`, version 1's
    /// `[text]`, and whatever else, which is shown as far as it is text.
    pub(crate) fn read(args: &Args) -> Self {
        let texts: Vec<String> = match args.leading(3) {
            Some(elements) => elements.iter().map(text).collect(),
            None => vec![text(args)],
        };
        let mut texts = texts.into_iter();
        match (texts.next(), texts.next(), texts.next()) {
            (Some(name), Some(message), traceback) => {
                Self { name, message, traceback: traceback.unwrap_or_default() }
            }
            (Some(only), None, _) => Self::new("RemoteError", only),
            (None, ..) => Self::new("RemoteError", "the server gave no reason"),
        }
    }
}

/// Text as it is; nil as nothing; anything else by its encoding.
fn text(value: &Args) -> String {
    match msgpack::raw_content(value.as_bytes()) {
        Some(content) => String::from_utf8_lossy(content).into_owned(),
        None if *value == Args::NIL => String::new(),
        None => format!("{value:?}"),
    }
}

/// The number in the arguments of a grant: `[n]`, or a bare `n`. Floats are rounded towards zero; what is
/// negative or no number grants nothing.
pub(crate) fn granted(args: &[u8]) -> u32 {
    let number =
        msgpack::number(msgpack::first(args).map_or(args, |first| &args[first])).unwrap_or(0);
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    fn args(value: impl Serialize) -> Args {
        Args::encode(&value).expect("encodes")
    }

    #[test]
    fn grants() {
        for (value, number) in [
            (args([100]), 100),
            (args(7), 7),
            (args([2.9]), 2),
            (args([-5]), 0),
            (args(["9"]), 0),
            (args([f64::NAN]), 0),
            (args([f64::INFINITY]), u32::MAX),
            (args([u64::MAX]), u32::MAX),
            (Args::NONE, 0),
            (Args::NIL, 0),
        ] {
            assert_eq!(granted(value.as_bytes()), number, "{value:?}");
        }
    }

    #[test]
    fn no_traceback_is_sent_empty() {
        for (name, message, traceback, sent) in [
            ("NameError", "clock_", "", "NameError: clock_"),
            ("ValueError", "bad", " \n", "ValueError: bad"),
            ("ValueError", "bad", "at f", "at f"),
            ("StopIteration", "", "", "StopIteration"),
            ("", "bad", "", "bad"),
            ("", "", "", "an error without a name"),
        ] {
            let traceback = traceback.to_owned();
            let failure = RemoteError::new(name, message).with_traceback(traceback);
            let mut out = bytes::BytesMut::new();
            Dialect::CURRENT.put_failure(&mut out, &failure);
            let written = Args::from_bytes(out.freeze()).expect("one value");
            let expected = RemoteError { traceback: sent.to_owned(), ..failure };
            assert_eq!(RemoteError::read(&written), expected);
        }
    }

    #[test]
    fn failures_of_every_form() {
        for (value, name, message, traceback) in [
            (args(("ValueError", "no", "at f")), "ValueError", "no", "at f"),
            (args(["ValueError('old')"]), "RemoteError", "ValueError('old')", ""),
            (args(("m", (), ())), "m", "", ""),
            (args("text"), "RemoteError", "text", ""),
            (Args::NONE, "RemoteError", "the server gave no reason", ""),
        ] {
            let failure = RemoteError::read(&value);
            assert_eq!(
                (failure.name.as_str(), failure.message.as_str(), failure.traceback.as_str()),
                (name, message, traceback)
            );
        }
    }
}
