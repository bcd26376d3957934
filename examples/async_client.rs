//! Many calls in flight from one thread, in async code.
//!
//! ```sh
//! cargo run --example async_client                        # with a server of its own
//! cargo run --example async_client -- tcp://127.0.0.1:4242  # with one that has the methods `square` and `count`
//! ```
//!
//! What `start` and `start_stream` return are futures and streams of no runtime in particular: here they run in the
//! executor of `futures-lite`, under tokio or smol they are awaited just so. The client's own thread wakes them.

use futures_lite::{StreamExt, future::block_on};
use zerorpc::{Client, Error, Methods, Server};

fn main() -> Result<(), Error> {
    let service = Methods::new("numbers")
        .method("square", |n: i64| Ok(n * n))
        .stream("count", |to: i64| Ok(0..to));
    let (_server, endpoint) = match std::env::args().nth(1) {
        Some(endpoint) => (None, endpoint),
        None => {
            let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").build()?;
            let endpoint = server.endpoints()[0].clone();
            (Some(server), endpoint)
        }
    };
    let client = Client::connect(&endpoint)?;
    block_on(async {
        // A request is on its way when `start` returns, before anybody awaits its answer.
        let calls: Result<Vec<_>, _> =
            (0..100).map(|n: i64| client.start::<i64>("square", (n,))).collect();
        let mut sum = 0;
        for call in calls? {
            sum += call.await?;
        }
        println!("100 calls, the sum of their answers is {sum}");

        let mut numbers = client.start_stream::<i64>("count", (1000,))?;
        let mut count = 0;
        while let Some(number) = numbers.next().await {
            number?;
            count += 1;
        }
        println!("{count} items");
        // Dropping a future, or a stream, forgets its call.
        Ok::<(), Error>(())
    })
}
