//! How channels end.

use super::{Session, channel_key::ChannelKey};
use crate::{
    answer::{Answer, Loss},
    channel::{Channel, Role, heartbeat::Heartbeat, phase::Phase},
    faults::{self, Fault},
};

impl Session {
    /// Ends a channel from outside: the reader of a call is told, a request is gone.
    pub(crate) fn lose(&mut self, at: ChannelKey, loss: Loss) {
        let Some(channel) = self.store.get_mut(at) else { return };
        match &mut channel.role {
            Role::Server(_) => {
                let (answered, notices) = (channel.phase == Phase::Ended, channel.notices);
                self.close(at);
                if !answered {
                    self.tell_request_lost(at, notices, loss);
                }
            }
            Role::Client(_) => {
                if channel.phase == Phase::Ended {
                    return;
                }
                if matches!(loss, Loss::TimedOut { .. } | Loss::Overflow) {
                    self.take_leave(at);
                }
                let Some(Channel { role: Role::Client(call), .. }) = self.store.get_mut(at) else {
                    return;
                };
                self.unread_answers += 1;
                call.inbox.push(Answer::Lost(loss));
                self.end_call(at);
                self.tell_call_lost(at);
            }
        }
    }

    /// The last answer of a call is here: nothing is sent or expected any more, only read.
    pub(super) fn end_call(&mut self, at: ChannelKey) {
        let Some(channel) = self.store.get_mut(at) else { return };
        channel.phase = Phase::Ended;
        channel.heartbeat = Heartbeat::idle();
        channel.heartbeat_pending = false;
        channel.leave_congestion();
        if let Role::Client(call) = &mut channel.role {
            call.request = None;
            call.grant = 0;
            self.grown_bytes -= call.window.close();
            call.timeout = None;
            call.retry = None;
            if std::mem::take(&mut call.assigned)
                && let Some(peer) = channel.peer
            {
                self.peers.release(peer);
            }
        }
        self.timers.remove(at, &mut self.store);
    }

    /// Forgets a channel and all that waits in it.
    pub(crate) fn close(&mut self, at: ChannelKey) {
        self.timers.remove(at, &mut self.store);
        // It is settled where it stands: channels are large, and moving them takes time.
        let Some(channel) = self.store.get_mut(at) else { return };
        let notices = channel.notices;
        if !faults::has(Fault::MemoryKept) {
            self.buffered_bytes -= channel.retained_bytes();
        }
        self.unsent_bytes -= channel.unsent_bytes;
        let is_request = match &mut channel.role {
            Role::Client(call) => {
                self.grown_bytes -= call.window.close();
                self.unread_answers -= call.inbox.len();
                if call.assigned
                    && let Some(peer) = channel.peer
                {
                    self.peers.release(peer);
                }
                false
            }
            Role::Server(request) => {
                self.shared_requests -= usize::from(request.is_shared);
                self.taken_bytes -= request.taken_bytes;
                true
            }
        };
        let account = self.store.remove(at);
        self.forget_notices(notices);
        if is_request {
            self.drop_stale_keys(account);
            self.resume_postponed(account);
        }
    }
}
