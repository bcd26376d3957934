//! Tasks: what servers are asked for, and what their callers must get.

use rmpv::Value;
use zerorpc_proto::{Answer, Args, RemoteError};

use super::raw_event::args;

/// How many bytes large items have.
const LARGE: usize = 1000;

/// A method of the simulated servers. Every call has a token of its own, which its answers carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Answers at once.
    Echo,
    /// Answers after this many milliseconds.
    Late(u64),
    /// Fails at once.
    Fail,
    /// Answers with this many items.
    Items(u64),
    /// Answers with this many items, then fails.
    Break(u64),
    /// Answers with this many items, the later half of which are large.
    Swell(u64),
}

impl Task {
    /// The method and its second parameter; the first one is the token.
    #[must_use]
    pub fn call(self, token: u64) -> (&'static str, Args) {
        let (method, number) = match self {
            Self::Echo => ("echo", 0),
            Self::Late(number) => ("late", number),
            Self::Fail => ("fail", 0),
            Self::Items(number) => ("items", number),
            Self::Break(number) => ("break", number),
            Self::Swell(number) => ("swell", number),
        };
        (method, args(&Value::Array(vec![token.into(), number.into()])))
    }

    /// What a request asks for, and its token.
    #[must_use]
    pub fn read(method: &str, args: &Args) -> Option<(Self, u64)> {
        let (token, number) = args.decode().ok()?;
        let task = match method {
            "echo" => Self::Echo,
            "late" => Self::Late(number),
            "fail" => Self::Fail,
            "items" => Self::Items(number),
            "break" => Self::Break(number),
            "swell" => Self::Swell(number),
            _ => return None,
        };
        Some((task, token))
    }

    /// How many items there are before the end.
    #[must_use]
    pub fn items(self) -> u64 {
        match self {
            Self::Items(number) | Self::Break(number) | Self::Swell(number) => number,
            Self::Echo | Self::Late(_) | Self::Fail => 0,
        }
    }

    /// One of the items, or the result.
    #[must_use]
    pub fn item(self, token: u64, number: u64) -> Args {
        let mut values = vec![token.into(), number.into()];
        if let Self::Swell(count) = self
            && number >= count / 2
        {
            values.push(Value::Binary(vec![0; LARGE]));
        }
        args(&Value::Array(values))
    }

    /// One of the answers, if there are so many.
    #[must_use]
    pub fn answer(self, token: u64, number: u64) -> Answer {
        if number < self.items() {
            return Answer::Item(self.item(token, number));
        }
        match self {
            Self::Echo | Self::Late(_) => Answer::Value(self.item(token, 0)),
            Self::Items(_) | Self::Swell(_) => Answer::End,
            Self::Fail | Self::Break(_) => Answer::Failed(Box::new(Self::failure(token))),
        }
    }

    /// All answers, in order.
    #[must_use]
    pub fn answers(self, token: u64) -> Vec<Answer> {
        (0..=self.items()).map(|number| self.answer(token, number)).collect()
    }

    /// How a task fails.
    #[must_use]
    pub fn failure(token: u64) -> RemoteError {
        let traceback = "in the simulation".to_owned();
        RemoteError::new("Failed", token.to_string()).with_traceback(traceback)
    }
}
