//! Captures that are written here: of a call and a stream over TCP, with one item beyond the credit.

use std::{fs, path::PathBuf, process::Output};

use etherparse::{PacketBuilder, TcpHeader};
use rmpv::Value as Msgpack;
use serde_json::Value;
use zerorpc_conformance::{
    event::Event,
    raw::{Framing, Handshake, frame::MORE},
};

use super::pair::kit;

/// What is said, by whom: true is the client, who connects.
fn exchange() -> Vec<(bool, Vec<u8>)> {
    let greeting = Handshake::new("").greeting();
    let mut said = Vec::new();
    for part in [0..10, 10..11, 11..64] {
        said.extend([true, false].map(|client| (client, greeting[part.clone()].to_vec())));
    }
    said.push((true, Handshake::new("DEALER").ready()));
    said.push((false, Handshake::new("ROUTER").ready()));
    let mut number = 0;
    let mut event = |client, name: &str, args: Msgpack, on: Option<u32>| {
        number += 1;
        let id = |number: u32| Msgpack::Binary(format!("{number:032x}").into_bytes());
        let event = Event::new(id(number), name, args);
        let event = if let Some(on) = on { event.on(&id(on)) } else { event };
        let frames = [Framing::V2.frame(MORE, b""), Framing::V2.frame(0, &event.encode())];
        said.push((client, frames.concat()));
    };
    let list = |text: &str| Msgpack::Array(vec![text.into()]);
    event(true, "echo", list("hi"), None);
    event(false, "OK", list("hi"), Some(1));
    event(true, "count", Msgpack::Array(vec![3.into()]), None);
    event(false, "STREAM", 0.into(), Some(3));
    // One more than there is credit for.
    event(false, "STREAM", 1.into(), Some(3));
    event(true, "_zpc_more", Msgpack::Array(vec![100.into()]), Some(3));
    event(false, "STREAM_DONE", Msgpack::Nil, Some(3));
    said
}

/// The segments of that, a packet each: whose it is, and its Ethernet frame.
fn packets(v6: bool, syn: bool) -> Vec<Vec<u8>> {
    let (ports, starts) = ([40_000, 4242], [u32::MAX - 30, 7_000]);
    let mut sent = [0_u32; 2];
    let mut packet = |client: bool, syn: bool, fin: bool, payload: &[u8]| {
        let (own, other) = if client { (0, 1) } else { (1, 0) };
        let mut header = TcpHeader::new(ports[own], ports[other], 0, 65_000);
        header.sequence_number = starts[own].wrapping_add(sent[own]);
        header.acknowledgment_number = starts[other].wrapping_add(sent[other]);
        (header.syn, header.fin, header.ack) = (syn, fin, !(syn && client));
        sent[own] += payload.len() as u32 + u32::from(syn || fin);
        let builder = PacketBuilder::ethernet2([1; 6], [2; 6]);
        let mut bytes = Vec::new();
        let written = if v6 {
            builder.ipv6([0; 16], [0; 16], 9).tcp_header(header).write(&mut bytes, payload)
        } else {
            builder
                .ipv4([127, 0, 0, 1], [127, 0, 0, 1], 9)
                .tcp_header(header)
                .write(&mut bytes, payload)
        };
        written.expect("memory takes everything");
        bytes
    };
    let mut packets = vec![packet(true, true, false, b""), packet(false, true, false, b"")];
    packets.extend(exchange().iter().map(|(client, bytes)| packet(*client, false, false, bytes)));
    packets.push(packet(true, false, true, b""));
    packets.push(packet(false, false, true, b""));
    if syn { packets } else { packets.split_off(2 + 9) }
}

fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (index, packet) in packets.iter().enumerate() {
        let length = packet.len() as u32;
        for word in [1_700_000_000, 1000 * index as u32, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let length = (padded as u32 + 12).to_le_bytes();
        let padding = vec![0; padded - body.len()];
        [&kind.to_le_bytes(), &length, body, &padding[..], &length].concat()
    };
    let section = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];
    let mut file = block(0x0a0d_0d0a, &section);
    file.extend(block(1, &[1, 0, 0, 0, 0, 0, 4, 0]));
    for (index, packet) in packets.iter().enumerate() {
        let length = packet.len() as u32;
        let words = [0, 0x0006_0000, 1000 * index as u32, length, length].map(u32::to_le_bytes);
        file.extend(block(6, &[&words.concat()[..], packet].concat()));
    }
    file
}

/// A file that is gone in the end.
struct Capture(PathBuf);

