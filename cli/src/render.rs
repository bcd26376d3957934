//! What goes to standard output, and how: results as JSON, each flushed as soon as it is there.

use std::io::{self, BufWriter, Write};

use rmpv::Value;

use crate::exit::CliError;

pub(crate) mod json;

/// How the items of a stream are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamLayout {
    /// One line per item.
    Lines,
    /// One array, on one line.
    Array,
}

/// Writes results.
pub(crate) struct Printer<W: Write> {
    out: BufWriter<W>,
}

impl<W: Write> Printer<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out: BufWriter::new(out) }
    }

    /// One result on its own line.
    pub(crate) fn value(&mut self, value: &Value) -> io::Result<()> {
        json::write(&mut self.out, value)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    /// Text for people, as it is.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// The items of a stream as they arrive.
    ///
    /// When the stream fails, what was written is still well-formed: an array is closed.
    pub(crate) fn stream(
        &mut self,
        items: impl Iterator<Item = Result<Value, CliError>>,
        layout: StreamLayout,
    ) -> Result<(), CliError> {
        match layout {
            StreamLayout::Lines => items.into_iter().try_for_each(|item| Ok(self.value(&item?)?)),
            StreamLayout::Array => {
                self.text("[")?;
                let end = self.elements(items);
                self.text("]\n")?;
                end
            }
        }
    }

    fn elements(
        &mut self,
        items: impl Iterator<Item = Result<Value, CliError>>,
    ) -> Result<(), CliError> {
        for (index, item) in items.enumerate() {
            let item = item?;
            if index > 0 {
                self.out.write_all(b",")?;
            }
            json::write(&mut self.out, &item)?;
            self.out.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use super::{Printer, StreamLayout};
    use crate::exit::{CliError, Exit};

    fn printed(
        items: Vec<Result<i32, CliError>>,
        layout: StreamLayout,
    ) -> (String, Result<(), CliError>) {
        let mut out = Vec::new();
        let items = items.into_iter().map(|item| item.map(Into::into));
        let end = Printer::new(&mut out).stream(items, layout);
        (String::from_utf8(out).expect("JSON is UTF-8"), end)
    }

    #[test]
    fn streams_stay_well_formed() {
        use StreamLayout::{Array, Lines};
        let lost = || CliError::new(Exit::LostRemote, "lost");
        for (items, layout, text) in [
            (vec![], Lines, ""),
            (vec![], Array, "[]\n"),
            (vec![Ok(1), Ok(2)], Lines, "1\n2\n"),
            (vec![Ok(1), Ok(2)], Array, "[1,2]\n"),
            (vec![Ok(1), Err(lost())], Lines, "1\n"),
            (vec![Ok(1), Err(lost())], Array, "[1]\n"),
            (vec![Err(lost())], Array, "[]\n"),
        ] {
            let expected = if items.iter().any(Result::is_err) { Err(lost()) } else { Ok(()) };
            assert_eq!(printed(items, layout), (text.to_owned(), expected));
        }
    }

    /// A pipe whose reader goes away after so many writes.
    struct Pipe(usize);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_leaves_ends_the_stream_without_words() {
        for layout in [StreamLayout::Lines, StreamLayout::Array] {
            let endless = (0..).map(|n: i32| Ok(n.into()));
            let end = Printer::new(Pipe(3)).stream(endless, layout);
            assert_eq!(end, Err(CliError::new(Exit::Success, "")));
        }
    }
}
