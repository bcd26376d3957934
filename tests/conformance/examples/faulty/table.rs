//! All faults, by what they are about.

/// A table of faults: name, what it does, rule, cases, hooks.
macro_rules! faults {
    ($( $name:literal: $does:literal, $rule:literal, $cases:literal, [$($hook:expr),* $(,)?]; )*) => {
        &[$(
            $crate::fault::Fault {
                name: $name, does: $does, rule: $rule, cases: $cases, hooks: &[$($hook),*],
            }
        ),*]
    };
}

mod answers;
mod broken;
mod calls;
mod client_answers;
mod client_links;
mod client_one_way;
mod client_wire;
mod credit;
mod floods;
mod frames;
mod handshakes;
mod headers;
mod heartbeats;
mod ids;
mod introspection;
mod links;
mod requests;
mod server_one_way;
mod wire;

use super::fault::Fault;

/// What a server does wrong.
pub(crate) static SERVER: &[&[Fault]] = &[
    headers::FAULTS,
    requests::FAULTS,
    answers::FAULTS,
    credit::FAULTS,
    heartbeats::FAULTS,
    wire::FAULTS,
    broken::FAULTS,
    links::FAULTS,
    ids::FAULTS,
    introspection::FAULTS,
    handshakes::FAULTS,
    floods::FAULTS,
    server_one_way::FAULTS,
];

/// What a client does wrong.
pub(crate) static CLIENT: &[&[Fault]] = &[
    calls::FAULTS,
    client_answers::FAULTS,
    client_wire::FAULTS,
    client_links::FAULTS,
    client_one_way::FAULTS,
];
