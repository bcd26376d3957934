//! What befalls nodes and their connections.

use std::time::Duration;

use zerorpc_proto::{PeerEvent, PeerId, Route, Session};

use super::{
    NodeId, Role, World,
    traffic::{connection, peer, routing_id},
};

impl World {
    /// Breaks the connections that a node made: both ends hear of it, and what was on its way is lost.
    pub fn cut(&mut self, node: NodeId) {
        self.disturb(node);
        for link in std::mem::take(&mut self.nodes[node.0].uplinks) {
            self.cut_link(link);
        }
    }

    pub(super) fn cut_link(&mut self, link: usize) {
        self.tell(|| format!("link {link} breaks"));
        let now = self.now;
        let unsent = self.network.cut(now, link);
        let ends = self.network.links[link].ends;
        self.nodes[ends[0]].uplinks.retain(|other| *other != link);
        for flight in unsent {
            let from = ends[usize::from(ends[0] == flight.to)];
            if let Some(token) = flight.token {
                self.hear_of(from, PeerEvent::Returned(token));
                self.model.returned(from, flight.frames.last().expect("messages have frames"));
            }
        }
        for end in ends {
            self.hear_of(end, PeerEvent::Down(peer(link), "gone".into()));
            self.drains.retain(|(_, node, route)| (*node, route.peer) != (end, peer(link)));
        }
    }

    /// Breaks the connections that a node made, and makes them anew.
    pub fn reconnect(&mut self, node: NodeId) {
        let links = self.nodes[node.0].uplinks.clone();
        self.cut(node);
        self.connect_again(links);
    }

    pub(super) fn connect_again(&mut self, links: Vec<usize>) {
        for link in links {
            let link = &self.network.links[link];
            let ([from, to], profile) = (link.ends, link.profile.clone());
            self.connect(NodeId(from), NodeId(to), profile);
        }
    }

    /// Makes the connections of a node swallow everything from now on.
    pub fn silence(&mut self, node: NodeId) {
        self.disturb(node);
        for link in &self.nodes[node.0].uplinks {
            self.network.silence(*link);
        }
    }

    /// Makes all connections of a node swallow everything for a while.
    pub fn part(&mut self, node: NodeId, time: Duration) {
        self.tell(|| format!("{node:?} is cut off for {time:?}"));
        let until = self.now + time;
        for link in self.network.links.iter_mut().filter(|link| link.ends.contains(&node.0)) {
            link.parted_until = link.parted_until.max(until);
        }
    }

    /// Lets nothing move on the connections of a node for a while; nothing is lost.
    pub fn stall(&mut self, node: NodeId, time: Duration) {
        for link in &self.nodes[node.0].uplinks {
            self.network.links[*link].stalled_until = self.now + time;
        }
    }

    /// Loses the next messages on the first connection that a node made, or has them come twice.
    pub fn garble(&mut self, node: NodeId, lose: u32, repeat: u32) {
        self.tell(|| format!("{node:?}: {lose} messages will be lost, {repeat} come twice"));
        if let Some(link) = self.nodes[node.0].uplinks.first() {
            let link = &mut self.network.links[*link];
            (link.lose, link.repeat) = (lose, repeat);
        }
    }

    /// Stops a node for a while, as if its process were frozen. Nothing is lost.
    pub fn freeze(&mut self, node: NodeId, time: Duration) {
        let until = self.now + time;
        if self.nodes[node.0].frozen_until.is_none()
            && !matches!(self.nodes[node.0].role, Role::Proxy)
        {
            self.tell(|| format!("{node:?} is frozen for {time:?}"));
            self.settle_node(node.0);
            self.nodes[node.0].frozen_until = Some(until);
            self.model.frozen(node.0, self.now, until);
        }
    }

    /// Sets the clock of a node forward, and back.
    pub fn set_clock(&mut self, node: NodeId, forward: Duration, back: Duration) {
        self.tell(|| format!("{node:?}: its clock goes {forward:?} forward, {back:?} back"));
        // It has looked at it just before.
        let now = self.local(node.0);
        if self.nodes[node.0].frozen_until.is_none()
            && let Some(session) = self.session(node.0)
        {
            session.handle_timeout(now);
        }
        self.nodes[node.0].settled = false;
        self.nodes[node.0].forward += forward;
        self.nodes[node.0].back += back;
        self.model.jumped(node.0, self.now, forward, back);
    }

    /// A server ends without a word, and begins anew; whoever was connected is so again at once.
    pub fn restart(&mut self, server: NodeId) {
        self.tell(|| format!("{server:?} restarts"));
        self.restarts += 1;
        let links = self.links_to(server);
        self.nodes[server.0].frozen_until = None;
        for link in &links {
            self.cut_link(*link);
        }
        let node = &mut self.nodes[server.0];
        node.settled = false;
        node.arrived.clear();
        node.heard_of.clear();
        if let Role::Server(server) = &mut node.role {
            let mut config = node.config.clone();
            config.seed += self.restarts << 32;
            server.restart(config);
        }
        self.model.restarts(self.now, server.0);
        self.drains.retain(|(_, node, _)| *node != server.0);
        self.connect_again(links);
    }

