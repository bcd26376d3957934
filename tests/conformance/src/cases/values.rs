//! Arguments and results: what goes there comes back as it was.

use rmpv::Value;

use super::steps::{echoes, expect_named, list, must, send_raw, short_str, should, text};
use crate::{
    Trial,
    case::Case,
    event::shown,
    failure::{Failure, ensure},
};

const ECHO: &[&str] = &["echo"];

pub(super) const CASES: &[Case] = &[
    must("values.nil", "ZRPC-3.20", ECHO, "nil comes back as nil.", |trial| {
        echoes(trial, Value::Nil)
    }),
    must("values.booleans", "ZRPC-3.20", ECHO, "true and false are no numbers.", |trial| {
        echoes(trial, list(vec![true.into(), false.into()]))
    }),
    must(
        "values.integers",
        "ZRPC-3.20",
        ECHO,
        "Integers at the edges of all widths come back as integers.",
        |trial| echoes(trial, integers()),
    ),
    must(
        "values.integers-64",
        "ZRPC-3.20",
        ECHO,
        "The least of i64 and the greatest of u64 come back digit by digit.",
        |trial| echoes(trial, list(vec![i64::MIN.into(), u64::MAX.into(), (1_u64 << 63).into()])),
    ),
    must("values.floats", "ZRPC-3.20", ECHO, "Floats come back as floats of 64 bits.", |trial| {
        let floats = [0.1, -2.5, 1e308, 5e-324, f64::INFINITY, f64::NEG_INFINITY];
        echoes(trial, list(floats.into_iter().map(Value::F64).collect()))
    }),
    must(
        "values.float-not-int",
        "ZRPC-3.20",
        ECHO,
        "1.0 comes back as a float, not as the integer 1.",
        |trial| echoes(trial, Value::F64(1.0)),
    ),
    must("values.not-a-number", "ZRPC-3.20", ECHO, "NaN comes back as NaN.", not_a_number),
    must(
        "values.float32",
        "ZRPC-3.15",
        ECHO,
        "A float of 32 bits is taken; it comes back as the same number.",
        float_32,
    ),
    must("values.str", "ZRPC-3.20", ECHO, "Text of all lengths comes back as str.", |trial| {
        for length in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
            echoes(trial, text(&"s".repeat(length)))?;
        }
        Ok(())
    }),
    must("values.unicode", "ZRPC-3.20", ECHO, "Text is UTF-8, NUL and emoji included.", |trial| {
        echoes(trial, text("naïve ☃ 失敗 \u{1f980}\0 \u{10ffff}"))
    }),
    must("values.bin", "ZRPC-3.20", ECHO, "Bytes of all lengths come back as bin.", |trial| {
        for length in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
            echoes(trial, Value::Binary(vec![0xfe; length]))?;
        }
        Ok(())
    }),
    must(
        "values.bin-of-text",
        "ZRPC-3.20",
        ECHO,
        "Bytes that could be text come back as bin, and text beside them as str.",
        |trial| echoes(trial, list(vec![Value::Binary(b"text".to_vec()), text("text")])),
    ),
    must("values.arrays", "ZRPC-3.20", ECHO, "Arrays of all lengths come back.", |trial| {
        for length in [0, 15, 16, 65_535, 65_536] {
            echoes(trial, list((0..length).map(Value::from).collect()))?;
        }
        Ok(())
    }),
    must("values.maps", "ZRPC-3.20", ECHO, "Maps with str keys come back.", |trial| {
        // One key each, and many in no order that anybody promises.
        for length in [0_u32, 1, 15, 16, 70_000] {
            map_of(trial, length)?;
        }
        Ok(())
    }),
    must("values.nested", "ZRPC-3.20", ECHO, "Arrays and maps in each other come back.", |trial| {
        let inner = Value::Map(vec![(text("k"), list(vec![Value::Nil, list(vec![])]))]);
        echoes(trial, list(vec![inner.clone(), list(vec![inner])]))
    }),
    must(
        "values.array-is-one",
        "ZRPC-7.2",
        ECHO,
        "An array as result is one value: OK with [[1, 2]].",
        |trial| echoes(trial, list(vec![1.into(), 2.into()])),
    ),
    should("values.ext", "ZRPC-3.21", ECHO, "Extension types of any code come back.", |trial| {
        for (code, length) in [(0, 1), (42, 3), (127, 16), (5, 300)] {
            echoes(trial, Value::Ext(code, vec![9; length]))?;
        }
        Ok(())
    }),
    should(
        "values.timestamp",
        "ZRPC-3.21",
        ECHO,
        "The timestamp of msgpack (ext of code -1) comes back.",
        |trial| echoes(trial, Value::Ext(-1, vec![0x5e, 0x0b, 0xe1, 0x00])),
    ),
    should(
        "values.integer-keys",
        "ZRPC-3.21",
        ECHO,
        "A map with integer keys comes back. (Python's reader drops the whole event.)",
        |trial| echoes(trial, Value::Map(vec![(1.into(), 2.into())])),
    ),
    should("values.bin-keys", "ZRPC-3.21", ECHO, "A map with bin keys comes back.", |trial| {
        echoes(trial, Value::Map(vec![(Value::Binary(b"k".to_vec()), 2.into())]))
    }),
    must("values.blob", "ZRPC-3.20", &["blob"], "Bytes as result are bin.", |trial| {
        let mut peer = trial.connect()?;
        let channel = peer.request("blob", vec![100_000.into()])?;
        let answer = expect_named(&mut peer, &channel, "OK", trial.soon())?;
        let expected = Value::Binary(vec![0; 100_000]);
        ensure(answer.first() == Some(&expected), "bin of 100000 zeros", answer.to_string())
    }),
    must(
        "values.long-forms",
        "ZRPC-3.15",
        ECHO,
        "Values in longer forms than needed are taken as the same values.",
        long_forms,
    ),
];

