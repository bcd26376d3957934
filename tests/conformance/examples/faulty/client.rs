//! The client of the contract: calls that are told line by line, and what came of them.

use std::{
    collections::{HashMap, VecDeque},
    error::Error,
    io::BufRead,
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Loss, Notice, RemoteError, Session, Target,
    transport::SocketKind,
};

use super::{
    fault::Quirk,
    one_way::Sender,
    peer::{Application, Peer, Setup},
    values,
};

/// What is to be done.
#[derive(Debug, Clone)]
struct Order {
    id: Json,
    method: String,
    args: Args,
    timeout: Option<Duration>,
    is_stream: bool,
    /// The socket that it is for, where it is no call.
    sends: Option<SocketKind>,
    take: Option<u64>,
    pause: Duration,
}

/// A call that is open.
#[derive(Debug)]
struct Open {
    order: Order,
    items: Vec<Json>,
    /// When the next item is to be asked for.
    asks_at: Instant,
    /// When it is over, of faulty clients.
    deadline: Option<Instant>,
}

struct Client {
    orders: mpsc::Receiver<String>,
    open: HashMap<CallId, Open>,
    waiting: VecDeque<Order>,
    quirks: Vec<Quirk>,
    senders: Vec<(SocketKind, Sender)>,
}

/// Calls until standard input ends.
pub(crate) fn run(mut setup: Setup) -> Result<(), Box<dyn Error>> {
    let mut senders = Vec::new();
    for (kind, place) in std::mem::take(&mut setup.others) {
        senders.push((kind, Sender::bind(place, kind, setup.heartbeat, setup.fault)?));
    }
    let quirks = setup.quirks();
    let peer = Peer::new(setup, SocketKind::Dealer)?;
    let (tell, orders) = mpsc::channel();
    let wake = peer.waker()?;
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = tell.send(line);
            wake();
        }
        drop(tell);
        wake();
    });
    let (open, waiting) = (HashMap::new(), VecDeque::new());
    peer.run(Client { orders, open, waiting, quirks, senders })
}

impl Application for Client {
    fn handle_notice(&mut self, session: &mut Session, now: Instant, notice: Notice) {
        match notice {
            Notice::Readable(call) | Notice::CallLost(call) => self.read(session, now, call),
            other => eprintln!("{other:?}"),
        }
    }

    fn poll(&mut self, session: &mut Session, now: Instant) -> Option<Instant> {
        loop {
            match self.orders.try_recv() {
                Ok(line) => match Order::read(&line) {
                    Ok(Order { sends: Some(kind), id, method, args, .. }) => {
                        self.send(kind, &id, &method, &args);
                    }
                    Ok(order) => self.waiting.push_back(order),
                    Err(why) => eprintln!("{line}: {why}"),
                },
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => std::process::exit(0),
            }
        }
        while (self.open.is_empty() || !self.has(Quirk::OneAtATime))
            && let Some(order) = self.waiting.pop_front()
        {
            self.begin(session, now, order);
        }
        let is_due = |open: &Open| open.asks_at <= now && !open.order.pause.is_zero();
        let due: Vec<CallId> =
            self.open.iter().filter(|(_, open)| is_due(open)).map(|(call, _)| *call).collect();
        due.into_iter().for_each(|call| self.read(session, now, call));
        self.end_late(session, now);
        let times = self.open.values().flat_map(|open| {
            let asks_at = Some(open.asks_at).filter(|at| *at > now);
            asks_at.into_iter().chain(open.deadline)
        });
        times.min()
    }
}

impl Client {
    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    fn send(&mut self, kind: SocketKind, id: &Json, method: &str, args: &Args) {
        let sender = self.senders.iter_mut().find(|(other, _)| *other == kind);
        let sent = match sender {
            Some((_, sender)) => sender.send(method, args),
            None => Err("no endpoint was given for that".to_owned()),
        };
        say(id, sent.map_or_else(|why| json!({ "failed": why }), |()| json!({ "ok": null })));
    }

    fn begin(&mut self, session: &mut Session, now: Instant, order: Order) {
        let timeout = order.timeout.filter(|_| !self.has(Quirk::NoTimeout));
        let options = CallOptions::new().timeout(timeout);
        let deadline = order.timeout.filter(|_| self.has(Quirk::TimeoutOfStreams));
        match session.open(now, Target::Any, &order.method, order.args.clone(), &options) {
            Ok(call) => {
                let deadline = deadline.map(|after| now + after);
                let open = Open { order, items: Vec::new(), asks_at: now, deadline };
                self.open.insert(call, open);
            }
            Err(error) => say(&order.id, json!({ "failed": error.to_string() })),
        }
    }

    fn end_late(&mut self, session: &mut Session, now: Instant) {
        let is_late = |open: &Open| open.deadline.is_some_and(|deadline| deadline <= now);
        let late: Vec<CallId> =
            self.open.iter().filter(|(_, open)| is_late(open)).map(|(call, _)| *call).collect();
        for call in late {
            if let Some(handle) = session.call(call) {
                handle.cancel();
            }
            let after = Duration::ZERO;
            self.end(session, now, call, Answer::Lost(Loss::TimedOut { after }));
        }
    }

