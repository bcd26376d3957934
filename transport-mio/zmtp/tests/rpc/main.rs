//! Clients and servers in memory, over the loop that everybody would write.

#![allow(
    clippy::disallowed_methods,
    reason = "the list is for the crate; its tests have to begin at some instant"
)]

mod bounds;
mod calls;
mod support;
