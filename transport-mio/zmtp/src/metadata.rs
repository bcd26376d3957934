//! The properties of READY and INITIATE.

use bytes::Bytes;
use zerorpc_proto::transport::SocketKind;

use super::{EngineConfig, Identity, SocketType, Violation, error::show, socket_type};

const SOCKET_TYPE: &str = "Socket-Type";
const IDENTITY: &str = "Identity";
/// Who says this understands GOAWAY. Properties that begin like this are for applications (23/ZMTP); peers ignore those that
/// they do not know.
const GOAWAY: &str = "X-Goaway";
/// Which ROUTER says this holds messages back for a peer that does not take them, or ends the connection, and drops none.
const LOSSLESS: &str = "X-Lossless";

/// What a peer of ZMTP 3.x says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) socket_type: Option<SocketType>,
    pub(super) identity: Bytes,
    /// The peer understands GOAWAY.
    pub(super) goaway: bool,
    /// The peer drops no message on its way to us.
    pub(super) lossless: bool,
    /// All other properties, as they came.
    pub(super) others: Vec<(Bytes, Bytes)>,
}

/// Our own properties, encoded.
pub(super) fn write(config: &EngineConfig) -> Vec<u8> {
    let mut out = Vec::new();
    property(SOCKET_TYPE, socket_type::name_of(config.kind).as_bytes(), &mut out);
    if matches!(config.kind, SocketKind::Dealer | SocketKind::Router) {
        property(IDENTITY, config.identity.as_bytes(), &mut out);
        property(GOAWAY, b"1", &mut out);
    }
    if config.kind == SocketKind::Router {
        property(LOSSLESS, b"1", &mut out);
    }
    out
}

fn property(name: &'static str, value: &[u8], out: &mut Vec<u8>) {
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(value);
}

/// Reads the properties of `command` and compares the socket types. Names are known in any case, socket
/// types only as they are written; of two identities the last one counts.
pub(super) fn read(
    command: &'static str,
    properties: &[u8],
    ours: SocketKind,
) -> Result<Metadata, Violation> {
    // One copy for all properties, which may live as long as the connection.
    let mut rest = Bytes::copy_from_slice(properties);
    let mut metadata = Metadata::default();
    while !rest.is_empty() {
        let (name, value) =
            split_property(&mut rest).map_err(|reason| Violation::Malformed { command, reason })?;
        if name.eq_ignore_ascii_case(SOCKET_TYPE.as_bytes()) {
            metadata.socket_type = Some(compare(ours, &value)?);
        } else if name.eq_ignore_ascii_case(IDENTITY.as_bytes()) {
            if value.len() > Identity::MAX_LEN {
                return Err(Violation::IdentityTooLong(value.len() as u64));
            }
            metadata.identity = value;
        } else if name.eq_ignore_ascii_case(GOAWAY.as_bytes()) {
            metadata.goaway = true;
        } else if name.eq_ignore_ascii_case(LOSSLESS.as_bytes()) {
            metadata.lossless = true;
        } else {
            metadata.others.push((name, value));
        }
    }
    Ok(metadata)
}

fn split_property(rest: &mut Bytes) -> Result<(Bytes, Bytes), &'static str> {
    let name_length = usize::from(rest.split_to(1)[0]);
    if rest.len() < name_length {
        return Err("the name of a property goes beyond its end");
    }
    let name = rest.split_to(name_length);
    let Some(length) = rest.first_chunk() else {
        return Err("a property ends before the length of its value");
    };
    let length = u32::from_be_bytes(*length);
    if length >> 31 != 0 {
        return Err("the value of a property is longer than 2^31-1 bytes");
    }
    let value = rest.split_off(4);
    let length = length as usize;
    if value.len() < length {
        return Err("the value of a property goes beyond its end");
    }
    *rest = value.slice(length..);
    Ok((name, value.slice(..length)))
}

fn compare(ours: SocketKind, theirs: &[u8]) -> Result<SocketType, Violation> {
    SocketType::from_name(theirs)
        .filter(|theirs| socket_type::go_together(ours, *theirs))
        .ok_or_else(|| Violation::SocketType { ours, theirs: show(theirs) })
}
