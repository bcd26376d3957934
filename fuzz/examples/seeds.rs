//! Writes what corpora begin with: recorded messages (`tests/vectors`) and examples of each grammar, as scripts of the targets.
//!
//! `cargo run --example seeds -- FOLDER` fills `FOLDER/TARGET`.

use std::{env, fs, io, path::Path};

use zerorpc_tests::vectors;

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).expect("usage: seeds FOLDER");
    let folder = Path::new(&folder);
    let mut payloads = Vec::new();
    for file in vectors::FILES.into_iter().chain(["broken"]) {
        let vectors = vectors::load(file).into_iter().filter(|vector| !vector.frames.is_empty());
        payloads.extend(vectors.map(|vector| vector.payload().to_vec()));
    }
    // The largest say nothing that small ones don't.
    payloads.retain(|payload| payload.len() < 500);
    // Behind the front of each script: default limits, no frames, bytes as they are.
    write(folder, "event", &[0, 0], &payloads)?;
    write(folder, "msgpack", &[0, 0], &payloads)?;
    let values: Vec<Vec<u8>> = payloads
        .iter()
        .filter_map(|payload| {
            let event = rmpv::decode::read_value(&mut &payload[..]).ok()?;
            let mut value = Vec::new();
            rmpv::encode::write_value(&mut value, event.as_array()?.last()?).ok()?;
            Some(value)
        })
        .collect();
    write(folder, "json", &[0], &values)?;
    write(folder, "inspect", &[0, 1], &values)?;
    write(folder, "inspect", &[1, 1], &values)?;
    write(folder, "json", &[1], &JSON.map(|text| text.as_bytes().to_vec()))?;
    write(folder, "endpoint", &[0], &ENDPOINTS.map(|text| text.as_bytes().to_vec()))?;
    write(folder, "bridge", &[0, 255, 255], &frames(&values))
}

/// Texts with every form of what JSON lacks.
const JSON: [&str; 8] = [
    r#"[null,true,-1,18446744073709551615,-9223372036854775808]"#,
    r#"[1.0,-0.0,1e300,5e-324]"#,
    r#"{"$bin":"3q2+7w=="}"#,
    r#"[{"$float":"nan"},{"$float":"inf"},{"$float":"-inf"}]"#,
    r#"{"$timestamp":[1700000000,5]}"#,
    r#"{"$ext":[42,"AQI="]}"#,
    r#"{"$map":[[1,2],["a",{"$map":[[null,{"$bin":"AA=="}]]}]]}"#,
    r#"{"a":"text é \" \\ \n \u0000","b":18446744073709551616}"#,
];

const ENDPOINTS: [&str; 12] = [
    "tcp://127.0.0.1:1234",
    "tcp://*:*",
    "tcp://[::1]:65535",
    "tcp://[fe80::1%eth0]:1",
    "tcp://host-1.example:80?connections=2",
    "tcp://127.0.0.2:99;host:80",
    "ipc:///tmp/time",
    "ipc://@time",
    "ipc://*",
    "inproc://time",
    "[::1]:80",
    "192.0.2.1:80",
];

/// What a child says: a frame of each kind that carries values.
fn frames(values: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let kinds = [0, 1, 2, 4, 6, 32, 33, 34, 35, 38];
    let frame = |(value, kind): (&Vec<u8>, u8)| {
        let head = [(value.len() as u64).to_be_bytes(), 7_u64.to_be_bytes()].concat();
        [&head[..], &[kind], value].concat()
    };
    values.iter().zip(kinds.into_iter().cycle()).map(frame).collect()
}

/// Writes each script to a file of its own.
fn write(folder: &Path, target: &str, front: &[u8], rest: &[Vec<u8>]) -> io::Result<()> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    for (number, rest) in rest.iter().enumerate() {
        let front_name: String = front.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(folder.join(format!("seed-{front_name}-{number}")), [front, rest].concat())?;
    }
    Ok(())
}
