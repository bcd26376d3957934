//! What all these tests need.

use std::{env, ffi::OsString, num::NonZeroUsize, path::PathBuf, time::Duration};

use bytes::Bytes;
use rmpv::Value;
use zerorpc::Failure;
use zerorpc_python::{
    Concurrency, PythonAnswer, PythonCall, PythonItems, PythonOptions, PythonService,
};

pub(crate) fn modules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/modules")
}

/// The interpreter that is tested.
pub(crate) fn python() -> OsString {
    env::var_os("ZERORPC_PYTHON").unwrap_or_else(|| "python3".into())
}

pub(crate) fn options() -> PythonOptions {
    let options = PythonOptions::new().directory(modules()).restart_wait(Duration::from_secs(60));
    options.python(python())
}

pub(crate) fn serve(target: &str) -> PythonService {
    PythonService::start_with(target, options()).expect("the fixture loads")
}

/// As `--threads`.
pub(crate) fn serve_in_threads(target: &str, threads: usize) -> PythonService {
    let threads = NonZeroUsize::new(threads).expect("at least one");
    let options = options().concurrency(Concurrency::Threads(threads));
    PythonService::start_with(target, options).expect("the fixture loads")
}

/// Both ways to run plain methods.
pub(crate) fn serve_both(target: &str) -> [PythonService; 2] {
    [serve(target), serve_in_threads(target, 64)]
}

pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).expect("a Vec takes everything");
    out
}

pub(crate) fn decode(bytes: &Bytes) -> Value {
    rmpv::decode::read_value(&mut &bytes[..]).expect("Python sends msgpack")
}

pub(crate) fn begin(service: &PythonService, method: &str, args: &[Value]) -> PythonCall {
    service.begin(method, encode(&Value::Array(args.to_vec())))
}

/// Calls a method whose result is one value.
pub(crate) fn call(
    service: &PythonService,
    method: &str,
    args: &[Value],
) -> Result<Value, Failure> {
    finish(begin(service, method, args))
}

pub(crate) fn finish(call: PythonCall) -> Result<Value, Failure> {
    match call.wait()? {
        PythonAnswer::Value(value) => Ok(decode(&value)),
        PythonAnswer::Stream(_) => panic!("a stream came where a value was expected"),
    }
}

/// Calls a method whose result is a stream.
pub(crate) fn stream(service: &PythonService, method: &str, args: &[Value]) -> PythonItems {
    match begin(service, method, args).wait().expect("the method succeeds") {
        PythonAnswer::Stream(items) => items,
        PythonAnswer::Value(value) => panic!("{} came where a stream was expected", decode(&value)),
    }
}

/// Asks again and again until the answer is right; fails after a minute.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "in vain waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
