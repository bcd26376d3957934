//! NULL: READY from each side, without waiting for the other's.

use std::sync::Arc;

use zerorpc_proto::transport::{Credential, Principal};

use super::{Agreement, Context};
use crate::{Violation, command::expect, metadata, outbox::Outbox};

/// Our READY is out; the peer's is due.
#[derive(Debug)]
pub(crate) struct AwaitReady(Arc<Principal>);

impl AwaitReady {
    pub(super) fn start(context: Context<'_>, outbox: &mut Outbox) -> Result<Self, Violation> {
        let principal = context.admit(Credential::Anonymous)?;
        outbox.command("READY", &[&metadata::write(context.config)]);
        Ok(Self(principal))
    }

    pub(super) fn receive(self, body: &[u8], context: Context<'_>) -> Result<Agreement, Violation> {
        let properties = expect("READY", body)?;
        let metadata = metadata::read("READY", properties, context.config.kind)?;
        Ok(Agreement { metadata, principal: self.0, ciphers: None })
    }
}
