//! Captures that begin in the midst of a connection.

use super::form;
use crate::raw::Framing;

/// How far to look.
const FAR: usize = 1 << 20;

/// Where the first whole message with an event begins. Frames have no mark by which they could be found; but chance makes no
/// empty frame with an event behind it.
#[must_use]
pub fn first_event(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len().min(FAR)).find(|start| begins_message(&bytes[*start..]))
}

fn begins_message(mut bytes: &[u8]) -> bool {
    let mut was_empty = false;
    // A few frames of an envelope may stand in front of it.
    for _ in 0..4 {
        let Some((flags, body, rest)) = frame(bytes) else { return false };
        match flags {
            1 => was_empty = body.is_empty(),
            0 => return was_empty && form::is_event(body) && form::read(body).0.is_some(),
            _ => return false,
        }
        bytes = rest;
    }
    false
}

fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (header, rest) = bytes.split_at_checked(Framing::V2.header_length(*bytes.first()?))?;
    let (flags, size) = Framing::V2.read(header)?;
    let (body, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
    Some((flags & !2, body, rest))
}
