//! All cases, a module for each group.

use crate::case::Case;

mod answer;
mod broken;
mod channel;
mod client;
mod client_broken;
mod client_call;
mod client_connection;
mod client_credit;
mod client_event;
mod client_greeting;
mod client_heartbeat;
mod client_one_way;
mod client_stream;
mod client_wire;
mod commands;
mod credit;
mod endpoints;
mod envelope;
mod event;
mod flood;
mod frames;
mod greeting;
mod handshake;
mod heartbeat;
mod identity;
mod introspection;
mod pushpull;
mod request;
mod restart;
mod served;
mod steps;
mod stream;
mod values;
mod versions;

/// All cases, by group.
pub const CASES: &[&[Case]] = &[
    greeting::CASES,
    handshake::CASES,
    identity::CASES,
    frames::CASES,
    commands::CASES,
    envelope::CASES,
    event::CASES,
    event::ENCODING,
    values::CASES,
    versions::CASES,
    request::CASES,
    answer::CASES,
    stream::CASES,
    credit::CASES,
    heartbeat::CASES,
    channel::CASES,
    introspection::CASES,
    broken::EVENTS,
    broken::ANSWERS,
    flood::CASES,
    restart::CASES,
    endpoints::CASES,
    pushpull::CASES,
    client_call::CASES,
    client_stream::CASES,
    client_credit::CASES,
    client_heartbeat::CASES,
    client_event::CASES,
    client_greeting::CASES,
    client_wire::CASES,
    client_connection::CASES,
    endpoints::OF_CLIENTS,
    client_one_way::CASES,
    client_broken::CASES,
];
