use super::*;

fn limits(depth: u32, elements: u32) -> Limits {
    Limits { depth, elements, ..Limits::default() }
}

fn reader(input: &[u8]) -> Reader<'_> {
    Reader::new(input, &limits(8, 1 << 20))
}

/// A marker with what belongs to it, and so many bytes or values behind it.
fn value(head: &[u8], body: &[u8], times: usize) -> Vec<u8> {
    [head, &body.repeat(times)].concat()
}

/// Every kind of value without parts: its marker with the length, and how many bytes follow.
const SCALARS: &[(&[u8], usize)] = &[
    (&[0x00], 0),
    (&[0x7f], 0),
    (&[0xe0], 0),
    (&[0xff], 0),
    (&[0xc0], 0),
    (&[0xc2], 0),
    (&[0xc3], 0),
    (&[0xcc], 1),
    (&[0xcd], 2),
    (&[0xce], 4),
    (&[0xcf], 8),
    (&[0xd0], 1),
    (&[0xd1], 2),
    (&[0xd2], 4),
    (&[0xd3], 8),
    (&[0xca], 4),
    (&[0xcb], 8),
    (&[0xa0], 0),
    (&[0xa3], 3),
    (&[0xbf], 31),
    (&[0xd9, 0xfe], 0xfe),
    (&[0xda, 0x01, 0x02], 0x102),
    (&[0xdb, 0x00, 0x01, 0x00, 0x02], 0x1_0002),
    (&[0xc4, 0xfe], 0xfe),
    (&[0xc5, 0x01, 0x02], 0x102),
    (&[0xc6, 0x00, 0x01, 0x00, 0x02], 0x1_0002),
    (&[0xd4], 2),
    (&[0xd5], 3),
    (&[0xd6], 5),
    (&[0xd7], 9),
    (&[0xd8], 17),
    (&[0xc7, 0x03], 4),
    (&[0xc8, 0x01, 0x02], 0x103),
    (&[0xc9, 0x00, 0x01, 0x00, 0x02], 0x1_0003),
];

/// Every kind of value with parts: its marker with the length, and how many values follow.
const NESTED: &[(&[u8], usize)] = &[
    (&[0x90], 0),
    (&[0x93], 3),
    (&[0x9f], 15),
    (&[0xdc, 0x01, 0x02], 0x102),
    (&[0xdd, 0x00, 0x01, 0x00, 0x02], 0x1_0002),
    (&[0x80], 0),
    (&[0x83], 6),
    (&[0x8f], 30),
    (&[0xde, 0x01, 0x02], 0x204),
    (&[0xdf, 0x00, 0x01, 0x00, 0x02], 0x2_0004),
];

#[test]
fn values_end_where_they_say() {
    let scalars = SCALARS.iter().map(|(head, bytes)| (*head, value(head, b"a", *bytes)));
    let nested = NESTED.iter().map(|(head, parts)| (*head, value(head, b"\xa1a", *parts)));
    for (head, value) in scalars.chain(nested) {
        let whole = [&value[..], b"rest"].concat();
        let mut reader = reader(&whole);
        assert_eq!(reader.value(0), Ok(&value[..]), "{head:02x?}");
        assert_eq!((reader.position(), reader.rest()), (value.len(), &b"rest"[..]), "{head:02x?}");
        for end in [0, 1, head.len() - 1, head.len(), value.len() - 1] {
            if end < value.len() {
                let cut = self::reader(&value[..end]).value(0);
                assert_eq!(cut, Err(Malformed::Truncated), "{end} of {head:02x?}");
            }
        }
    }
    assert_eq!(reader(b"\xc1").value(0), Err(Malformed::NeverUsed));
    assert_eq!(reader(b"\xa1\xff").value(0), Err(Malformed::NotUtf8));
    assert_eq!(reader(b"\xd9\x01\xff").value(0), Err(Malformed::NotUtf8));
}

#[test]
fn markers_of_arrays_and_maps_tell_how_many() {
    for (head, parts) in NESTED {
        let input = [head, &b"\xc0"[..]].concat();
        let is_array = matches!(head[0], 0x90..=0x9f | 0xdc | 0xdd);
        let (array, map) = (is_array.then_some(*parts), (!is_array).then_some(parts / 2));
        let number = |len: Option<usize>| len.map(|len| u32::try_from(len).expect("is small"));
        for (is_read_as_array, expected) in [(true, number(array)), (false, number(map))] {
            let mut reader = reader(&input);
            let read = if is_read_as_array { reader.array() } else { reader.map() };
            assert_eq!(read, Ok(expected), "{head:02x?}");
            let consumed = expected.map_or(0, |_| head.len());
            assert_eq!(reader.position(), consumed, "{head:02x?}");
        }
    }
    for cut in [&b""[..], b"\xdc\x00", b"\xdd\x00\x00\x00"] {
        assert_eq!(reader(cut).array(), Err(Malformed::Truncated), "{cut:02x?}");
    }
    for cut in [&b""[..], b"\xde\x00", b"\xdf\x00\x00\x00"] {
        assert_eq!(reader(cut).map(), Err(Malformed::Truncated), "{cut:02x?}");
    }
}

