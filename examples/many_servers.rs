//! One client with several servers, some of which come and go.
//!
//! ```sh
//! cargo run --example many_servers                                   # with servers of its own alone
//! cargo run --example many_servers -- tcp://10.0.0.1:4242 tcp://10.0.0.2:4242
//! ```
//!
//! Servers that are named must have the method `who`, without arguments, and answer with a text.

use std::{collections::BTreeMap, thread, time::Duration};

use zerorpc::{Client, Error, Methods, Pending, Server};

/// A server that tells its name, and takes a moment to remember it.
fn start(name: &'static str) -> Result<Server, Error> {
    let service = Methods::new("somebody").method("who", move || {
        thread::sleep(Duration::from_millis(50));
        Ok(name)
    });
    Server::builder().service(service).bind("tcp://127.0.0.1:*").build()
}

/// Makes many calls side by side, and counts who answers them.
fn ask_around(client: &Client, when: &str) -> Result<(), Error> {
    let calls: Result<Vec<Pending<String>>, _> = (0..30).map(|_| client.start("who", ())).collect();
    let mut answers = BTreeMap::<String, u32>::new();
    for call in calls? {
        *answers.entry(call.wait()?).or_default() += 1;
    }
    println!("{when}: {answers:?}");
    Ok(())
}

fn main() -> Result<(), Error> {
    let first = start("the first")?;
    let second = start("the second")?;

    // Each call goes to the server that is up and has the fewest of this client's. Nothing is the matter with a server
    // that is down: the others get the calls until it is there.
    let mut builder = Client::builder();
    for server in [&first, &second] {
        builder = builder.connect(&server.endpoints()[0]);
    }
    for endpoint in std::env::args().skip(1) {
        builder = builder.connect(&endpoint);
    }
    let client = builder.build()?;
    ask_around(&client, "together")?;

    // A server that stops tells its callers so, and finishes what it has begun. What reaches it all the same goes to another
    // one: no call fails for it.
    let calls: Result<Vec<Pending<String>>, _> = (0..30).map(|_| client.start("who", ())).collect();
    let in_time = first.shutdown(Duration::from_secs(10)).is_complete();
    drop(first);
    let answers = calls?.into_iter().map(Pending::wait).collect::<Result<Vec<_>, _>>()?;
    println!("meanwhile: {} answers of 30, all in time: {in_time}", answers.len());
    ask_around(&client, "without the first")?;

    // Links are made and undone while calls go on.
    let third = start("the third")?;
    client.links().connect(&third.endpoints()[0])?;
    client.links().disconnect(&second.endpoints()[0])?;
    ask_around(&client, "with the third instead of the second")
}
