//! Who does what, told to whoever measures.

/// One end of a conversation, or of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who calls; the sending end of a connection.
    Client,
    /// Who is called; the receiving end of a connection.
    Server,
}

/// Looks at the work of each side. What is done outside of it stands for the world.
pub trait Meter {
    /// Does the work of one side.
    fn watch<T>(&mut self, side: Side, work: impl FnOnce() -> T) -> T;
}

/// Looks at nothing.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Meter for Unwatched {
    fn watch<T>(&mut self, _side: Side, work: impl FnOnce() -> T) -> T {
        work()
    }
}

/// Does the work of one side within [`counted`].
#[derive(Debug, Clone, Copy)]
pub struct Counted(pub Side);

impl Meter for Counted {
    fn watch<T>(&mut self, side: Side, work: impl FnOnce() -> T) -> T {
        if side == self.0 { counted(work) } else { work() }
    }
}

/// Does some work under a name of its own, by which a profiler recognises it.
#[inline(never)]
pub fn counted<T>(work: impl FnOnce() -> T) -> T {
    let done = work();
    // Something to come back for: else the work may take the place of this function.
    std::hint::black_box(());
    done
}