/// Arrays around a value, siblings beside it, and how many levels and values they are.
const NESTINGS: &[(&[u8], u32, u32)] = &[
    (b"\xc0", 0, 1),
    (b"\x90", 1, 1),
    (b"\x91\xc0", 1, 2),
    (b"\x91\x90", 2, 2),
    (b"\x92\x90\x90", 2, 3),
    (b"\x91\x91\x91\x90", 4, 4),
    (b"\x93\x91\xc0\x91\x91\xc0\xc0", 3, 7),
    (b"\x81\xc0\x81\xc0\x80", 3, 5),
    (b"\x92\x91\x91\x90\x92\xc0\xc0", 4, 7),
];

#[test]
fn limits_are_exact() {
    for &(input, levels, values) in NESTINGS {
        for around in 0..3 {
            let read = |depth, elements| {
                Reader::new(input, &limits(depth, elements)).value(around).map(<[u8]>::len)
            };
            // Around what has no levels, there may be as many as one likes.
            let depth = if levels == 0 { 0 } else { around + levels };
            let case = format!("{input:02x?} within {around}");
            assert_eq!(read(depth, values), Ok(input.len()), "{case}");
            let few = values - 1;
            assert_eq!(read(depth, few), Err(Malformed::TooManyElements(few)), "{case}");
            if let Some(shallow) = depth.checked_sub(1) {
                assert_eq!(read(shallow, values), Err(Malformed::TooDeep(shallow)), "{case}");
            }
        }
    }
}

#[test]
fn announcements_that_cannot_be_true_end_at_once() {
    for input in [&b"\xdd\xff\xff\xff\xff\xc0"[..], b"\xdf\x7f\xff\xff\xff\xc0", b"\x92\xc0"] {
        let mut reader = reader(input);
        assert_eq!(reader.value(0), Err(Malformed::Truncated), "{input:02x?}");
        assert_eq!(reader.rest(), &input[input.len() - 1..], "no part of it was looked at");
    }
}

#[test]
fn known_values_are_skipped_within_limits() {
    let input = b"\xc0\xc0\xc0\xa1a";
    for (values, bytes, may) in
        [(0, 0, true), (3, 5, true), (2, 3, true), (4, 3, false), (3, 6, false), (4, 6, false)]
    {
        let mut reader = Reader::new(input, &limits(8, 3));
        assert_eq!(reader.skip_values(values, bytes), may, "{values} {bytes}");
        let left = if may { 3 - values } else { 3 };
        assert_eq!(reader.position(), if may { bytes } else { 0 }, "{values} {bytes}");
        assert!(!reader.skip_values(left + 1, 0), "{values} {bytes}");
        assert!(reader.skip_values(left, 0), "{values} {bytes}");
    }
    for (literal, values, may) in
        [(&b"\xc0\xc0"[..], 2, true), (b"\xc0\xc2", 2, false), (b"\xc0", 4, false)]
    {
        let mut reader = Reader::new(input, &limits(8, 3));
        assert_eq!(reader.literal(values, literal), may, "{literal:02x?}");
        assert_eq!(reader.position(), if may { literal.len() } else { 0 }, "{literal:02x?}");
    }
}

#[test]
fn ids_are_values_of_any_kind() {
    for id in [&b"\xc4\x03abc"[..], b"\xc4\x00", b"\xa3abc", b"\x07", b"\xc0", b"\xc5\x00\x01a"] {
        let input = id.repeat(3);
        let mut reader = Reader::new(&input, &limits(2, 2));
        assert_eq!((reader.id(), reader.id()), (Ok(id), Ok(id)));
        assert_eq!(reader.position(), 2 * id.len());
        assert_eq!(reader.id(), Err(Malformed::TooManyElements(2)), "{id:02x?}");
    }
    for cut in [&b""[..], b"\xc4", b"\xc4\x03ab", b"\xa3ab"] {
        assert_eq!(reader(cut).id(), Err(Malformed::Truncated), "{cut:02x?}");
    }
    // The event is an array, its header a map: an array in there is the third level.
    let nested = |depth| Reader::new(b"\x91\xc0", &limits(depth, 9)).id().map(<[u8]>::len);
    assert_eq!((nested(3), nested(2)), (Ok(2), Err(Malformed::TooDeep(2))));
}

#[test]
fn what_was_sound_is_read_again_without_limits() {
    let deep = [&[0x91; 600][..], b"\xc0"].concat();
    assert_eq!(Reader::again(&deep).value(0), Ok(&deep[..]));
    for (input, expected) in [
        (&b"\x90"[..], None),
        (b"\x91\xa1a", Some(&b"\xa1a"[..])),
        (b"\x92\x91\xc0\xc2", Some(b"\x91\xc0")),
        (b"\xdc\x00\x01\x07", Some(b"\x07")),
        (b"\x81\xc0\xc0", None),
        (b"\xa1a", None),
        (b"", None),
    ] {
        assert_eq!(first(input).map(|first| &input[first]), expected, "{input:02x?}");
    }
}

