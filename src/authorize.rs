//! Who may call what.

use zerorpc_proto::transport::Principal;

use crate::{
    failure::{Failure, shown},
    request::Request,
    service::{Method, Service},
};

/// Says which peers may call which methods.
///
/// It is asked before anything of the service runs, for each call and for each method that introspection is about to show; so
/// it should be quick. The built-in methods (`_zerorpc_list`, `_zerorpc_inspect`, …) are open to everybody who
/// came in, and show what the caller may call. Who is not allowed to call a method is not told whether there is one: the
/// answer is an error of the name [`PermissionDenied`](Failure::PERMISSION_DENIED).
///
/// ```
/// use std::sync::Arc;
/// use zerorpc::{
///     AuthRequest, Authenticator, Client, Credential, Denied, Error, Methods, PlainCredentials, Principal, Security,
///     Server, SocketOptions,
/// };
///
/// // Who may come in, and under which name.
/// let users: Arc<dyn Authenticator> = Arc::new(|request: &AuthRequest<'_>| match &request.credential {
///     Credential::Password { username: b"ada", password, .. } if password.is(b"lovelace") => Ok("ada".to_owned()),
///     _ => Err(Denied::new("unknown user or wrong password")),
/// });
/// let server = Server::builder()
///     .service(Methods::new("engine").method("run", || Ok(42)).method("stop", || Ok(())))
///     .socket_options(SocketOptions::new().security(Security::PlainServer).authenticator(users))
///     .authorize(|peer: &Principal, method: &str| peer.name.as_deref() == Some("ada") && method != "stop")
///     .bind("tcp://127.0.0.1:*")
///     .build()?;
///
/// let ada = PlainCredentials::new("ada", "lovelace").ok_or("too long")?;
/// let client = Client::builder()
///     .socket_options(SocketOptions::new().security(Security::PlainClient(ada)))
///     .connect(&server.endpoints()[0])
///     .build()?;
/// assert_eq!(client.call::<i32>("run", ())?, 42);
/// match client.call::<()>("stop", ()) {
///     Err(Error::Remote { error, .. }) => assert_eq!(error.name, "PermissionDenied"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Authorizer: Send + Sync {
    /// Whether `peer` may call `method`, which need not exist.
    fn may_call(&self, peer: &Principal, method: &str) -> bool;
}

impl<F: Fn(&Principal, &str) -> bool + Send + Sync> Authorizer for F {
    fn may_call(&self, peer: &Principal, method: &str) -> bool {
        self(peer, method)
    }
}

/// A service, and who may call what of it.
pub(crate) struct Guarded<'a> {
    pub(crate) service: &'a dyn Service,
    /// Without one, everybody may call everything.
    pub(crate) authorizer: Option<&'a dyn Authorizer>,
}

impl Guarded<'_> {
    /// Fails a request for a method that its caller may not call.
    pub(crate) fn check(&self, request: &Request, method: &str) -> Result<(), Failure> {
        if self.may_call(request, method) {
            return Ok(());
        }
        let peer = request.peer();
        tracing::debug!(method, remote = &*peer.remote, "{peer} may not call this");
        Err(Failure::permission_denied(peer, method))
    }

    /// The methods that introspection shows the caller.
    pub(crate) fn methods(&self, request: &Request) -> Result<Vec<Method>, Failure> {
        let mut methods = self.service.methods()?;
        if self.authorizer.is_some() {
            methods.retain(|method| self.may_call(request, &method.name));
        }
        Ok(methods)
    }

    fn may_call(&self, request: &Request, method: &str) -> bool {
        self.authorizer.is_none_or(|authorizer| authorizer.may_call(request.peer(), method))
    }
}

impl Failure {
    /// The name of the failure with which a call is answered that its caller may not make.
    pub const PERMISSION_DENIED: &str = "PermissionDenied";

    /// The answer to a call that this peer may not make; of a long name, the first 100 characters.
    #[must_use]
    pub fn permission_denied(peer: &Principal, method: &str) -> Self {
        let method = shown(method);
        let message =
            format!("{peer} may not call {method} here; whoever runs the service can allow it");
        Self::new(Self::PERMISSION_DENIED, message)
    }
}
