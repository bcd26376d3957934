//! A Rust program that serves a Python module, and what its callers see of it.

use std::{env, fs, num::NonZeroUsize, sync::Arc, time::Duration};

use tempfile::TempDir;
use zerorpc::{Client, Error, Server};
use zerorpc_python::{Concurrency, PythonError, PythonOptions, PythonService};

const STOCK: &str = r#"
"""What there is."""
import asyncio, threading

things = {"nails": 3}
meeting = threading.Barrier(2)

def count(thing, fallback=0):
    """How many there are."""
    return things.get(thing, fallback)

def every():
    for thing in sorted(things):
        yield [thing, things[thing]]

def take(thing):
    things[thing] -= 1

async def later(value):
    await asyncio.sleep(0)
    return value

def meet():
    return meeting.wait(60) is not None
"#;

/// A program that serves `stock.py`, from a folder of its own.
struct Program {
    service: Arc<PythonService>,
    server: Server,
    client: Client,
    _folder: TempDir,
}

fn options(folder: &TempDir) -> PythonOptions {
    let python = env::var_os("ZERORPC_PYTHON").unwrap_or_else(|| "python3".into());
    PythonOptions::new().python(python).directory(folder.path()).quiet()
}

impl Program {
    fn start(concurrency: Concurrency) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("stock.py"), STOCK).expect("a file");
        let options = options(&folder).concurrency(concurrency);
        let service = Arc::new(PythonService::start_with("stock", options).expect("it loads"));
        let server = Server::builder()
            .service(Arc::clone(&service))
            .pool_size(Some(1))
            .bind("tcp://127.0.0.1:*")
            .build()
            .expect("a server");
        let client = Client::builder().connect(&server.endpoints()[0]);
        let client = client.timeout(Duration::from_secs(60)).build().expect("a client");
        Self { service, server, client, _folder: folder }
    }
}

#[test]
fn values_streams_and_errors_go_through() {
    let program = Program::start(Concurrency::Detect);
    let client = &program.client;
    assert_eq!(client.call::<u32>("count", ("nails",)).expect("a value"), 3);
    assert_eq!(client.call::<u32>("count", ("hooks", 7)).expect("a value"), 7);
    assert_eq!(client.call::<String>("later", ("x",)).expect("a value"), "x");
    let every: Vec<(String, u32)> =
        client.stream("every", ()).and_then(Iterator::collect).expect("a stream");
    assert_eq!(every, [("nails".to_owned(), 3)]);
    let Err(Error::Remote { error, .. }) = client.call::<()>("take", ("hooks",)) else {
        panic!("there are none");
    };
    assert_eq!((&*error.name, &*error.message), ("KeyError", "'hooks'"));
    assert!(error.traceback.contains("stock.py"), "{}", error.traceback);
    let listed: Vec<String> = client.call("_zerorpc_list", ()).expect("a list");
    assert!(listed.contains(&"count".to_owned()), "{listed:?}");
    assert_eq!(client.call::<String>("_zerorpc_name", ()).expect("a name"), "stock");
}

#[test]
fn plain_methods_meet_in_threads() {
    let two = NonZeroUsize::new(2).expect("two");
    let program = Program::start(Concurrency::Threads(two));
    let calls = [(); 2].map(|()| {
        let client = program.client.clone();
        std::thread::spawn(move || client.call::<bool>("meet", ()))
    });
    for call in calls {
        assert!(call.join().expect("no panic").expect("a value"));
    }
}

#[test]
fn the_process_ends_when_the_program_says_so() {
    let Program { service, server, client, _folder } = Program::start(Concurrency::Detect);
    client.call::<u32>("count", ("nails",)).expect("a value");
    service.withdraw();
    assert!(server.shutdown(Duration::from_secs(60)).is_complete(), "nothing was under way");
    service.close();
    assert_eq!(service.open_calls(), 0);
    let failure = service.begin("count", vec![0x91, 0xa1, b'x']).wait().expect_err("it has ended");
    assert!(failure.message.contains("shutting down"), "{failure}");
}

#[test]
fn what_cannot_be_served_can_be_matched() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("stock.py"), "import not_there_at_all").expect("a file");
    let start = |options| PythonService::start_with("stock", options).expect_err("it fails");
    let error = start(options(&folder));
    assert!(matches!(error, PythonError::Refused { .. }), "{error}");
    assert!(error.traceback().is_some_and(|text| text.contains("stock.py")), "{error:?}");
    let error = start(options(&folder).python("/nowhere/python3"));
    assert!(matches!(error, PythonError::NoPython { .. }), "{error}");
    let error = start(options(&folder).python("false"));
    assert!(matches!(error, PythonError::Ended { .. }), "{error}");
}
