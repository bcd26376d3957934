//! NULL: READY from each side, without waiting for the other's.

use crate::{
    EngineConfig, Violation,
    command::expect,
    metadata::{self, Metadata},
    outbox::Outbox,
};

/// Our READY is out; the peer's is due.
#[derive(Debug)]
pub(crate) struct AwaitReady(());

impl AwaitReady {
    pub(super) fn start(config: &EngineConfig, outbox: &mut Outbox) -> Self {
        outbox.command("READY", &[&metadata::write(config)]);
        Self(())
    }

    pub(super) fn receive(self, body: &[u8], config: &EngineConfig) -> Result<Metadata, Violation> {
        let properties = expect("READY", body)?;
        metadata::read("READY", properties, config.kind)
    }
}
