//! The transports of both sides of a conversation, and tests that run over each combination of them.

use zerorpc::{Client, ClientBuilder, Server, ServerBuilder, TransportKind};

use crate::service::{self, Seen};

/// What a client and its server use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The client's side.
    pub client: TransportKind,
    /// The server's side.
    pub server: TransportKind,
}

impl Pair {
    /// How to make a client.
    pub fn client(self) -> ClientBuilder {
        Client::builder().transport(self.client)
    }

    /// A client with all defaults.
    ///
    /// # Panics
    ///
    /// When the endpoint cannot be used.
    #[must_use]
    pub fn connect(self, endpoint: &str) -> Client {
        self.client().connect(endpoint).build().expect("a client")
    }

    /// A client of a server, with all defaults.
    #[must_use]
    pub fn client_of(self, server: &Server) -> Client {
        self.client_with(server, |builder| builder)
    }

    /// A client of a server, with options.
    ///
    /// # Panics
    ///
    /// When the options do not go together.
    #[must_use]
    pub fn client_with(
        self,
        server: &Server,
        options: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Client {
        let builder = self.client().connect(&server.endpoints()[0]);
        options(builder).build().expect("a client")
    }

    /// How to make a server.
    pub fn server(self) -> ServerBuilder {
        Server::builder().transport(self.server)
    }

    /// A server of the tests' service on a free port.
    #[must_use]
    pub fn serve(self) -> (Server, Seen) {
        service::serve(self.server)
    }

    /// A server of the tests' service on a free port, with options.
    #[must_use]
    pub fn serve_with(
        self,
        options: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> (Server, Seen) {
        service::serve_with(self.server, options)
    }
}

/// Makes tests of functions that take a [`Pair`]: one for each transport, and for each mixture.
#[macro_export]
macro_rules! over_each_pair {
    ($($check:ident),+ $(,)?) => {
        $crate::over_each_pair!(@ over_mio Mio Mio $($check)+);
        $crate::over_each_pair!(@ over_zmq Zmq Zmq $($check)+);
        $crate::over_each_pair!(@ mio_to_zmq Mio Zmq $($check)+);
        $crate::over_each_pair!(@ zmq_to_mio Zmq Mio $($check)+);
    };
    (@ $name:ident $client:ident $server:ident $($check:ident)+) => {
        mod $name {
            use zerorpc::TransportKind;

            const PAIR: $crate::transports::Pair = $crate::transports::Pair {
                client: TransportKind::$client,
                server: TransportKind::$server,
            };

            $(
                #[test]
                fn $check() {
                    super::$check(PAIR);
                }
            )+
        }
    };
}

/// Makes tests of functions that take a [`TransportKind`], for those that have a foreign peer on the other side.
#[macro_export]
macro_rules! over_each_transport {
    ($($check:ident),+ $(,)?) => {
        $crate::over_each_transport!(@ over_mio Mio $($check)+);
        $crate::over_each_transport!(@ over_zmq Zmq $($check)+);
    };
    (@ $name:ident $kind:ident $($check:ident)+) => {
        mod $name {
            $(
                #[test]
                fn $check() {
                    super::$check(zerorpc::TransportKind::$kind);
                }
            )+
        }
    };
}