impl Capture {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("zerorpc-{}-{name}", std::process::id()));
        fs::write(&path, content).expect("a file");
        Self(path)
    }

    fn decode(&self, options: &[&str]) -> Output {
        let path = self.0.to_str().expect("text");
        kit(&[&["decode", path][..], options].concat()).output().expect("the kit runs")
    }

    /// Everything that is said of it.
    fn decoded(&self) -> Vec<Value> {
        let output = self.decode(&["--dump", "--format", "json"]);
        let said = String::from_utf8(output.stdout).expect("text");
        let lines = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        lines
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The rules that were broken, with the side that did so, and the events as they were said.
fn found(lines: &[Value]) -> (Vec<String>, Vec<&str>) {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let broken = lines.iter().filter(|line| line.get("rule").is_some());
    let broken = broken.map(|line| format!("{} {}", text(line, "side"), text(line, "rule")));
    let said = lines.iter().filter_map(|line| line["said"].as_str());
    (broken.collect(), said.filter(|said| said.starts_with("000")).collect())
}

const EVENTS: [&str; 7] = [
    "00000000 request echo [\"hi\"]",
    "00000000 OK [\"hi\"]",
    "00000000 request count [3]",
    "00000000 STREAM 0",
    "00000000 STREAM 1",
    "00000000 _zpc_more [100]",
    "00000000 STREAM_DONE nil",
];

#[test]
fn captures_of_packets_decode_however_they_are_written() {
    let whole = packets(false, true);
    let mut disordered = whole.clone();
    disordered.swap(13, 14);
    disordered.insert(9, whole[7].clone());
    // The first half of a segment once more, and its second half earlier.
    disordered.push(whole[14].clone());
    let files = [
        ("plain.pcap", pcap(&whole)),
        ("plain.pcapng", pcapng(&whole)),
        ("six.pcap", pcap(&packets(true, true))),
        ("again.pcap", pcap(&disordered)),
    ];
    for (name, file) in files {
        let lines = Capture::new(name, &file).decoded();
        let (broken, said) = found(&lines);
        assert_eq!(broken, ["server ZRPC-6.2"], "{name}: {lines:#?}");
        let mut sorted = (said.clone(), EVENTS.to_vec());
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        assert_eq!(sorted.0, sorted.1, "{name}: {said:?}");
        assert_eq!(lines.last().expect("a summary")["summary"]["events"], 7, "{name}");
    }
}

#[test]
fn a_capture_that_begins_late_or_has_gaps_is_read_from_the_next_message_on() {
    let late = Capture::new("late.pcap", &pcap(&packets(false, false))).decoded();
    let (broken, said) = found(&late);
    assert_eq!((broken.len(), said.len()), (1, 6), "calls that began later are judged: {late:#?}");

    let mut gaps = packets(false, true);
    // The answer to `echo`.
    gaps.remove(2 + 9);
    let lines = Capture::new("gaps.pcap", &pcap(&gaps)).decoded();
    let (broken, said) = found(&lines);
    assert_eq!((broken.len(), said.len()), (0, 6), "{lines:#?}");
    let notes: Vec<_> = lines.iter().filter_map(|line| line["note"].as_str()).collect();
    assert!(notes.iter().any(|note| note.ends_with("bytes are missing")), "{notes:?}");
}

#[test]
fn one_direction_decodes_from_its_beginning_and_from_anywhere() {
    let said: Vec<u8> =
        exchange().into_iter().filter(|(client, _)| !client).flat_map(|it| it.1).collect();
    let whole = Capture::new("whole.bin", &said).decoded();
    assert_eq!(found(&whole), (Vec::new(), vec![EVENTS[1], EVENTS[3], EVENTS[4], EVENTS[6]]));
    let middle = Capture::new("middle.bin", &said[120..]).decoded();
    let (broken, events) = found(&middle);
    assert_eq!((broken.len(), events), (0, vec![EVENTS[3], EVENTS[4], EVENTS[6]]), "{middle:#?}");
    let human = Capture::new("human.bin", &said).decode(&["--dump"]);
    let human = String::from_utf8(human.stdout).expect("text");
    assert!(human.contains("server     00000000 STREAM 0"), "{human}");
}

#[test]
fn what_is_broken_is_said_and_what_was_before_it_is_told() {
    let whole = pcap(&packets(false, true));
    let cut = &whole[..whole.len() - 7];
    let huge = [&whole[..whole.len() - 70], &[0xff; 16]].concat();
    for (name, file, words) in [
        ("cut.pcap", cut, "is cut off behind packet 18"),
        ("huge.pcap", &huge, "behind packet 18"),
        ("header.pcap", &whole[..9], "its header is broken"),
        ("empty.pcap", &whole[..0], "it is empty"),
        ("no.pcap", &whole[..24], "no ZMTP in it"),
        ("no.bin", b"what is this?", "neither a capture of packets"),
    ] {
        let output = Capture::new(name, file).decode(&[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{name}: {said}");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!words.contains("18") || told.contains("ZRPC-6.2"), "{name}: {told}");
    }
}
