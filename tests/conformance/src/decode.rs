//! Captures, judged as live traffic is: files of packets (pcap, pcapng), and the bytes of one direction of a connection.

mod flow;
mod packets;
mod reassembly;
mod segment;

use std::io::{self, Cursor, Read, Write};

use crate::watch::{Connection, Settings, Side, Sighting, Tally, View, Voice, What, first_event};

/// What is read before anything is decided.
const HEAD: usize = 64 << 10;

/// One read of a raw capture.
const CHUNK: usize = 64 << 10;

/// Reads a capture to its end, tells what is in it and what is wrong with it.
///
/// # Errors
/// In words, when it is no capture, is broken, or has no ZMTP in it. What was read before that has been told.
pub fn decode(
    mut input: impl Read + Send,
    settings: Settings,
    voice: &Voice,
    out: &mut impl Write,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut head = Vec::new();
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    input.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
    if head.is_empty() {
        return Err("it is empty".to_owned());
    }
    let is_of_packets = packets::begins(&head);
    let whole = Cursor::new(head).chain(input);
    if is_of_packets {
        let mut flows = flow::Flows::new(settings);
        let read = packets::read(whole, |packet| {
            flows.take(&packet).map_or(Ok(()), |seen| tell(voice, out, tally, &seen))
        });
        let rest = flows.end(tally);
        tell(voice, out, tally, &rest)?;
        read?;
        return match tally.connections {
            0 => Err(format!(
                "there is no ZMTP in it, among {} TCP connections ({} packets)",
                tally.others, flows.packets
            )),
            _ => Ok(()),
        };
    }
    raw(whole, settings, voice, out, tally)
}

/// What was seen, with the numbers of its connections.
type Seen = Vec<(u32, Vec<Sighting>)>;

fn tell(voice: &Voice, out: &mut impl Write, tally: &mut Tally, seen: &Seen) -> Result<(), String> {
    for (number, sightings) in seen {
        let told = voice.tell(out, tally, *number, sightings);
        told.map_err(|error| format!("what was seen cannot be written: {error}"))?;
    }
    Ok(())
}

/// The bytes of one direction. They may begin in the midst of a connection, and of a message.
fn raw(
    mut input: impl Read,
    settings: Settings,
    voice: &Voice,
    out: &mut impl Write,
    tally: &mut Tally,
) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    let mut bytes = Vec::new();
    input.by_ref().take(1 << 20).read_to_end(&mut bytes).map_err(unreadable)?;
    let whole = bytes.first() == Some(&0xff) && bytes.get(9).is_some_and(|byte| byte & 1 == 1);
    let skipped = match whole {
        true => 0,
        false => first_event(&bytes).ok_or(
            "it is neither a capture of packets (pcap, pcapng), nor does it begin with the greeting of ZMTP, nor is there a message of zerorpc in its first MiB",
        )?,
    };
    let zero = std::time::Duration::ZERO;
    let mut connection = Connection::new(View { both: false, whole }, settings, zero);
    tally.connections = 1;
    if skipped > 0 {
        let words = format!("the first {skipped} bytes belong to something that began earlier");
        let note = Sighting { at: zero, who: None, what: What::Note(words) };
        tell(voice, out, tally, &vec![(1, vec![note])])?;
    }
    bytes.drain(..skipped);
    loop {
        for chunk in bytes.chunks(CHUNK) {
            connection.hear(Side::Connector, zero, chunk);
            tell(voice, out, tally, &vec![(1, connection.take_sightings())])?;
        }
        bytes.clear();
        if input.by_ref().take(CHUNK as u64).read_to_end(&mut bytes).map_err(unreadable)? == 0 {
            break;
        }
    }
    tally.events = connection.events();
    tally.unread = u64::from(connection.is_unread());
    Ok(())
}
