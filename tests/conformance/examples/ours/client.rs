//! The client of the contract: a thread for each command.

use std::{
    error::Error as AnyError,
    io::{BufRead, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use rmpv::Value;
use serde_json::{Value as Json, json};
use zerorpc::{
    Answer, Args, CallOptions, Client, Error, Publisher, Pusher, RemoteError, SocketConfig,
    TransportKind,
};

use super::{
    Link,
    values::{from_json, to_json},
};

/// Obeys until stdin ends.
pub(crate) fn obey(
    transport: TransportKind,
    links: &[(Link, &str)],
    heartbeat: Duration,
    senders: Senders,
) -> Result<(), Box<dyn AnyError>> {
    let mut builder = Client::builder().transport(transport).heartbeat(heartbeat);
    for (link, endpoint) in links {
        builder = match link {
            Link::Bind => builder.bind(endpoint),
            Link::Connect => builder.connect(endpoint),
        };
    }
    let client = builder.build()?;
    let senders = Arc::new(senders);
    for line in std::io::stdin().lock().lines() {
        let order: Json = serde_json::from_str(&line?)?;
        let options = CallOptions::new();
        let options = match order["timeout"].as_f64() {
            Some(seconds) => options.timeout(Duration::from_secs_f64(seconds)),
            None => options,
        };
        let client = client.with(options);
        let senders = Arc::clone(&senders);
        thread::spawn(move || {
            let mut outcome = if order["stream"].is_string() {
                stream(&client, &order)
            } else if order["call"].is_string() {
                call(&client, &order)
            } else {
                senders.send(&order)
            };
            outcome["id"] = order["id"].clone();
            let mut line = outcome.to_string();
            line.push('\n');
            // Nobody is left to be told when stdout is closed.
            let _ = std::io::stdout().write_all(line.as_bytes());
        });
    }
    std::process::exit(0);
}

/// What pushes and publishes.
#[derive(Default)]
pub(crate) struct Senders {
    pusher: Option<Pusher>,
    publisher: Option<Publisher>,
}

impl Senders {
    pub(crate) fn push_at(&mut self, kind: TransportKind, endpoint: &str) -> Result<(), Error> {
        self.pusher = Some(Pusher::open(&SocketConfig::new().transport(kind).bind(endpoint))?);
        Ok(())
    }

    pub(crate) fn publish_at(&mut self, kind: TransportKind, endpoint: &str) -> Result<(), Error> {
        let config = SocketConfig::new().transport(kind).bind(endpoint);
        self.publisher = Some(Publisher::open(&config)?);
        Ok(())
    }

    fn send(&self, order: &Json) -> Json {
        let [push, publish] = ["push", "publish"].map(|key| order[key].as_str());
        let sent = match (push, publish, &self.pusher, &self.publisher) {
            (Some(method), _, Some(pusher), _) => pusher.push(method, arguments(order)),
            (_, Some(method), _, Some(publisher)) => publisher.publish(method, arguments(order)),
            _ => return json!({ "unsupported": "no endpoint was given for that" }),
        };
        match sent {
            Ok(()) => json!({ "ok": null }),
            Err(error) => json!({ "failed": error.to_string() }),
        }
    }
}

fn arguments(order: &Json) -> Vec<Value> {
    order["args"].as_array().into_iter().flatten().map(from_json).collect()
}

fn call(client: &Client, order: &Json) -> Json {
    let method = order["call"].as_str().unwrap_or_default();
    match client.call::<Answer>(method, arguments(order)) {
        Ok(Answer::Value(value)) => json!({ "ok": json_of(&value) }),
        Ok(_) => json!({ "failed": "the answer is a stream" }),
        Err(Error::Remote { error, .. }) => json!({ "error": remote(&error) }),
        Err(Error::Timeout { .. } | Error::Unreachable { .. }) => json!({ "timeout": true }),
        Err(Error::LostRemote { .. }) => json!({ "lost": true }),
        Err(error) => json!({ "failed": error.to_string() }),
    }
}

fn stream(client: &Client, order: &Json) -> Json {
    let method = order["stream"].as_str().unwrap_or_default();
    let take = order["take"].as_u64();
    let pause = order["pause"].as_f64().map_or(Duration::ZERO, Duration::from_secs_f64);
    let mut items: Vec<Json> = Vec::new();
    let mut stream = match client.call::<Answer>(method, arguments(order)) {
        Ok(Answer::Stream(stream)) => stream,
        Ok(_) => {
            let end = json!({ "name": "NotStream", "message": "the answer is a value" });
            return json!({ "items": items, "end": end });
        }
        Err(error) => return json!({ "items": items, "end": end(error) }),
    };
    while take.is_none_or(|take| (items.len() as u64) < take) {
        match stream.next() {
            Some(Ok(item)) => items.push(json_of(&item)),
            Some(Err(error)) => return json!({ "items": items, "end": end(error) }),
            None => return json!({ "items": items, "end": "done" }),
        }
        thread::sleep(pause);
    }
    json!({ "items": items, "end": "dropped" })
}

fn end(error: Error) -> Json {
    match error {
        Error::Remote { error, .. } => remote(&error),
        Error::Timeout { .. } | Error::Unreachable { .. } => json!("timeout"),
        Error::LostRemote { .. } => json!("lost"),
        other => json!({ "name": "Error", "message": other.to_string() }),
    }
}

fn remote(error: &RemoteError) -> Json {
    json!({ "name": error.name, "message": error.message })
}

fn json_of(value: &Args) -> Json {
    match rmpv::decode::read_value(&mut &value.as_bytes()[..]) {
        Ok(value) => to_json(&value),
        Err(error) => json!({ "$broken": error.to_string() }),
    }
}
