//! A server process of the tests' service, whose memory can be looked at: `blobs OPTIONS`, told and telling as the
//! peers' programs are.
//!
//! It ends when its stdin does.

use std::{error::Error, io};

use serde_json::{Value, json};
use zerorpc::{Server, TransportKind};
use zerorpc_tests::service;

/// Gives back to the system what glibc keeps of it: 0.4 GB of the 0.6 that it takes to serve eight peers which read
/// nothing of large answers. Not on a thread that serves callers: it takes some time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    std::thread::spawn(|| {
        #[expect(unsafe_code, reason = "there is no safe way to tell glibc")]
        // SAFETY: it takes a number, has no preconditions, and may be called at any time (MT-Safe in its manual).
        unsafe {
            libc::malloc_trim(0);
        }
    });
}

/// Other allocators give it back by themselves, or as they like.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

fn main() -> Result<(), Box<dyn Error>> {
    let options = std::env::args().nth(1).ok_or("options are needed")?;
    let options: Value = serde_json::from_str(&options)?;
    let (methods, _) = service::methods();
    let builder = Server::builder().transport(TransportKind::Mio).service(methods).on_freed(trim);
    let endpoints = options["bind"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let server = endpoints.fold(builder, |builder, endpoint| builder.bind(endpoint)).build()?;
    println!("ready {}", json!({ "endpoints": server.endpoints() }));
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