fn integers() -> Value {
    let mut edges: Vec<Value> = Vec::new();
    for power in [5, 7, 8, 15, 16, 31, 32, 52] {
        let edge = 1_i64 << power;
        edges.extend([edge - 1, edge, -edge, -edge - 1].map(Value::from));
    }
    edges.push(0.into());
    list(edges)
}

fn not_a_number(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("echo", vec![Value::F64(f64::NAN)])?;
    let answer = expect_named(&mut peer, &channel, "OK", trial.soon())?;
    let is_nan = matches!(answer.first(), Some(Value::F64(number)) if number.is_nan());
    ensure(is_nan, "NaN as a float of 64 bits", answer.to_string())
}

fn float_32(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    // 1.5, which both widths hold.
    let id = send_raw(&mut peer, &short_str("echo"), b"\x91\xca\x3f\xc0\x00\x00")?;
    let answer = expect_named(&mut peer, &id, "OK", trial.soon())?;
    let number = answer.first().and_then(Value::as_f64);
    ensure(number == Some(1.5), "the float 1.5", answer.to_string())
}

fn map_of(trial: &mut Trial, length: u32) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let pairs = (0..length).map(|key| (text(&format!("key-{key:06}")), Value::from(key)));
    let pairs: Vec<(Value, Value)> = pairs.collect();
    let channel = peer.request("echo", vec![Value::Map(pairs.clone())])?;
    let answer = expect_named(&mut peer, &channel, "OK", trial.soon())?;
    let mut seen = match answer.first() {
        Some(Value::Map(pairs)) => pairs.clone(),
        _ => return Err(Failure::new("a map", answer.to_string())),
    };
    seen.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
    ensure(seen == pairs, format!("the same {length} pairs"), shown(&Value::Map(seen)))
}

fn long_forms(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let forms: [(&[u8], Value); 6] = [
        (b"\xcd\x00\x01", 1.into()),
        (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", (-1).into()),
        (b"\xdb\x00\x00\x00\x01s", text("s")),
        (b"\xc6\x00\x00\x00\x01b", Value::Binary(b"b".to_vec())),
        (b"\xdd\x00\x00\x00\x01\xc0", list(vec![Value::Nil])),
        (b"\xdf\x00\x00\x00\x01\xa1k\xc0", Value::Map(vec![(text("k"), Value::Nil)])),
    ];
    for (form, value) in forms {
        let id = send_raw(&mut peer, &short_str("echo"), &[b"\x91", form].concat())?;
        super::steps::expect_ok(&mut peer, &id, &value, trial.soon())?;
    }
    Ok(())
}
