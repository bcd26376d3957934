//! A client in this process and a server in another one.

use std::process::Command;

use zerorpc::{Client, TransportKind};
use zerorpc_tests::peers::{PeerProcess, ServeOptions};

use super::{Allocations, allocated};

/// How many calls are made for one count.
const CALLS: u64 = 1000;

/// How many items a stream has at least, and how many more the other one has for the count.
const ITEMS: [u64; 2] = [1000, 10_000];

/// How many times everything is counted. The least counts: growing and waiting only add.
const ROUNDS: usize = 5;

/// A client that is connected to its server, both of which have made all the calls there are.
pub(crate) struct Stack {
    client: Client,
    _server: PeerProcess,
}

impl Stack {
    pub(crate) fn start() -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_counted"));
        let server = PeerProcess::of_program("counted", command, &ServeOptions::default());
        let client = Client::builder()
            .transport(TransportKind::Mio)
            .connect(server.endpoint())
            .build()
            .expect("a client");
        let stack = Self { client, _server: server };
        stack.echo(CALLS);
        stack.numbers(ITEMS[0]);
        stack
    }

    /// A small call.
    pub(crate) fn call(&self) -> Allocations {
        self.least(CALLS, || self.cost(|| self.echo(CALLS)))
    }

    /// An item of a stream, by how much more a longer stream takes.
    pub(crate) fn item(&self) -> Allocations {
        let [some, more] = ITEMS;
        self.least(more, || {
            let (short, long) =
                (self.cost(|| self.numbers(some)), self.cost(|| self.numbers(some + more)));
            Allocations { client: long.client - short.client, server: long.server - short.server }
        })
    }

    fn least(&self, times: u64, mut count: impl FnMut() -> Allocations) -> Allocations {
        let mut least = Allocations { client: f64::INFINITY, server: f64::INFINITY };
        for _ in 0..ROUNDS {
            let Allocations { client, server } = count();
            least.client = least.client.min(client / times as f64);
            least.server = least.server.min(server / times as f64);
        }
        least
    }

    /// What some work costs each side.
    fn cost(&self, work: impl FnOnce()) -> Allocations {
        // Asking the server costs it something as well: once that, between two questions.
        let (first, before) = (self.server_allocated(), self.server_allocated());
        let client = allocated();
        work();
        let client = allocated() - client;
        let server = self.server_allocated() - before - (before - first);
        Allocations { client: client as f64, server: server as f64 }
    }

    fn server_allocated(&self) -> i64 {
        self.client.call("allocations", ()).expect("a number")
    }

    fn echo(&self, count: u64) {
        for number in 0..count {
            let answer: u64 = self.client.call("echo", (number,)).expect("an answer");
            assert_eq!(answer, number);
        }
    }

    fn numbers(&self, count: u64) {
        let mut items = self.client.stream::<u64>("numbers", (count,)).expect("a stream");
        for number in 0..count {
            assert_eq!(items.next().and_then(Result::ok), Some(number));
        }
        assert!(items.next().is_none(), "the stream has ended");
    }
}
