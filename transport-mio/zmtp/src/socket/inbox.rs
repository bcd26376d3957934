//! What has come in and was not taken yet.

use std::collections::VecDeque;

use zerorpc_proto::{Multipart, PeerEvent, PeerId};

/// Messages, and news of peers. They leave by different doors, but no news before the messages that came
/// before it; and as soon as those are taken, however many have come since.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    messages: VecDeque<(PeerId, Multipart)>,
    /// With the number of messages that came before.
    news: VecDeque<(u64, PeerEvent)>,
    arrived: u64,
}

impl Inbox {
    pub(super) fn add_message(&mut self, from: PeerId, message: Multipart) {
        self.messages.push_back((from, message));
        self.arrived += 1;
    }

    pub(super) fn add_event(&mut self, event: PeerEvent) {
        self.news.push_back((self.arrived, event));
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Whether there is anything to be taken, through either door.
    pub(super) fn has_news(&self) -> bool {
        self.has_messages() || !self.news.is_empty()
    }

    pub(super) fn next_message(&mut self) -> Option<(PeerId, Multipart)> {
        self.messages.pop_front()
    }

    pub(super) fn next_event(&mut self) -> Option<PeerEvent> {
        let taken = self.arrived - self.messages.len() as u64;
        let is_due = self.news.front().is_some_and(|(before, _)| *before <= taken);
        if is_due { self.news.pop_front().map(|(_, event)| event) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_come_behind_the_messages_before_them_and_no_others() {
        let mut inbox = Inbox::default();
        let (peer, other) = (PeerId::new(1), PeerId::new(2));
        let message = || Multipart::direct("a".into());
        inbox.add_event(PeerEvent::Up(peer));
        inbox.add_message(peer, message());
        inbox.add_event(PeerEvent::Down(peer, "gone".into()));
        inbox.add_message(other, message());
        assert_eq!(inbox.next_event(), Some(PeerEvent::Up(peer)));
        assert_eq!(inbox.next_event(), None, "a message comes before it");
        assert_eq!(inbox.next_message(), Some((peer, message())));
        assert_eq!(inbox.next_event(), Some(PeerEvent::Down(peer, "gone".into())));
        assert_eq!(inbox.next_event(), None);
        assert!(inbox.has_messages());
    }
}
