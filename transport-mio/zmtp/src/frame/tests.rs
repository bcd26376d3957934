use super::{
    partial::{DIRECT, DIRECT_MAX, STEP},
    *,
};

/// The header of part of a message.
fn part(size: u64, more: bool) -> Header {
    Header { more, command: false, size }
}

fn command(size: u64) -> Header {
    Header { more: false, command: true, size }
}

/// What the specifications make of headers: ZMTP 1.0, section "Framing", and 2.0 and 3.1, section "Framing" as well.
fn headers() -> Vec<(Framing, Header, Vec<u8>)> {
    use Framing::{V1, V2, V3};
    let long = |head: &[u8], size: u64, tail: &[u8]| [head, &size.to_be_bytes(), tail].concat();
    let mut headers = vec![
        (V1, part(0, false), vec![1, 0]),
        (V1, part(0, true), vec![1, 1]),
        (V1, part(253, false), vec![254, 0]),
        (V1, part(254, true), long(&[255], 255, &[1])),
        (V1, part(255, false), long(&[255], 256, &[0])),
        (V1, part(u64::MAX >> 2, false), long(&[255], (u64::MAX >> 2) + 1, &[0])),
        (V3, command(7), vec![4, 7]),
        (V3, command(256), long(&[6], 256, &[])),
    ];
    for framing in [V2, V3] {
        headers.extend([
            (framing, part(0, false), vec![0, 0]),
            (framing, part(1, true), vec![1, 1]),
            (framing, part(255, true), vec![1, 255]),
            (framing, part(256, false), long(&[2], 256, &[])),
            (framing, part(256, true), long(&[3], 256, &[])),
            (framing, part(u64::MAX >> 1, false), long(&[2], u64::MAX >> 1, &[])),
        ]);
    }
    headers
}

#[test]
fn headers_are_what_the_specifications_say() {
    for (framing, header, bytes) in headers() {
        let mut written = b"before".to_vec();
        framing.write(header, &mut written);
        assert_eq!(written, [b"before", &bytes[..]].concat(), "{framing:?} {header:?}");
        let read = framing.read(&[&bytes[..], b"behind"].concat());
        assert_eq!(read, Ok(Some((header, bytes.len()))), "{framing:?} {header:?}");
        for end in 0..bytes.len() {
            assert_eq!(framing.read(&bytes[..end]), Ok(None), "{end} of {framing:?} {header:?}");
        }
    }
    // Long forms of short lengths are read, too.
    let short = [2, 0, 0, 0, 0, 0, 0, 0, 5];
    assert_eq!(Framing::V2.read(&short), Ok(Some((part(5, false), 9))));
    let short = [255, 0, 0, 0, 0, 0, 0, 0, 5, 1];
    assert_eq!(Framing::V1.read(&short), Ok(Some((part(4, true), 10))));
}

#[test]
fn headers_that_nobody_may_send_are_refused_as_soon_as_they_show() {
    use Framing::{V1, V2, V3};
    let top = 1 << 63;
    for (framing, bytes, violation) in [
        (V1, &[0][..], Violation::NoLength),
        (V1, &[255, 0, 0, 0, 0, 0, 0, 0, 0], Violation::NoLength),
        (V1, &[255, 128, 0, 0, 0, 0, 0, 0, 0], Violation::FrameLength(top)),
        (V1, &[1, 2], Violation::UnknownFlags(2)),
        (V1, &[1, 0x81], Violation::UnknownFlags(0x81)),
        (V2, &[4], Violation::UnknownFlags(4)),
        (V2, &[0x83], Violation::UnknownFlags(0x83)),
        (V3, &[8], Violation::UnknownFlags(8)),
        (V2, &[2, 128, 0, 0, 0, 0, 0, 0, 0], Violation::FrameLength(top)),
        (V3, &[6, 128, 0, 0, 0, 0, 0, 1, 0], Violation::FrameLength(top + 256)),
    ] {
        assert_eq!(framing.read(bytes), Err(violation.clone()), "{framing:?} {bytes:?}");
        let mut decoder = Decoder::new(framing);
        let mut input = Input::new(Bytes::copy_from_slice(bytes));
        let read = decoder.next(&mut input, |_| Ok(Admission::Whole));
        assert_eq!(read, Err(violation), "{framing:?} {bytes:?}");
    }
}

