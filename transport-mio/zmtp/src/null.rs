//! NULL: READY from each side, without waiting for the other's.

use super::{
    EngineConfig, Violation,
    mechanism::{Turn, expect},
    metadata,
    outbox::Outbox,
};

/// Our READY is out; the peer's is due.
#[derive(Debug)]
pub(super) struct AwaitReady(());

impl AwaitReady {
    pub(super) fn start(config: &EngineConfig, outbox: &mut Outbox) -> Self {
        outbox.command("READY", &[&metadata::write(config)]);
        Self(())
    }

    pub(super) fn receive(self, body: &[u8], config: &EngineConfig) -> Result<Turn, Violation> {
        let properties = expect("READY", body)?;
        metadata::read("READY", properties, config.kind).map(Turn::Done)
    }
}
