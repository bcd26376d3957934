//! Streams of tokio as a `Socket` knows streams.

use std::io::{IoSlice, Read, Result, Write};

use tokio::net::TcpStream;

/// Reads and writes what can be at once; the rest is `WouldBlock`.
pub(crate) struct Ready<'a>(pub(crate) &'a TcpStream);

impl Read for Ready<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Ready<'_> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        self.0.try_write(buffer)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
