//! The other end of a connection, as far as the stream tells.

use std::sync::Arc;

use zerorpc_proto::transport::{
    AuthRequest, Credential, Denied, Principal, ProcessCredentials, admit,
};

use super::EngineConfig;

/// Where a peer is, and what the system says of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Remote {
    pub(super) endpoint: Arc<str>,
    pub(super) process: Option<ProcessCredentials>,
}

impl Remote {
    /// Lets a peer in that has proven this of itself, if the socket's authenticator does.
    pub(super) fn admit(
        &self,
        config: &EngineConfig,
        credential: Credential<'_>,
    ) -> Result<Arc<Principal>, Denied> {
        let request = AuthRequest::new(credential, &self.endpoint).process(self.process);
        admit(config.authenticator.as_ref(), &request).map(Arc::new)
    }
}
