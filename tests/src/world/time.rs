//! How time passes: everybody does what is due, hears what has come, and says what there is to say.

use std::time::{Duration, Instant};

use zerorpc_proto::Session;

use super::{Node, Role, World, trace::show};

impl Node {
    /// Whether it may have something to do.
    fn has_to_do(&self, now: Instant) -> bool {
        !self.settled || self.due.is_some_and(|due| due <= now)
    }

    /// It has done what there was to do.
    fn rest(&mut self) {
        let (session, own) = match &self.role {
            Role::Client(client) => (&client.session, client.next_read()),
            Role::Server(server) => (&server.session, server.next_job()),
            Role::Proxy => {
                self.settled = true;
                return;
            }
        };
        let due = session.poll_timeout().map(|due| due + self.back - self.forward);
        self.due = due.into_iter().chain(own).min();
        self.settled = true;
    }
}

impl World {
    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.thaw();
            self.drain_routes();
            while let Some(flight) = self.network.arrived(self.now) {
                match self.nodes[flight.to].frozen_until {
                    Some(_) => self.nodes[flight.to].arrived.push(flight),
                    None => self.arrive(flight),
                }
            }
            for node in 0..self.nodes.len() {
                self.wake(node);
            }
            self.settle();
        }
        self.now = end;
        self.model.check(end);
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let drains = self.drains.iter().map(|(at, ..)| *at);
        let nodes = self.nodes.iter().filter_map(|node| node.frozen_until.or(node.due));
        nodes.chain(drains).chain(self.network.next_arrival()).min()
    }

    /// Whoever was frozen for long enough goes on: it looks at its clock first, and then at what has come.
    fn thaw(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].frozen_until.is_some_and(|until| until <= self.now) {
                self.nodes[node].frozen_until = None;
                self.wake(node);
                self.settle_node(node);
                for event in std::mem::take(&mut self.nodes[node].heard_of) {
                    self.hear_of(node, event);
                }
                for flight in std::mem::take(&mut self.nodes[node].arrived) {
                    if self.network.links[flight.link].up {
                        self.arrive(flight);
                    }
                }
            }
        }
    }

    fn wake(&mut self, node: usize) {
        let now = self.local(node);
        if self.nodes[node].frozen_until.is_some() || !self.nodes[node].has_to_do(self.now) {
            return;
        }
        let Some(session) = self.session(node) else { return };
        if session.poll_timeout().is_some_and(|due| due <= now) {
            session.handle_timeout(now);
            assert!(session.poll_timeout().is_none_or(|due| due > now), "what is due was done");
            self.wakes += 1;
            self.check(node);
        }
    }

    /// Applications look at their sessions, and what these want to send is sent.
    fn settle(&mut self) {
        loop {
            let mut were_any = false;
            for node in 0..self.nodes.len() {
                let of_node = &self.nodes[node];
                if of_node.frozen_until.is_none() && of_node.has_to_do(self.now) {
                    self.settle_node(node);
                    // Connections that end are told of: to others, and to itself.
                    match self.reset(node) {
                        true => were_any = true,
                        false => self.nodes[node].rest(),
                    }
                }
            }
            if !were_any {
                return;
            }
        }
    }

    pub(super) fn settle_node(&mut self, node: usize) {
        let now = self.now;
        let Self { nodes, model, .. } = self;
        match &mut nodes[node].role {
            Role::Client(client) => client.settle(now, model),
            Role::Server(server) => server.settle(now, model),
            Role::Proxy => return,
        }
        while let Some(transmit) = self.session(node).and_then(Session::poll_transmit) {
            self.tell(|| {
                format!("{node} -> {} {}", transmit.to, show(&transmit.payload.to_bytes()))
            });
            self.model.sent(now, node, &transmit);
            self.send(node, transmit);
            self.check(node);
            // What left makes room for more.
            let Self { nodes, model, .. } = self;
            if let Role::Server(server) = &mut nodes[node].role {
                server.settle(now, model);
            }
        }
        self.model.idle(now, node);
    }
}
