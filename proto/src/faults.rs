//! Faults that can be put into sessions on purpose, so that tests show that they would be found. No build has them that does
//! not ask for the feature `faults`, which is for this project's tests alone.

#![cfg_attr(not(feature = "faults"), allow(unreachable_pub))]

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A server takes one more out of each grant than there is in it.
    CreditOffByOne,
    /// A grant that comes while there is credit left is not counted.
    GrantNotCounted,
    /// Only every other beat is sent.
    BeatSkipped,
    /// One interval of silence is enough to lose a peer.
    LossTooShort,
    /// An answer goes to whoever has its slot now, whichever call it was for.
    AnswerToNewer,
    /// What is due later than the timer wheel reaches is forgotten when its turn comes.
    TimerDropped,
    /// A request that has come back is sent twice.
    ReturnedTwice,
    /// What a channel has kept is not given back with it.
    MemoryKept,
    /// An event on a channel that is gone is taken for a request.
    LateEventOpens,
    /// A window becomes smaller than what is out.
    WindowTooSmall,
    /// The next server of a request that came back is spoken to as the one before.
    VersionKept,
}

impl Fault {
    /// Every fault.
    #[cfg(feature = "faults")]
    pub const ALL: [Self; 11] = [
        Self::CreditOffByOne,
        Self::GrantNotCounted,
        Self::BeatSkipped,
        Self::LossTooShort,
        Self::AnswerToNewer,
        Self::TimerDropped,
        Self::ReturnedTwice,
        Self::MemoryKept,
        Self::LateEventOpens,
        Self::WindowTooSmall,
        Self::VersionKept,
    ];

    /// All sessions that this thread handles from now on have this fault, or none of these.
    #[cfg(feature = "faults")]
    pub fn put_in(fault: Option<Self>) {
        PRESENT.set(fault);
    }
}

#[cfg(feature = "faults")]
thread_local! {
    static PRESENT: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Whether a fault was put in: never without the feature, and at no cost.
#[inline(always)]
pub(crate) fn has(fault: Fault) -> bool {
    #[cfg(feature = "faults")]
    return PRESENT.get() == Some(fault);
    #[cfg(not(feature = "faults"))]
    {
        let _ = fault;
        false
    }
}
