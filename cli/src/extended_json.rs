//! The JSON forms of values that JSON lacks, used for results and accepted back in `--json` parameters.
//!
//! | msgpack | JSON |
//! |---|---|
//! | nil, booleans, str, array, map with str keys | `null`, `true`, `"text"`, `[…]`, `{…}` |
//! | integers, the whole range of u64 and i64 | `18446744073709551615` |
//! | floats | `1.0` (always with a point or an exponent), `{"$float": "nan"}`, `"inf"`, `"-inf"` |
//! | bin, and a str that is not UTF-8 | `{"$bin": "3q2+7w=="}` (standard base64 with padding) |
//! | timestamp | `{"$timestamp": [seconds, nanoseconds]}` since 1970, seconds may be negative |
//! | other extensions | `{"$ext": [code, "base64"]}` |
//! | map with any other key | `{"$map": [[key, value], …]}` |
//!
//! An object with exactly one key, and that key one of the above, is always such a form. A real map that looks
//! like one is therefore written as `$map`; so every value has one form, and every form one value.

/// Bytes.
pub(crate) const BIN: &str = "$bin";
/// A float that JSON has no number for.
pub(crate) const FLOAT: &str = "$float";
/// A point in time.
pub(crate) const TIMESTAMP: &str = "$timestamp";
/// An extension type.
pub(crate) const EXT: &str = "$ext";
/// A map whose keys are not all strings.
pub(crate) const MAP: &str = "$map";

/// The spellings of the floats that JSON has no number for.
pub(crate) const FLOATS: [(&str, f64); 3] =
    [("nan", f64::NAN), ("inf", f64::INFINITY), ("-inf", f64::NEG_INFINITY)];

/// The forms in short, as `--help` shows them.
pub(crate) const HELP: &str = r#"Values that JSON lacks, in results and in --json parameters:
  {"$bin": "3q2+7w=="}                   bytes, in base64
  {"$float": "nan"}                      also "inf", "-inf"
  {"$timestamp": [1700000000, 5]}        seconds and nanoseconds since 1970
  {"$ext": [42, "AQI="]}                 extension type, in base64
  {"$map": [[1, "one"], [2, "two"]]}     a map whose keys are not all strings"#;

/// Whether an object whose only key is `key` is one of the forms.
pub(crate) fn is_form(key: &str) -> bool {
    [BIN, FLOAT, TIMESTAMP, EXT, MAP].contains(&key)
}

pub(crate) mod timestamp {
    //! The timestamp extension of msgpack: 4, 8 or 12 bytes under code -1.

    /// The extension's code.
    pub(crate) const CODE: i8 = -1;

    const NANOS_PER_SECOND: u32 = 1_000_000_000;

    /// Seconds since 1970 and nanoseconds; `None` if the bytes are no legal timestamp.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(i64, u32)> {
        let (seconds, nanos) = match *bytes {
            [a, b, c, d] => (i64::from(u32::from_be_bytes([a, b, c, d])), 0),
            [a, b, c, d, e, f, g, h] => {
                let both = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                // 30 bits of nanoseconds, then 34 of seconds: neither conversion can fail.
                let nanos = u32::try_from(both >> 34).ok()?;
                (i64::try_from(both & ((1 << 34) - 1)).ok()?, nanos)
            }
            [n0, n1, n2, n3, a, b, c, d, e, f, g, h] => {
                let seconds = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
                (seconds, u32::from_be_bytes([n0, n1, n2, n3]))
            }
            _ => return None,
        };
        (nanos < NANOS_PER_SECOND).then_some((seconds, nanos))
    }

    /// The shortest encoding; `None` if there is a second or more of nanoseconds.
    pub(crate) fn encode(seconds: i64, nanos: u32) -> Option<Vec<u8>> {
        if nanos >= NANOS_PER_SECOND {
            return None;
        }
        if let (Ok(seconds), 0) = (u32::try_from(seconds), nanos) {
            return Some(seconds.to_be_bytes().to_vec());
        }
        match u64::try_from(seconds) {
            Ok(seconds) if seconds >> 34 == 0 => {
                Some((u64::from(nanos) << 34 | seconds).to_be_bytes().to_vec())
            }
            _ => Some([&nanos.to_be_bytes()[..], &seconds.to_be_bytes()].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::timestamp::{decode, encode};

    #[test]
    fn timestamps_of_each_width_come_back() {
        for (seconds, nanos, width) in [
            (0, 0, 4),
            (u32::MAX.into(), 0, 4),
            (1_700_000_000, 5, 8),
            (1 << 32, 0, 8),
            ((1 << 34) - 1, 999_999_999, 8),
            (1 << 34, 0, 12),
            (-1, 0, 12),
            (i64::MIN, 1, 12),
        ] {
            let bytes = encode(seconds, nanos).expect("legal nanoseconds");
            assert_eq!(bytes.len(), width, "{seconds} {nanos}");
            assert_eq!(decode(&bytes), Some((seconds, nanos)));
        }
    }

    #[test]
    fn illegal_timestamps_are_refused() {
        assert_eq!(encode(0, 1_000_000_000), None);
        assert_eq!(decode(&[0; 5]), None);
        assert_eq!(decode(&[0xff; 8]), None);
        assert_eq!(decode(&[0xff; 12]), None);
    }
}