    /// A client ends without a word, and begins anew: it draws the same ids, and connects to the same nodes.
    pub fn restart_client(&mut self, client: NodeId) {
        self.tell(|| format!("{client:?} restarts"));
        let links = self.nodes[client.0].uplinks.clone();
        self.nodes[client.0].frozen_until = None;
        self.cut(client);
        let Self { nodes, model, now, .. } = self;
        let node = &mut nodes[client.0];
        node.settled = false;
        node.arrived.clear();
        node.heard_of.clear();
        if let Role::Client(client) = &mut node.role {
            client.restart(node.config.clone(), model);
        }
        model.thaws(*now, client.0);
        self.connect_again(links);
    }

    /// All workers of a server are busy for a while: requests wait.
    pub fn occupy(&mut self, server: NodeId, time: Duration) {
        self.tell(|| format!("{server:?} is busy for {time:?}"));
        let until = self.now + time;
        if let Role::Server(server) = &mut self.nodes[server.0].role {
            server.occupy(until);
        }
    }

    /// A server takes no more requests, turns down those that wait, and says so to those that are connected directly.
    pub fn drain(&mut self, server: NodeId) {
        self.tell(|| format!("{server:?} stops"));
        if self.nodes[server.0].frozen_until.is_some() {
            return;
        }
        let Self { nodes, model, .. } = self;
        if let Role::Server(server) = &mut nodes[server.0].role {
            server.stop(model);
        }
        self.nodes[server.0].settled = false;
        self.model.stops(server.0);
        for link in self.links_to(server) {
            self.hear_of(self.network.links[link].ends[0], PeerEvent::GoingAway(peer(link)));
        }
    }

    /// A server that takes no more requests, and has none open any more, says its last word to those that are connected
    /// directly, and begins anew.
    pub fn finish(&mut self, server: NodeId) {
        let is_stopping = self.model.is_stopping(server.0);
        let is_awake = self.nodes[server.0].frozen_until.is_none();
        let has_none = self.session(server.0).is_some_and(|session| session.open_channels() == 0);
        if !(is_stopping && is_awake && has_none) {
            return;
        }
        self.tell(|| format!("{server:?} says its last word"));
        for link in self.links_to(server) {
            let client = self.network.links[link].ends[0];
            let is_awake = self.nodes[client].frozen_until.is_none();
            // Connections lose nothing that was sent; where that is simulated, nobody may rely on it.
            if is_awake && self.network.has_all(link) {
                self.hear_of(client, PeerEvent::Gone(peer(link)));
            }
        }
        self.restart(server);
    }

    /// The connections that others have made to a server.
    fn links_to(&self, server: NodeId) -> Vec<usize> {
        let links = self.network.links.iter().enumerate();
        let links = links.filter(|(_, link)| link.up && link.ends[1] == server.0);
        links.map(|(number, _)| number).collect()
    }

    /// The way from a server back to a node that is connected to it has no room for a while.
    pub fn congest(&mut self, from: NodeId, time: Duration) {
        let Some(link) = self.nodes[from.0].uplinks.first().copied() else { return };
        let server = self.network.links[link].ends[1];
        let node = &self.nodes[server];
        if !matches!(node.role, Role::Server(_)) || node.frozen_until.is_some() {
            return;
        }
        let route = if node.nameless {
            Route { identity: Some(routing_id(link)), ..PeerId::NAMELESS.into() }
        } else {
            Route::from(peer(link))
        };
        if self.drains.iter().any(|(_, node, other)| (*node, other) == (server, &route)) {
            return;
        }
        self.tell(|| format!("{server} has no room for {from:?} for {time:?}"));
        self.hear_of(server, PeerEvent::Congested(route.clone(), 0));
        self.drains.push((self.now + time, server, route));
    }

    /// Routes that have room again.
    pub(super) fn drain_routes(&mut self) {
        let now = self.now;
        let due: Vec<_> = self.drains.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, node, route) in due {
            self.hear_of(node, PeerEvent::Drained(route));
        }
    }

    /// A node is told of a peer; of a certain one, only where peers have names. Later, if it is frozen.
    pub(super) fn hear_of(&mut self, node: usize, event: PeerEvent) {
        let is_of_route = matches!(event, PeerEvent::Congested(..) | PeerEvent::Drained(_));
        if self.nodes[node].nameless && !is_of_route {
            return;
        }
        if self.nodes[node].frozen_until.is_some() {
            return self.nodes[node].heard_of.push(event);
        }
        let (now, local) = (self.now, self.local(node));
        let Some(session) = self.session(node) else { return };
        session.handle_peer_event(local, event.clone());
        match event {
            PeerEvent::Down(peer, _) => self.model.is_down(node, peer),
            PeerEvent::Gone(peer) => self.model.is_gone(node, peer),
            PeerEvent::Lossless(peer) => self.model.is_lossless(node, peer),
            PeerEvent::Congested(route, _) => self.model.congested(now, node, route, true),
            PeerEvent::Drained(route) => self.model.congested(now, node, route, false),
            _ => {}
        }
    }

    /// Makes those connections anew that a session wants to be made anew; false if there are none.
    pub(super) fn reset(&mut self, node: usize) -> bool {
        let mut were_any = false;
        while let Some((peer, reason)) = self.session(node).and_then(Session::poll_disconnect) {
            were_any = true;
            let link = connection(peer);
            self.tell(|| format!("{node} resets link {link}: {reason}"));
            if self.network.links[link].up {
                self.disturb(NodeId(self.network.links[link].ends[0]));
                self.cut_link(link);
                self.connect_again(vec![link]);
            }
        }
        were_any
    }
}
