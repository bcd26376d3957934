//! Who may come in, and as whom: mechanisms of sockets, their keys, and what is known of peers.

mod keys;
mod principal;

use std::{fmt, sync::Arc};

pub use keys::{InvalidKey, KeyPair, PublicKey, SecretKey};
pub use principal::{Denied, MechanismName, Principal, ProcessCredentials};
use zeroize::Zeroizing;

/// How the two sides of a connection make sure of each other, and what this side needs for it. Both must use the same
/// mechanism; anything else ends the handshake, in both directions.
///
/// Secrets are wiped when they are dropped, and appear in no `Debug` text.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Security {
    /// Not at all: whoever connects is let in, and whoever is on the way reads everything. The default.
    #[default]
    Null,
    /// This side shows a name and a password, in the clear (24/ZMTP-PLAIN).
    PlainClient(PlainCredentials),
    /// Peers show a name and a password, in the clear; the socket's [`Authenticator`] says whether they are good. Without
    /// one, nobody comes in.
    PlainServer,
    /// This side proves that it has a key, and talks only to the server that has another (25/ZMTP-CURVE).
    CurveClient {
        /// This side's own.
        keys: KeyPair,
        /// The public key of the server that is expected.
        server: PublicKey,
    },
    /// Peers know this side by its key, and prove that they have theirs; the socket's [`Authenticator`] says which of them
    /// come in. Without one, everybody does who knows this side's public key.
    CurveServer {
        /// This side's own.
        keys: KeyPair,
    },
}

impl Security {
    /// What it is called.
    #[must_use]
    pub fn mechanism(&self) -> MechanismName {
        match self {
            Self::Null => MechanismName::Null,
            Self::PlainClient(_) | Self::PlainServer => MechanismName::Plain,
            Self::CurveClient { .. } | Self::CurveServer { .. } => MechanismName::Curve,
        }
    }

    /// Whether this side is the server of the mechanism, whichever side has made the connection.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self, Self::PlainServer | Self::CurveServer { .. })
    }
}

/// A name and a password for PLAIN, each of at most 255 bytes of UTF-8.
#[derive(Clone)]
pub struct PlainCredentials {
    username: String,
    password: Zeroizing<String>,
}

impl PlainCredentials {
    /// The longest name, and the longest password, in bytes (24/ZMTP-PLAIN).
    pub const MAX_LEN: usize = 255;

    /// Takes a name and a password; `None` if one of them is longer than [`MAX_LEN`](Self::MAX_LEN).
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Option<Self> {
        let (username, password) = (username.into(), Zeroizing::new(password.into()));
        let fits = username.len() <= Self::MAX_LEN && password.len() <= Self::MAX_LEN;
        fits.then_some(Self { username, password })
    }

    /// The name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for PlainCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What a peer has shown of itself, and proven as far as its mechanism can.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// Nothing: NULL.
    Anonymous,
    /// A name and a password: PLAIN.
    #[non_exhaustive]
    Password {
        /// The name, as it came.
        username: &'a [u8],
        /// The password, as it came.
        password: Secret<'a>,
    },
    /// A key, whose secret part it has: CURVE.
    Key(PublicKey),
}

impl<'a> Credential<'a> {
    /// A name and a password.
    #[must_use]
    pub fn password(username: &'a [u8], password: &'a [u8]) -> Self {
        Self::Password { username, password: Secret(password) }
    }
}

/// Bytes that do not appear in `Debug` texts.
#[derive(Clone, Copy)]
pub struct Secret<'a>(&'a [u8]);

impl Secret<'_> {
    /// Compares in a time that tells nothing but the length.
    #[must_use]
    pub fn is(&self, expected: &[u8]) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.ct_eq(expected).into()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A peer that wants to come in (the request of 27/ZAP).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuthRequest<'a> {
    /// What it has shown.
    pub credential: Credential<'a>,
    /// Where it is, as an endpoint.
    pub remote: &'a str,
    /// Who runs it, over `ipc://`, where the system tells.
    pub process: Option<ProcessCredentials>,
}

impl<'a> AuthRequest<'a> {
    /// A peer at `remote` that has shown this.
    #[must_use]
    pub fn new(credential: Credential<'a>, remote: &'a str) -> Self {
        Self { credential, remote, process: None }
    }

    /// Sets who runs it.
    #[must_use]
    pub fn process(mut self, process: Option<ProcessCredentials>) -> Self {
        self.process = process;
        self
    }
}

/// Says which peers come in, and under which names. Asked once for each connection to a socket, of whichever mechanism, when
/// the peer has proven what it shows and before it is told anything: within the handshake, so it must not block.
///
/// ```
/// use zerorpc_proto::transport::{AuthRequest, Authenticator, Credential, Denied};
///
/// let authenticator = |request: &AuthRequest<'_>| match &request.credential {
///     Credential::Password { username: b"ada", password, .. } if password.is(b"lovelace") => {
///         Ok("ada".to_owned())
///     }
///     _ => Err(Denied::new("unknown user or wrong password")),
/// };
/// let peer = AuthRequest::new(Credential::password(b"ada", b"lovelace"), "tcp://192.0.2.7:50123");
/// assert_eq!(authenticator.authenticate(&peer)?, "ada");
/// # Ok::<(), Denied>(())
/// ```
pub trait Authenticator: Send + Sync {
    /// The name by which services know the peer.
    ///
    /// # Errors
    /// When it may not come in. Its connection is ended; it hears that it is refused, and not why.
    fn authenticate(&self, request: &AuthRequest<'_>) -> Result<String, Denied>;
}

impl<F> Authenticator for F
where
    F: Fn(&AuthRequest<'_>) -> Result<String, Denied> + Send + Sync,
{
    fn authenticate(&self, request: &AuthRequest<'_>) -> Result<String, Denied> {
        self(request)
    }
}

impl fmt::Debug for dyn Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

/// Lets a peer in, or not, by the authenticator of a socket: for transports.
///
/// # Errors
/// When the peer may not come in.
pub fn admit(
    authenticator: Option<&Arc<dyn Authenticator>>,
    request: &AuthRequest<'_>,
) -> Result<Principal, Denied> {
    let name = match (authenticator, &request.credential) {
        (Some(authenticator), _) => Some(authenticator.authenticate(request)?),
        (None, Credential::Password { .. }) => {
            return Err(Denied::new(
                "this socket has no authenticator, without which PLAIN lets nobody in",
            ));
        }
        (None, Credential::Anonymous | Credential::Key(_)) => None,
    };
    Ok(Principal::new(name, request))
}
