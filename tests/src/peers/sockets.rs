use serde::Serialize;
use serde_json::{Value, json};

use super::{PeerProcess, PeerSecurity, driver::Driver};

/// Sockets of pyzmq alone, of which it is asked how their handshakes end.
#[derive(Debug)]
pub struct PeerSockets(Driver);

/// One of them.
#[derive(Debug, Clone)]
pub struct PeerSocket {
    /// Its kind: `DEALER`, `ROUTER`, …
    pub kind: &'static str,
    /// Where it connects to; it is bound to a free port otherwise.
    pub connect: Option<String>,
    /// By which mechanism; NULL if none.
    pub security: Option<PeerSecurity>,
}

#[derive(Serialize)]
struct Outcome {
    socket: usize,
}

impl PeerSockets {
    pub(super) fn start(
        name: &str,
        program: std::process::Command,
        sockets: &[PeerSocket],
    ) -> Self {
        let sockets: Vec<Value> = sockets
            .iter()
            .map(|PeerSocket { kind, connect, security }| {
                let security = security.as_ref().map(PeerSecurity::to_json);
                json!({"kind": kind, "connect": connect, "security": security})
            })
            .collect();
        Self(Driver::start(name, program, &json!({"sockets": sockets})))
    }

    /// The process, whose endpoints are those of the sockets, each in its place: as bound, or as connected to.
    #[must_use]
    pub fn process(&self) -> &PeerProcess {
        self.0.process()
    }

    /// How the first handshake of a socket ended: what libzmq's monitor calls it, without `EVENT_HANDSHAKE_`.
    ///
    /// # Panics
    /// When the program has ended.
    #[must_use]
    pub fn outcome(&self, socket: usize) -> String {
        let read = |answer: Result<Value, super::PeerError>| answer.expect("an outcome");
        let told = self.0.command("outcome", &Outcome { socket }, read).wait();
        told.as_str().expect("a name").to_owned()
    }
}
