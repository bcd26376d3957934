//! One of the sessions, and what its application knows.

use std::{collections::BTreeMap, time::Duration};

use arbitrary::Unstructured;
use zerorpc_proto::{CallId, Config, HeartbeatMode, Limits, RequestId, Session};

use super::world::MIDDLE;

/// What one application knows of its session.
pub(super) struct App {
    pub(super) session: Session,
    pub(super) limits: Limits,
    /// Open calls, with the number of the next item.
    pub(super) calls: BTreeMap<CallId, u64>,
    /// Open requests, with the number of the next item.
    pub(super) requests: BTreeMap<RequestId, u64>,
    /// Calls are lost when nothing is heard: not so without beats, or before the first one.
    pub(super) counts_silence: bool,
}

impl App {
    pub(super) fn new(at: usize, script: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let limits = Limits::default()
            .message_bytes(2000)
            .depth(10)
            .elements(100)
            .channels(12)
            .channels_per_peer(6)
            .buffered_events(8)
            .peer_bytes(2000)
            .total_bytes(3000)
            .stream_items(40)
            .stream_bytes(1000)
            .unsent_items(4)
            .stalled(Duration::from_secs(60));
        let limits = if script.arbitrary()? { limits } else { Limits::default() };
        let mode = if script.arbitrary()? { HeartbeatMode::Passive } else { HeartbeatMode::Active };
        let heartbeat = match script.choose_index(4)? {
            0 => None,
            1 => Some(Duration::ZERO),
            _ => Some(Duration::from_secs(5)),
        };
        // Low bits alone would give ids that meet: seeds are random.
        let config = Config::server(((at / MIDDLE) as u128) << 64)
            .heartbeat(heartbeat)
            .heartbeat_mode(mode)
            .limits(limits.clone());
        let beats = heartbeat.is_some_and(|interval| !interval.is_zero());
        let counts_silence = beats && mode == HeartbeatMode::Active;
        let (calls, requests) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { session: Session::new(config), limits, calls, requests, counts_silence })
    }
}
