//! Who sent a message, as libzmq carries it: the user id of ZAP, which it gives with each message of a connection, and
//! which is the principal itself, written as text. So nothing has to be remembered for connections, of whose ends libzmq
//! does not tell.
//!
//! On a ROUTER it is put before the routing id, and both go by as one identity: what a peer sends is never taken for
//! another's who has, or gets, the same routing id.

use bytes::{BufMut, Bytes, BytesMut};
use zerorpc_proto::transport::{AuthRequest, Credential, Principal, ProcessCredentials, PublicKey};
use zmq::Message;

/// libzmq's name for what ZAP has called a user.
const USER_ID: &str = "User-Id";

/// Stands for what there is not.
const NONE: &str = "-";

/// A principal as text, without NUL, with the number of its connection.
pub(crate) fn encode(connection: u64, principal: &Principal) -> String {
    let or_none = |field: Option<String>| field.unwrap_or_else(|| NONE.to_owned());
    let process = principal.process.map(|process| {
        let numbers = [process.uid, process.gid, process.pid.unwrap_or(0)];
        numbers.map(|number| number.to_string()).join("+")
    });
    let fields = [
        connection.to_string(),
        principal.mechanism.to_string(),
        or_none(principal.key.map(|key| to_hex(key.as_bytes()))),
        or_none(principal.username.as_ref().map(|username| to_hex(username.as_bytes()))),
        to_hex(principal.remote.as_bytes()),
        or_none(process),
        or_none(principal.name.as_ref().map(|name| to_hex(name.as_bytes()))),
    ];
    fields.join(" ")
}

/// The principal that was made a text of.
fn decode(text: &str) -> Option<Principal> {
    let mut fields = text.split(' ');
    let [_connection, mechanism, key, username, remote, process, name] =
        std::array::from_fn(|_| fields.next().unwrap_or_default());
    let (remote, username) = (from_hex(remote)?, from_hex(username));
    let credential = match mechanism {
        "NULL" => Credential::Anonymous,
        "PLAIN" => Credential::password(username.as_deref()?, b""),
        "CURVE" => Credential::Key(PublicKey::new(from_hex(key)?.try_into().ok()?)),
        _ => return None,
    };
    let name = if name == NONE { None } else { Some(String::from_utf8(from_hex(name)?).ok()?) };
    let process = if process == NONE { None } else { Some(read_process(process)?) };
    let remote = String::from_utf8(remote).ok()?;
    let request = AuthRequest::new(credential, &remote).process(process);
    Some(Principal::new(name, &request))
}

fn read_process(text: &str) -> Option<ProcessCredentials> {
    let mut numbers = text.split('+').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let (uid, gid, pid) = (next()?, next()?, next()?);
    Some(ProcessCredentials::new(uid, gid, Some(pid).filter(|pid| *pid != 0)))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

/// The identities of those who send to a ROUTER.
#[derive(Debug)]
pub(crate) struct Senders {
    /// They were asked about, and have a user id each.
    are_known: bool,
    /// Who has sent something often goes on.
    last: Bytes,
}

impl Senders {
    pub(crate) fn new(are_known: bool) -> Self {
        Self { are_known, last: Bytes::new() }
    }

    /// The identity behind the first frame of a message; `None` where it is to be known who they are and is not.
    pub(crate) fn identify(&mut self, mut frame: Message) -> Option<Bytes> {
        if !self.are_known {
            if self.last[..] != frame[..] {
                self.last = Bytes::copy_from_slice(&frame);
            }
            return Some(self.last.clone());
        }
        let (last_user, last_routing_id) = split(&self.last).unwrap_or_default();
        let is_last = frame.gets(USER_ID)?.as_bytes() == last_user;
        if !is_last || last_routing_id != &frame[..] {
            let user = frame.gets(USER_ID).filter(|user| !user.is_empty())?.to_owned();
            self.last = join(&user, &frame)?;
        }
        Some(self.last.clone())
    }

    /// What libzmq knows a peer by.
    pub(crate) fn routing_id<'a>(&self, identity: &'a [u8]) -> Option<&'a [u8]> {
        if self.are_known {
            split(identity).map(|(_, routing_id)| routing_id)
        } else {
            Some(identity)
        }
    }

    /// Who a peer is.
    pub(crate) fn principal(&self, identity: &[u8]) -> Option<Principal> {
        let (user, _) = split(identity).filter(|_| self.are_known)?;
        decode(std::str::from_utf8(user).ok()?)
    }
}

fn join(user: &str, routing_id: &[u8]) -> Option<Bytes> {
    let mut identity = BytesMut::with_capacity(2 + user.len() + routing_id.len());
    identity.put_u16(u16::try_from(user.len()).ok()?);
    identity.put_slice(user.as_bytes());
    identity.put_slice(routing_id);
    Some(identity.freeze())
}

fn split(identity: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = identity.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_have_a_text() {
        let requests = [
            (Credential::Anonymous, "tcp://127.0.0.1", None),
            (Credential::Anonymous, "", Some(ProcessCredentials::new(1000, 0, None))),
            (Credential::password(b"", b"secret"), "tcp://[::1]", None),
            (Credential::password(b"a b\0-", b"secret"), "", None),
            (Credential::Key(PublicKey::new([7; 32])), "tcp://10.0.0.7", None),
            (
                Credential::Key(PublicKey::new([0xf0; 32])),
                "",
                Some(ProcessCredentials::new(u32::MAX, 1, Some(4711))),
            ),
        ];
        for (credential, remote, process) in requests {
            for name in [None, Some(""), Some("-"), Some("ada lovelace \0\u{e9}")] {
                let request = AuthRequest::new(credential.clone(), remote).process(process);
                let principal = Principal::new(name.map(str::to_owned), &request);
                let text = encode(1, &principal);
                assert!(!text.contains('\0') && !text.contains("secret"), "{text}");
                assert_ne!(text, encode(2, &principal), "each connection is another one");
                assert_eq!(decode(&text), Some(principal), "{text}");
            }
        }
    }

    #[test]
    fn other_texts_are_nobody() {
        for text in
            ["", "1", "1 NULL", "1 PLAIN - - - - -", "1 CURVE 00 - - - -", "1 GSSAPI - - - - -"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn whoever_is_not_known_has_no_identity() {
        let routing_id = || Message::from("name");
        let mut senders = Senders::new(true);
        assert_eq!(senders.identify(routing_id()), None);
        assert_eq!(senders.routing_id(b"name"), None);
        let identity = join("user", b"name").expect("a short text");
        assert_eq!(senders.routing_id(&identity), Some(&b"name"[..]));
        let mut senders = Senders::new(false);
        assert_eq!(senders.identify(routing_id()).as_deref(), Some(&b"name"[..]));
        assert_eq!(senders.routing_id(b"name"), Some(&b"name"[..]));
        assert_eq!(senders.principal(&identity), None);
    }
}
