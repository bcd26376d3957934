//! Requests that would wait for ever: for room that streams hold of whose items nobody asks for more.

use web_time::{Duration, Instant};

use super::{RequestId, Session, channel_key::ChannelKey};
use crate::{
    channel::{Channel, Role, Turn},
    compat::RemoteError,
    transport::readable,
};

/// So long has a request to wait, and streams that are in its way to stand still, before it is refused: as long as a peer may
/// read nothing of what waits for it, and short beside the time-outs of calls.
pub(super) const LONGEST_STANDSTILL: Duration = Duration::from_secs(4);

/// So often are requests looked at from then on that go on waiting,
const INTERVAL: Duration = Duration::from_secs(1);

/// and so long is it remembered what was found: to look takes a millisecond where 65,536 streams are open.
const FRESH: Duration = Duration::from_millis(250);

/// The streams of one peer that have waited for credit for long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standstill {
    /// When they were looked for.
    at: Instant,
    /// How many of them are being answered.
    pub(super) streams: usize,
    /// How many bytes those hold: of arguments, as they came and as the application has them, and for their answers.
    pub(super) in_use: usize,
    /// How many bytes of last answers wait for credit.
    pub(super) answers: usize,
}

impl Session {
    /// A request has waited for room for a while: refuses it, if none would come however long it waits.
    pub(super) fn judge_postponed(&mut self, now: Instant, at: ChannelKey) {
        let Some(still) = self.standstill(now, at) else { return };
        let limits = &self.config.limits;
        let Some((Channel { role: Role::Server(request), .. }, _, Some(account))) =
            self.store.get_with_account(at)
        else {
            return;
        };
        if !account.is_stuck(limits, &still, request.expected_bytes) {
            request.turn = Turn::Postponed(now.checked_add(INTERVAL));
            return;
        }
        let words = format!(
            "no other call of this caller can be run: {} streams are open of whose items it asks for no more, with {} of \
             arguments; read or end some, or raise Limits::peer_bytes of the server",
            still.streams,
            readable(still.in_use)
        );
        if let Some(mut request) = self.request(RequestId(at)) {
            // At once: it may be enough for others that wait.
            drop(request.take_args());
            request.fail(RemoteError::new("ServerBusy", words));
        }
    }

    /// What streams have waited for credit for long, of the peer of this request.
    fn standstill(&mut self, now: Instant, at: ChannelKey) -> Option<Standstill> {
        let (_, number, account) = self.store.get_with_account(at)?;
        let known = account?.standstill.filter(|known| now.duration_since(known.at) < FRESH);
        if known.is_some() {
            return known;
        }
        let mut found = Standstill { at: now, streams: 0, in_use: 0, answers: 0 };
        for channel in self.store.of_account(self.store.account(number)?) {
            if let Role::Server(request) = &channel.role
                && let Some(since) = request.blocked_since
                && now.duration_since(since) >= LONGEST_STANDSTILL
            {
                if request.is_stalled() {
                    let in_use = 2 * request.taken_bytes + request.expected_bytes;
                    found.streams += 1;
                    found.in_use = found.in_use.saturating_add(in_use);
                } else {
                    found.answers += channel.unsent_bytes;
                }
            }
        }
        self.store.account_mut(number)?.standstill = Some(found);
        Some(found)
    }
}