/// All frames of bytes that come in chunks, and what of them was asked about.
fn decode(
    decoder: &mut Decoder,
    chunks: impl IntoIterator<Item = Bytes>,
    admission: Admission,
) -> (Vec<Frame>, Vec<Header>) {
    let (mut frames, mut asked) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let mut input = Input::new(chunk);
        let mut admit = |header| {
            asked.push(header);
            Ok(admission)
        };
        while let Some(frame) = decoder.next(&mut input, &mut admit).expect("they are sound") {
            frames.push(frame);
        }
        assert_eq!(input.rest(), b"", "all of a chunk is read");
    }
    (frames, asked)
}

fn chunks(bytes: &[u8], size: usize) -> impl Iterator<Item = Bytes> + use<> {
    let bytes = Bytes::copy_from_slice(bytes);
    let starts = (0..bytes.len()).step_by(size);
    starts.map(move |start| bytes.slice(start..bytes.len().min(start + size)))
}

/// Frames of these sizes, and their bytes.
fn stream(framing: Framing) -> (Vec<Frame>, Vec<Header>, Vec<u8>) {
    let (mut frames, mut headers, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for (index, size) in
        [0, 1, 7, 253, 254, 255, 256, 300, 0, 20_000, 40_000, 3].into_iter().enumerate()
    {
        let is_command = framing == Framing::V3 && index % 4 == 3;
        let header = Header { more: index % 3 == 1 && !is_command, command: is_command, size };
        let body: Vec<u8> = (0..size).map(|at| (at as usize * 7 + index) as u8).collect();
        framing.write(header, &mut bytes);
        bytes.extend_from_slice(&body);
        headers.push(header);
        frames.push(header.with(body.into()));
    }
    (frames, headers, bytes)
}

#[test]
fn frames_are_the_same_however_they_are_cut() {
    for framing in [Framing::V1, Framing::V2, Framing::V3] {
        let (frames, headers, bytes) = stream(framing);
        for size in [1, 2, 3, 10, 255, 4096, 20_001, bytes.len()] {
            let mut decoder = Decoder::new(framing);
            let (found, asked) = decode(&mut decoder, chunks(&bytes, size), Admission::Whole);
            assert!(found == frames, "{framing:?} in chunks of {size}");
            assert_eq!(asked, headers, "each is asked about once: {framing:?} in chunks of {size}");
            assert_eq!(decoder.partial_bytes(), 0);
        }
    }
}

#[test]
fn whole_frames_are_slices_of_their_chunk() {
    for framing in [Framing::V1, Framing::V2, Framing::V3] {
        let (_, _, bytes) = stream(framing);
        let chunk = Bytes::from(bytes);
        let (frames, _) = decode(&mut Decoder::new(framing), [chunk.clone()], Admission::Whole);
        for frame in frames.iter().filter(|frame| !frame.body.is_empty()) {
            assert!(chunk.as_ptr_range().contains(&frame.body.as_ptr()), "{framing:?}");
        }
    }
}

#[test]
fn refusals_come_before_anything_is_done_for_a_body() {
    for bytes in [&[0, 3, 1, 2, 3][..], &[2, 0, 0, 0, 0, 0, 1, 0, 0], &[4, 9]] {
        let mut decoder = Decoder::new(Framing::V3);
        let mut input = Input::new(Bytes::copy_from_slice(bytes));
        let refused = decoder.next(&mut input, |header| Err(Violation::FrameLength(header.size)));
        assert!(matches!(refused, Err(Violation::FrameLength(_))), "{bytes:?}");
        assert_eq!(decoder.partial_bytes(), 0, "{bytes:?}");
    }
}

#[test]
fn of_frames_that_are_skipped_the_name_is_kept() {
    for (body, name) in [
        (&b"\x04NAMEand more"[..], &b"\x04NAME"[..]),
        (b"\x04NAME", b"\x04NAME"),
        // Shorter than what it begins with says.
        (b"\x09NAME", b"\x09NAME"),
        (b"\x00rest", b"\x00"),
        (b"", b""),
    ] {
        let size = body.len() as u64;
        let mut bytes = Vec::new();
        // A long header, so that the short way is not taken.
        bytes.extend_from_slice(&[COMMAND | LONG]);
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(body);
        let end = bytes.len();
        bytes.extend_from_slice(&[0, 0]);
        for cut in [1, 2, 11, bytes.len()] {
            let mut decoder = Decoder::new(Framing::V3);
            let (frames, asked) = decode(&mut decoder, chunks(&bytes, cut), Admission::Name);
            let expected = [
                command(size).with(Bytes::copy_from_slice(name)),
                part(0, false).with(Bytes::new()),
            ];
            assert_eq!(frames, expected, "{body:?} in chunks of {cut}");
            assert_eq!(asked, [command(size), part(0, false)]);
        }
        // The frame is told of when its name is there, and is being skipped from then to its end.
        let mut decoder = Decoder::new(Framing::V3);
        let mut told = Vec::new();
        for (index, chunk) in chunks(&bytes[..end], 1).enumerate() {
            let (frames, _) = decode(&mut decoder, [chunk], Admission::Name);
            told.extend(frames.iter().map(|_| index + 1));
            let is_skipping = !told.is_empty() && index + 1 < end;
            assert_eq!(decoder.skipped(), is_skipping.then_some(size), "{body:?} {index}");
            let is_in_name = told.is_empty() && index + 1 > 9;
            assert_eq!(decoder.partial_bytes() > 0, is_in_name, "{body:?} {index}");
        }
        assert_eq!(told, [9 + name.len()], "{body:?}");
    }
}

/// Memory for bodies that are read in pieces grows with what has come.
#[test]
fn memory_for_a_body_follows_what_arrives() {
    for (size, arriving, reserved) in [
        (100, &[1, 98][..], &[100, 100][..]),
        (20_000, &[1, 16_383, 1, 3_614], &[16_384, 16_384, 20_000, 20_000]),
        (1 << 20, &[20_000, 20_000, 1, 40_000], &[20_000, 40_000, 80_000, 160_000]),
        (1 << 20, &[10, 100_000], &[16_384, 116_384]),
    ] {
        let mut decoder = Decoder::new(Framing::V2);
        let mut head = vec![LONG];
        head.extend_from_slice(&u64::to_be_bytes(size));
        assert_eq!(decode(&mut decoder, [head.into()], Admission::Whole).0, []);
        assert_eq!(decoder.partial_bytes(), 0, "nothing has come of {size}");
        for (count, reserved) in arriving.iter().zip(reserved) {
            let (frames, _) = decode(&mut decoder, [vec![0; *count].into()], Admission::Whole);
            assert_eq!(frames, [], "{size}");
            assert_eq!(decoder.partial_bytes(), *reserved, "{count} of {size}");
        }
    }
}

/// A decoder in a body of `size` bytes, of which so many have come.
fn within(size: usize, arrived: usize, buffers: Arc<dyn Buffers>) -> Decoder {
    let mut decoder = Decoder::with_buffers(Framing::V2, buffers);
    let mut bytes = vec![LONG];
    bytes.extend_from_slice(&(size as u64).to_be_bytes());
    bytes.resize(9 + arrived, 0xaa);
    assert_eq!(decode(&mut decoder, [bytes.into()], Admission::Whole).0, []);
    decoder
}

#[test]
fn large_bodies_are_read_where_they_stay() {
    for (size, arrived, room) in [
        (DIRECT - 1, 0, None),
        (DIRECT, 0, Some(DIRECT)),
        (DIRECT, 1, None),
        (DIRECT + 1, 1, Some(DIRECT)),
        (1 << 20, 0, Some(STEP)),
        // Twice what was reserved, but for what has come.
        (1 << 20, 10, Some(2 * STEP - 10)),
        (4 << 20, 1 << 20, Some(DIRECT_MAX)),
    ] {
        let mut decoder = within(size, arrived, Arc::new(FreshBuffers));
        let found = decoder.direct().map(|room| room.len());
        assert_eq!(found, room, "{arrived} of {size}");
    }
    for framing in [Framing::V1, Framing::V2] {
        assert_eq!(Decoder::new(framing).direct(), None, "no body has begun");
    }
}

/// Memory that was used before, longer than was asked for.
#[derive(Debug)]
struct Used;

impl Buffers for Used {
    fn take(&self, size: usize) -> Vec<u8> {
        vec![0xff; size + 100]
    }

    fn seal(&self, body: Vec<u8>) -> Bytes {
        Bytes::from(body)
    }
}

#[test]
fn bodies_come_in_chunks_and_directly_by_turns() {
    const SIZE: usize = 300 << 10;
    for buffers in [Arc::new(FreshBuffers) as Arc<dyn Buffers>, Arc::new(Used)] {
        let mut decoder = within(SIZE, 5, buffers);
        let (mut arrived, mut rounds) = (5, 0);
        while let Some(room) = decoder.direct() {
            room[..1000].fill(0xbb);
            decoder.filled(1000);
            arrived += 1000;
            let (frames, _) = decode(&mut decoder, [vec![0xcc; 10].into()], Admission::Whole);
            assert_eq!(frames, []);
            arrived += 10;
            rounds += 1;
        }
        assert!(SIZE - arrived < DIRECT && rounds > 100, "{arrived} {rounds}");
        let rest = vec![0xdd; SIZE - arrived];
        let (frames, _) = decode(&mut decoder, [rest.into()], Admission::Whole);
        let [Frame { body, .. }] = &frames[..] else { panic!("it is complete: {frames:?}") };
        let mut expected = vec![0xaa; 5];
        for _ in 0..rounds {
            expected.extend_from_slice(&[0xbb; 1000]);
            expected.extend_from_slice(&[0xcc; 10]);
        }
        expected.resize(SIZE, 0xdd);
        assert!(*body == expected);
        assert_eq!(decoder.partial_bytes(), 0);
    }
}

#[test]
fn nobody_reads_more_than_there_is_room() {
    let mut decoder = within(1 << 20, 0, Arc::new(FreshBuffers));
    let room = decoder.direct().map(|room| room.len()).expect("there is room");
    decoder.filled(10 * room);
    assert_eq!(
        decoder.direct().map(|room| room.len()),
        Some(2 * room - room),
        "what is there was filled"
    );
    // In a header there is no room.
    let mut decoder = Decoder::new(Framing::V2);
    decoder.filled(5);
    let (frames, _) = decode(&mut decoder, [Bytes::from_static(&[0, 1, 7])], Admission::Whole);
    assert_eq!(frames, [part(1, false).with(Bytes::from_static(&[7]))]);
}

#[test]
fn what_was_read_before_is_the_beginning_of_the_first_frame() {
    let frame = [255, 0, 0, 0, 0, 0, 0, 0, 4, 1, b'a', b'b', b'c'];
    for read in 0..=HEADER_MAX {
        let mut decoder = Decoder::resume(Framing::V1, &frame[..read]);
        let rest = Bytes::copy_from_slice(&frame[read..]);
        let (frames, _) = decode(&mut decoder, [rest], Admission::Whole);
        assert_eq!(frames, [part(3, true).with(Bytes::from_static(b"abc"))], "{read}");
    }
    let long = [&frame[..HEADER_MAX], b"more than a header"].concat();
    let mut decoder = Decoder::resume(Framing::V1, &long);
    let (frames, _) = decode(&mut decoder, [Bytes::from_static(b"xyz")], Admission::Whole);
    assert_eq!(frames, [part(3, true).with(Bytes::from_static(b"xyz"))]);
}