    /// Takes what has come, at the pace that was ordered.
    fn read(&mut self, session: &mut Session, now: Instant, call: CallId) {
        while let Some(open) = self.open.get_mut(&call) {
            if open.asks_at > now {
                return;
            }
            let taken = open.items.len() as u64;
            if open.order.is_stream && open.order.take.is_some_and(|take| taken >= take) {
                let keeps = self.quirks.contains(&Quirk::KeepsStreams);
                if let Some(handle) = session.call(call).filter(|_| !keeps) {
                    handle.cancel();
                }
                let items = std::mem::take(&mut open.items);
                say(&open.order.id, json!({ "items": items, "end": "dropped" }));
                self.open.remove(&call);
                return;
            }
            let Some(mut handle) = session.call(call) else { return };
            match handle.recv() {
                Some(Answer::Item(item)) => {
                    open.items.push(json_of(&item));
                    open.asks_at = now + open.order.pause;
                }
                Some(last) => self.end(session, now, call, last),
                None => return,
            }
        }
    }

    /// Tells what came of a call.
    fn end(&mut self, session: &mut Session, now: Instant, call: CallId, last: Answer) {
        let Some(open) = self.open.remove(&call) else { return };
        let is_lost = matches!(last, Answer::Lost(Loss::Disconnected { .. } | Loss::Silent { .. }));
        if is_lost && self.has(Quirk::EndsAtLoss) {
            std::process::exit(70);
        }
        if is_lost && self.has(Quirk::Resends) {
            return self.begin(session, now, open.order);
        }
        let fails = matches!(last, Answer::Failed(_));
        let items = if fails && self.has(Quirk::ErrorsTakeItems) { Vec::new() } else { open.items };
        let last = match last {
            Answer::Failed(_) if self.has(Quirk::ErrorsEndStreams) && open.order.is_stream => {
                Answer::End
            }
            other => other,
        };
        if open.order.is_stream {
            say(&open.order.id, json!({ "items": items, "end": end_of_stream(last) }));
        } else {
            say(&open.order.id, outcome(last, items));
        }
    }
}

fn outcome(last: Answer, items: Vec<Json>) -> Json {
    match last {
        Answer::Value(value) => json!({ "ok": json_of(&value) }),
        Answer::Failed(failure) => json!({ "error": failed(&failure) }),
        Answer::Lost(Loss::TimedOut { .. } | Loss::NotSent { .. }) => json!({ "timeout": true }),
        Answer::Lost(Loss::Disconnected { .. } | Loss::Silent { .. }) => json!({ "lost": true }),
        Answer::Lost(other) => json!({ "failed": other.to_string() }),
        Answer::End => json!({ "failed": format!("a stream: {items:?}") }),
        Answer::Item(_) => json!({ "failed": "an item is no end" }),
    }
}

fn end_of_stream(last: Answer) -> Json {
    match last {
        Answer::End => json!("done"),
        Answer::Failed(failure) => failed(&failure),
        Answer::Lost(Loss::TimedOut { .. } | Loss::NotSent { .. }) => json!("timeout"),
        Answer::Lost(Loss::Disconnected { .. } | Loss::Silent { .. }) => json!("lost"),
        Answer::Lost(other) => json!({ "name": "Loss", "message": other.to_string() }),
        Answer::Value(_) | Answer::Item(_) => {
            json!({ "name": "NoStream", "message": "the answer is a value" })
        }
    }
}

fn failed(failure: &RemoteError) -> Json {
    json!({ "name": failure.name, "message": failure.message })
}

fn json_of(value: &Args) -> Json {
    match rmpv::decode::read_value(&mut &value.as_bytes()[..]) {
        Ok(value) => values::to_json(&value),
        Err(error) => json!({ "$broken": error.to_string() }),
    }
}

/// Prints a line, with the id of its order.
fn say(id: &Json, mut line: Json) {
    line["id"] = id.clone();
    println!("{line}");
}

impl Order {
    fn read(line: &str) -> Result<Self, Box<dyn Error>> {
        let order: Json = serde_json::from_str(line)?;
        let stream = order["stream"].as_str();
        let sends = [("push", SocketKind::Push), ("publish", SocketKind::Pub)];
        let sends = sends.into_iter().find(|(key, _)| order[*key].is_string());
        let sent = sends.and_then(|(key, _)| order[key].as_str());
        let method = stream.or(order["call"].as_str()).or(sent).ok_or("nothing to be done")?;
        let args = order.get("args").cloned().unwrap_or_else(|| json!([]));
        let mut encoded = Vec::new();
        rmpv::encode::write_value(&mut encoded, &values::from_json(&args))?;
        let seconds = |key: &str| {
            order[key].as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        };
        Ok(Self {
            id: order["id"].clone(),
            method: method.to_owned(),
            args: Args::from_bytes(encoded.into())?,
            timeout: Some(seconds("timeout").unwrap_or(zerorpc_proto::DEFAULT_TIMEOUT)),
            is_stream: stream.is_some(),
            sends: sends.map(|(_, kind)| kind),
            take: order["take"].as_u64(),
            pause: seconds("pause").unwrap_or_default(),
        })
    }
}
