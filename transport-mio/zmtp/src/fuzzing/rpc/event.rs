//! Events as strangers write them.

use arbitrary::Unstructured;

/// The names that mean something, and one that is a method.
const NAMES: [&str; 12] = [
    "f",
    "OK",
    "ERR",
    "STREAM",
    "STREAM_DONE",
    "_zpc_hb",
    "_zpc_more",
    "_zpc_stream_stop",
    "_zerorpc_inspect",
    "",
    "w",
    "OK",
];

/// A message of ZMTP 3 with an event; `known` is the id of a request that there was.
pub(super) fn message(script: &mut Unstructured<'_>, known: &[u8]) -> arbitrary::Result<Vec<u8>> {
    let mut header = vec![0x82];
    header.extend(b"\xaamessage_id");
    id(script, known, &mut header)?;
    header.extend(b"\xa1v");
    header.push(*script.choose(&[3, 3, 3, 2, 1, 0, 0xc0])?);
    if script.ratio(2_u8, 3_u8)? {
        header[0] += 1;
        header.extend(b"\xabresponse_to");
        id(script, known, &mut header)?;
    }
    if script.ratio(1_u8, 8_u8)? {
        header[0] += 1;
        header.extend(*script.choose(&[&b"\xad_zpc_lossless\xc3"[..], b"\xad_zpc_returned\xc3"])?);
    }
    let name = script.choose(&NAMES)?;
    let mut event = vec![0x93];
    event.extend(header);
    event.push(0xa0 | name.len() as u8);
    event.extend(name.bytes());
    match script.int_in_range(0..=7_u8)? {
        0 => event.push(0xc0),
        1 => event.extend([0x91, 0xcc, script.arbitrary()?]),
        2 => event.extend(b"\x93\xa1E\xa1m\xa1t"),
        3 => {
            let size: u16 = script.int_in_range(0..=5000)?;
            event.extend([0x91, 0xc5]);
            event.extend(size.to_be_bytes());
            event.extend(vec![0; size.into()]);
        }
        4 => event.extend([0xce, 0xff, 0xff, 0xff, script.arbitrary()?]),
        5 => event.extend([
            0x91,
            0xd3,
            0x7f,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            0xff,
            script.arbitrary()?,
        ]),
        _ => event.push(0x90),
    }
    if script.ratio(1_u8, 8_u8)? {
        let at = script.choose_index(event.len())?;
        event[at] = script.arbitrary()?;
    }
    let mut out = if script.ratio(7_u8, 8_u8)? { vec![1, 0] } else { vec![1, 1, b'x', 1, 0] };
    out.push(2);
    out.extend((event.len() as u64).to_be_bytes());
    out.extend(event);
    Ok(out)
}

fn id(script: &mut Unstructured<'_>, known: &[u8], out: &mut Vec<u8>) -> arbitrary::Result<()> {
    match script.int_in_range(0..=7_u8)? {
        0 => out.push(script.int_in_range(0..=0x7f)?),
        1 => out.extend([0xa2, b'i', script.int_in_range(b'a'..=b'z')?]),
        2 => out.extend([0xc4, 1, script.arbitrary()?]),
        3 => out.push(0x90),
        _ if known.is_empty() => out.extend(b"\xa2id"),
        _ => out.extend(known),
    }
    Ok(())
}

/// The id of the last event of which these bytes hold the header: a bin, as our own sessions draw them.
pub(super) fn id_in(bytes: &[u8]) -> Option<Vec<u8>> {
    const KEY: &[u8] = b"\xaamessage_id\xc4";
    let at = bytes.windows(KEY.len()).rposition(|window| window == KEY)? + KEY.len();
    let length = usize::from(*bytes.get(at)?);
    Some([&[0xc4], bytes.get(at..=at + length)?].concat())
}
