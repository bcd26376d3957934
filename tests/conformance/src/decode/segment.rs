//! The TCP segment in a packet.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::Linktype;

use super::packets::Packet;

/// A segment: who sent it to whom, and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledged: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The segment in a packet; none where it holds something else.
    pub(super) fn of(packet: &Packet<'a>) -> Option<Self> {
        let sliced = sliced(packet)?;
        let (source, destination, is_fragment) = match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                let addresses = (header.source_addr(), header.destination_addr());
                (IpAddr::from(addresses.0), IpAddr::from(addresses.1), ip.is_payload_fragmented())
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                let addresses = (header.source_addr(), header.destination_addr());
                (IpAddr::from(addresses.0), IpAddr::from(addresses.1), ip.is_payload_fragmented())
            }
            _ => return None,
        };
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return None };
        if is_fragment {
            return None;
        }
        Some(Self {
            from: SocketAddr::new(source, tcp.source_port()),
            to: SocketAddr::new(destination, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            payload: tcp.payload(),
        })
    }
}

fn sliced<'a>(packet: &Packet<'a>) -> Option<LaxSlicedPacket<'a>> {
    let data = packet.data;
    match packet.link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok(),
        Linktype::RAW | Linktype(12) | Linktype::IPV4 | Linktype::IPV6 => {
            LaxSlicedPacket::from_ip(data).ok()
        }
        // Four bytes of address family in front of the IP header, in some order.
        Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(data.get(4..)?).ok(),
        // The cooked captures of Linux ("any"): the EtherType ends the first header, and begins the second.
        Linktype::LINUX_SLL => of_ether_type(data, 14, 16),
        Linktype(276) => of_ether_type(data, 0, 20),
        _ => None,
    }
}

fn of_ether_type(data: &[u8], place: usize, header: usize) -> Option<LaxSlicedPacket<'_>> {
    let number = data.get(place..)?.first_chunk::<2>()?;
    let kind = EtherType(u16::from_be_bytes(*number));
    Some(LaxSlicedPacket::from_ether_type(kind, data.get(header..)?))
}
