use serde_json::{Value, json};

/// What a peer's sockets are told of security: options of libzmq, and an authenticator of `zmq.auth` where it is a server.
#[derive(Debug, Clone)]
pub enum PeerSecurity {
    /// Shows a name and a password.
    PlainClient {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// Lets in who shows one of these names and passwords.
    PlainServer {
        /// The names, each with its password.
        passwords: Vec<(String, String)>,
    },
    /// Shows a key, and expects a server's. All keys are Z85.
    CurveClient {
        /// Its own, the public half.
        public: String,
        /// Its own, the secret half.
        secret: String,
        /// The server's public one.
        server: String,
    },
    /// Expects its clients to know its key.
    CurveServer {
        /// Its own, the public half.
        public: String,
        /// Its own, the secret half.
        secret: String,
        /// The public keys of those who may come in; `None` is everybody.
        authorized: Option<Vec<String>>,
    },
}

impl PeerSecurity {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::PlainClient { username, password } => {
                json!({"mechanism": "PLAIN", "username": username, "password": password})
            }
            Self::PlainServer { passwords } => {
                let passwords: serde_json::Map<String, Value> = passwords
                    .iter()
                    .map(|(username, password)| (username.clone(), json!(password)))
                    .collect();
                json!({"mechanism": "PLAIN", "passwords": passwords})
            }
            Self::CurveClient { public, secret, server } => {
                json!({"mechanism": "CURVE", "public": public, "secret": secret, "server": server})
            }
            Self::CurveServer { public, secret, authorized } => {
                json!({
                    "mechanism": "CURVE", "public": public, "secret": secret, "authorized": authorized,
                })
            }
        }
    }
}
