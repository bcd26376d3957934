//! The packets of a pcap or pcapng file, with their times.

use std::{io::Read, time::Duration};

use pcap_parser::{
    Block, Linktype, PcapBlockOwned, PcapError, create_reader, traits::PcapNGPacketBlock,
};

/// The room for a packet at first, and at most.
const ROOM: usize = 1 << 20;
const MOST_ROOM: usize = 256 << 20;

/// A packet as it was captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// Since the first one.
    pub(super) at: Duration,
    pub(super) link: Linktype,
    pub(super) data: &'a [u8],
}

/// Whether a file begins as one of packets.
pub(super) fn begins(head: &[u8]) -> bool {
    const MAGICS: [[u8; 4]; 6] = [
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        // With nanoseconds.
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x4d, 0x3c, 0xb2, 0xa1],
        // The modified format, with more about each packet.
        [0x34, 0xcd, 0xb2, 0xa1],
        [0x0a, 0x0d, 0x0d, 0x0a],
    ];
    MAGICS.iter().any(|magic| head.starts_with(magic))
}

/// An interface of a section, as pcapng describes it.
#[derive(Clone, Copy)]
struct Interface {
    link: Linktype,
    resolution: u64,
    offset: u64,
}

/// What has been read of the file so far.
#[derive(Default)]
struct File {
    /// That of a pcap file, and whether it has nanoseconds.
    legacy: Option<(Linktype, bool)>,
    interfaces: Vec<Interface>,
    first: Option<Duration>,
    count: u64,
}

/// Hands on packet by packet.
pub(super) fn read(
    input: impl Read + Send,
    mut take: impl FnMut(Packet<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut reader = create_reader(ROOM, input)
        .map_err(|error| format!("its header is broken: {}", words(&error)))?;
    let mut file = File::default();
    let mut room = ROOM;
    loop {
        let step = match reader.next() {
            Ok((length, block)) => {
                if let Some((at, link, data)) = file.packet(&block) {
                    file.count += 1;
                    let first = *file.first.get_or_insert(at);
                    take(Packet { at: at.saturating_sub(first), link, data })?;
                }
                Step::On(length)
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::UnexpectedEof) => Step::Cut,
            Err(PcapError::Incomplete(_)) => Step::More,
            Err(PcapError::BufferTooSmall) => Step::Room,
            Err(error) => Step::Broken(words(&error)),
        };
        let (count, consumed) = (file.count, reader.consumed());
        let place =
            |what| format!("it {what} behind packet {count}, {consumed} bytes from its beginning");
        match step {
            Step::On(length) => reader.consume(length),
            Step::Broken(why) => return Err(format!("{}: {why}", place("is broken"))),
            Step::Cut => return Err(place("is cut off")),
            Step::More if reader.reader_exhausted() => return Err(place("is cut off")),
            Step::More => match reader.refill().map_err(|error| words(&error)) {
                Ok(()) => {}
                Err(why) => return Err(format!("{}: {why}", place("cannot be read on"))),
            },
            Step::Room if room < MOST_ROOM => {
                room *= 2;
                reader.grow(room);
            }
            Step::Room => {
                return Err(format!("{}: a packet is larger than any can be", place("is broken")));
            }
        }
    }
}

/// What to do next.
enum Step {
    /// Past a block of this length.
    On(usize),
    /// A block is not whole yet.
    More,
    /// The file ends in a block.
    Cut,
    /// A block is larger than the room for it.
    Room,
    Broken(String),
}

fn words<T>(error: &PcapError<T>) -> String {
    match error {
        PcapError::Eof | PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
            "it ends too early".to_owned()
        }
        PcapError::ReadError => "reading fails".to_owned(),
        PcapError::BufferTooSmall => "a packet is larger than any can be".to_owned(),
        PcapError::HeaderNotRecognized => "neither pcap nor pcapng".to_owned(),
        PcapError::NomError(_, kind) | PcapError::OwnedNomError(_, kind) => {
            format!("what follows is no packet ({kind:?})")
        }
    }
}

impl File {
    /// The packet in a block: when it was seen, and on which kind of link.
    fn packet<'a>(
        &mut self,
        block: &'a PcapBlockOwned<'_>,
    ) -> Option<(Duration, Linktype, &'a [u8])> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.legacy = Some((header.network, header.is_nanosecond_precision()));
                None
            }
            PcapBlockOwned::Legacy(packet) => {
                let (link, has_nanos) = self.legacy?;
                let fraction = u64::from(packet.ts_usec) * if has_nanos { 1 } else { 1000 };
                let at = Duration::from_secs(packet.ts_sec.into()) + Duration::from_nanos(fraction);
                Some((at, link, packet.data))
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
                self.interfaces.push(Interface {
                    link: description.linktype,
                    resolution: description
                        .ts_resolution()
                        .filter(|it| *it > 0)
                        .unwrap_or(1_000_000),
                    offset: u64::try_from(description.ts_offset()).unwrap_or(0),
                });
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = self.interfaces.get(usize::try_from(packet.if_id).ok()?)?;
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let (seconds, rest) = (ticks / interface.resolution, ticks % interface.resolution);
                let nanos = u128::from(rest) * 1_000_000_000 / u128::from(interface.resolution);
                let at = Duration::from_secs(seconds.saturating_add(interface.offset))
                    + Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
                Some((at, interface.link, packet.packet_data()))
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                // It has no time: that of the one before.
                let interface = self.interfaces.first()?;
                Some((self.first.unwrap_or_default(), interface.link, packet.packet_data()))
            }
            PcapBlockOwned::NG(_) => None,
        }
    }
}