#[test]
fn texts_and_bytes_have_contents() {
    for (input, content, is_text) in [
        (&b"\xa2ab"[..], Some(&b"ab"[..]), true),
        (b"\xa0", Some(b""), true),
        (b"\xd9\x02ab", Some(b"ab"), true),
        (b"\xda\x00\x02ab", Some(b"ab"), true),
        (b"\xdb\x00\x00\x00\x02ab", Some(b"ab"), true),
        (b"\xc4\x02ab", Some(b"ab"), false),
        (b"\xc5\x00\x02ab", Some(b"ab"), false),
        (b"\xc6\x00\x00\x00\x02ab", Some(b"ab"), false),
        (b"\x92\xc0\xc0", None, false),
        (b"\x07", None, false),
        (b"\xd4\x00a", None, false),
        (b"", None, false),
    ] {
        assert_eq!(raw_content(input), content, "{input:02x?}");
        assert_eq!(is_str(input), is_text, "{input:02x?}");
        let text = content.filter(|_| is_text).map(|text| std::str::from_utf8(text).expect("is"));
        assert_eq!(str_content(input), text, "{input:02x?}");
    }
}

#[test]
fn numbers_are_rounded_and_saturated() {
    for (head, digits, expected) in [
        (0x00, &b""[..], Some(0)),
        (0x7f, b"", Some(127)),
        (0xe0, b"", Some(-32)),
        (0xff, b"", Some(-1)),
        (0xcc, b"\xfe", Some(0xfe)),
        (0xcd, b"\xfe\x01", Some(0xfe01)),
        (0xce, b"\xfe\x01\x02\x03", Some(0xfe01_0203)),
        (0xcf, b"\x7e\x01\x02\x03\x04\x05\x06\x07", Some(0x7e01_0203_0405_0607)),
        (0xcf, b"\x80\x00\x00\x00\x00\x00\x00\x00", Some(i64::MAX)),
        (0xd0, b"\xfe", Some(-2)),
        (0xd1, b"\xfe\x01", Some(-511)),
        (0xd2, b"\xff\xfe\x00\x00", Some(-0x2_0000)),
        (0xd3, b"\xff\xff\xff\xfe\x00\x00\x00\x00", Some(-0x2_0000_0000)),
        (0xca, &2.75_f32.to_be_bytes(), Some(2)),
        (0xca, &f32::INFINITY.to_be_bytes(), Some(i64::MAX)),
        (0xcb, &(-2.75_f64).to_be_bytes(), Some(-2)),
        (0xcb, &(-1e300_f64).to_be_bytes(), Some(i64::MIN)),
        (0xcb, &f64::NAN.to_be_bytes(), None),
        (0xa1, b"7", None),
        (0xc0, b"", None),
        (0x91, b"\x07", None),
    ] {
        let input = value(&[head], digits, 1);
        assert_eq!(number(&input), expected, "{input:02x?}");
    }
    assert_eq!(number(b""), None);
}

#[test]
fn integers_are_exact() {
    for (head, digits, expected) in [
        (0x7f, &b""[..], Some(127)),
        (0xe0, b"", Some(-32)),
        (0xcd, b"\xfe\x01", Some(0xfe01)),
        (0xcf, b"\x80\x00\x00\x00\x00\x00\x00\x00", Some(1 << 63)),
        (0xcf, b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(i128::from(u64::MAX))),
        (0xd3, b"\x80\x00\x00\x00\x00\x00\x00\x00", Some(-1 << 63)),
        (0xca, &2_f32.to_be_bytes(), None),
        (0xcb, &2_f64.to_be_bytes(), None),
        (0xa1, b"7", None),
    ] {
        let input = value(&[head], digits, 1);
        assert_eq!(integer(&input), expected, "{input:02x?}");
    }
    assert_eq!(integer(b""), None);
}

#[test]
fn what_is_written_is_in_its_shortest_form() {
    for (len, head) in [
        (0, &b"\xa0"[..]),
        (1, b"\xa1"),
        (31, b"\xbf"),
        (32, b"\xd9\x20"),
        (255, b"\xd9\xff"),
        (256, b"\xda\x01\x00"),
        (0x1_0000, b"\xdb\x00\x01\x00\x00"),
    ] {
        let mut out = BytesMut::from(&b"before"[..]);
        put_str(&mut out, &"a".repeat(len));
        assert_eq!(out, [b"before", head, &b"a".repeat(len)].concat(), "{len}");
    }
    for (number, expected) in [
        (0, &b"\x00"[..]),
        (0x7f, b"\x7f"),
        (0x80, b"\xcc\x80"),
        (0x100, b"\xcd\x01\x00"),
        (0x1_0000, b"\xce\x00\x01\x00\x00"),
        (u64::MAX, b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
    ] {
        let mut out = BytesMut::new();
        put_uint(&mut out, number);
        assert_eq!(out, expected, "{number}");
    }
    for (len, expected) in [
        (0, &b"\x80"[..]),
        (15, b"\x8f"),
        (16, b"\xde\x00\x10"),
        (0x1_0000, b"\xdf\x00\x01\x00\x00"),
    ] {
        let mut out = BytesMut::new();
        put_map(&mut out, len);
        assert_eq!(out, expected, "{len}");
    }
}
