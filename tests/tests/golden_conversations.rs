//! Every recorded conversation, with a session of ours in the place of either side.

use std::time::{Duration, Instant};

use rmpv::Value;
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, Event, HeartbeatMode, Limits, Multipart, Notice,
    OpenError, PeerId, RemoteError, RequestId, Session, Transmit,
};
use zerorpc_tests::{
    vectors::{self, Vector},
    world::{
        raw_event::{RawEvent, args, read, value},
        test_session::hear,
    },
};

const PEER: PeerId = PeerId::new(1);
const INTERVAL: Duration = Duration::from_secs(1);

fn config(mut config: Config) -> Config {
    config.heartbeat = Some(INTERVAL);
    config
}

fn decode(payload: &bytes::Bytes) -> Event {
    Event::decode(payload, &Limits::default()).expect("recorded events are sound")
}

/// What happens next in a conversation.
enum Step {
    Recorded(Box<Vector>),
    /// Not kept in the file: one more item of the stream.
    Item(u64),
}

/// A conversation with the items that the recorder left out. `None` where it left out grants as well: those
/// cannot be told any more.
fn steps(conversation: &[Vector]) -> Vec<Option<Step>> {
    let (mut steps, mut number, mut items) = (Vec::new(), 0, 0);
    for vector in conversation {
        let skipped = vector.number().map_or(0, |next| next.saturating_sub(number + 1));
        number = vector.number().unwrap_or(number);
        let item = match &vector.says().name {
            name if name.as_str() == Some("STREAM") => vector.says().args.as_u64(),
            _ => None,
        };
        if item.is_none_or(|item| item == items + u64::from(skipped)) {
            for _ in 0..skipped {
                steps.push(Some(Step::Item(items)));
                items += 1;
            }
        } else {
            steps.push(None);
        }
        items = item.map_or(items, |item| item + 1);
        steps.push(Some(Step::Recorded(Box::new(vector.clone()))));
    }
    steps
}

/// Our server, which hears the recorded client and says what the recorded server said.
struct Serving {
    session: Session,
    now: Instant,
    request: Option<RequestId>,
    credit: u64,
}

impl Serving {
    fn new() -> Self {
        let session = Session::new(config(Config::server(9)));
        Self { session, now: Instant::now(), request: None, credit: 1 }
    }

    fn hear(&mut self, vector: &Vector) {
        let event = decode(vector.payload());
        let grants = event.name == *"_zpc_more" || event.name == *"_zpc_hb";
        if grants {
            let more = value(&event.args);
            self.credit += more.as_array().map_or(0, |args| args[0].as_u64().unwrap_or(0));
        }
        hear(&mut self.session, self.now, PEER, vector.multipart())
            .unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        if let Some(Notice::Requested(id)) = self.session.poll_notice() {
            self.request = Some(id);
            let request = self.session.request(id).expect("it has just come");
            assert_eq!(request.method(), &*event.name, "{}", vector.name);
            assert_eq!(request.args(), event.args, "{}", vector.name);
            assert_eq!(request.context(), event.header.context, "{}", vector.name);
        }
    }

    fn request(&mut self) -> zerorpc_proto::Request<'_> {
        let id = self.request.expect("a request comes first");
        self.session.request(id).expect("the request is open")
    }

    fn send(&mut self, item: Args) {
        self.credit -= 1;
        self.request().send(item.clone()).expect("the recorded server had credit as well");
        if self.credit == 0 {
            self.request().send(item).expect_err("the recorded server had to wait as well");
        }
    }

    fn beat(&mut self) {
        for _ in 0..10 {
            self.now = self.session.poll_timeout().expect("a channel is open");
            self.session.handle_timeout(self.now);
            if self.session.poll_transmit().inspect(|beat| self.check_beat(beat)).is_some() {
                return;
            }
        }
        panic!("the recorded server beat, ours does not");
    }

    fn check_beat(&self, beat: &Transmit) {
        let beat = read(beat);
        assert_eq!((&*beat.name, &beat.args.as_bytes()[..]), ("_zpc_hb", &[0x91, 0][..]));
    }

    /// Says what was recorded; true when that comes as an event at once.
    fn say(&mut self, event: &Event) {
        match &*event.name {
            "OK" => {
                let elements = event.args.elements().expect("a list");
                self.request().reply(elements[0].clone()).expect("no stream has begun");
            }
            "ERR" => self.request().fail(failure(event)),
            "STREAM" => self.send(event.args.clone()),
            "STREAM_DONE" => self.request().finish(),
            other => panic!("servers do not say {other}"),
        }
    }

    /// Our event must be the recorded one, apart from its own id and the order of its header.
    fn compare(&mut self, vector: &Vector) {
        let sent = self.session.poll_transmit();
        let sent = sent.unwrap_or_else(|| panic!("{}: ours says nothing", vector.name));
        let (ours, theirs) = (read(&sent), decode(vector.payload()));
        let name = &vector.name;
        assert_eq!(ours.name, theirs.name, "{name}");
        if theirs.name != *"STREAM_DONE" {
            // Node writes [] there, the reference nil; both ignore it.
            assert_eq!(ours.args, theirs.args, "{name}");
        }
        let echo = |event: &Event| {
            event.header.response_to.as_ref().expect("an answer").as_encoded().to_vec()
        };
        assert_eq!(echo(&ours), echo(&theirs), "{name}: the id in its own type");
        assert_eq!(ours.header.version.number(), Some(3), "{name}");
        assert_eq!(ours.header.context, theirs.header.context, "{name}");
        assert_eq!(sent.envelope.frames(), vector.says().envelope, "{name}");
        assert_eq!(sent.to, PEER);
    }
}

/// What was said to fail; the one text of version 1 is taken apart as our server puts it together.
fn failure(event: &Event) -> RemoteError {
    let texts: Vec<String> = event.args.decode().expect("texts");
    match &texts[..] {
        [name, message, traceback] => {
            RemoteError::new(name.as_str(), message.as_str()).with_traceback(traceback)
        }
        [text] => {
            let (name, message) = text.split_once("('").expect("as the reference shows errors");
            RemoteError::new(name, message.trim_end_matches("')"))
        }
        _ => panic!("errors are one text or three"),
    }
}

#[test]
fn our_server_answers_as_the_recorded_one() {
    for conversation in files().flat_map(vectors::conversations) {
        if conversation[0].conversation() == "py-client-v2-server" {
            // Its client grants as one does to a server of version 2, and ours says that it is of 3.
            continue;
        }
        let mut server = Serving::new();
        for step in steps(&conversation) {
            match step {
                Some(Step::Recorded(vector)) if !vector.is_from_server() => server.hear(&vector),
                Some(Step::Recorded(vector)) => {
                    let event = decode(vector.payload());
                    if event.name == *"_zpc_hb" {
                        server.beat();
                    } else {
                        server.say(&event);
                        server.compare(&vector);
                    }
                }
                Some(Step::Item(number)) => {
                    server.send(args(&number.into()));
                    assert!(server.session.poll_transmit().is_some(), "an item is sent at once");
                }
                None => server.skip(&conversation),
            }
        }
        let name = conversation[0].conversation();
        assert_eq!(server.session.poll_transmit(), None, "{name}");
        assert_eq!(server.session.open_channels(), 0, "{name}: all conversations came to an end");
        assert_eq!(server.session.buffered_bytes(), 0, "{name}");
    }
}

impl Serving {
    /// The unrecorded rest of a long stream to Node: items, and its small grants.
    fn skip(&mut self, conversation: &[Vector]) {
        let id = conversation[0].says().header.iter().find(|(key, _)| key == "message_id");
        let id = id.map(|(_, id)| id.clone()).expect("a request has an id");
        for _ in 0..150 {
            while self.credit > 0 {
                self.send(Args::NIL);
                assert!(self.session.poll_transmit().is_some(), "an item is sent at once");
            }
            let grant = RawEvent::grant(id.clone(), 3).message();
            hear(&mut self.session, self.now, PEER, grant).expect("a sound event");
            self.credit += 3;
        }
    }
}

/// Our client, which makes the recorded call and hears the recorded server.
struct Calling {
    session: Session,
    now: Instant,
    call: CallId,
    id: zerorpc_proto::MessageId,
    answers: Vec<Answer>,
    /// Names and arguments of grants.
    grants: Vec<(String, Value)>,
    beats: usize,
}

impl Calling {
    fn new(request: &Vector) -> Result<Self, OpenError> {
        let mut settings = config(Config::client(4));
        if request.conversation() == "passive-client" {
            settings.heartbeat_mode = HeartbeatMode::Passive;
        }
        let (mut session, now) = (Session::new(settings), Instant::now());
        let asked = decode(request.payload());
        let options = CallOptions::new().context(asked.header.context.clone());
        let call = session.open(now, PEER, &asked.name, asked.args.clone(), &options)?;
        let ours = read(&session.poll_transmit().expect("the request"));
        assert_eq!(ours.name, asked.name, "{}", request.name);
        assert_eq!(ours.args, asked.args, "{}", request.name);
        assert_eq!(ours.header.context, asked.header.context, "{}", request.name);
        let id = ours.header.message_id.expect("requests have an id");
        let (answers, grants) = (Vec::new(), Vec::new());
        Ok(Self { session, now, call, id, answers, grants, beats: 0 })
    }

    /// Takes an event on the recorded call as one on ours, reads all there is, and sends.
    fn hear(&mut self, mut event: Event) {
        event.header.response_to = Some(self.id.clone());
        if event.name == *"_zpc_hb" {
            self.now += INTERVAL;
            self.session.handle_timeout(self.now);
        }
        let message = Multipart::direct(event.encode());
        hear(&mut self.session, self.now, PEER, message).expect("a sound event");
        let session = &mut self.session;
        while let Some(answer) = session.call(self.call).and_then(|mut call| call.recv()) {
            self.answers.push(answer);
        }
        while let Some(sent) = self.session.poll_transmit() {
            let sent = read(&sent);
            match value(&sent.args) {
                args if args == Value::Array(vec![0.into()]) => self.beats += 1,
                args => self.grants.push((sent.name.to_string(), args)),
            }
        }
    }
}

/// What the recorded server's event is to the reader of the call.
fn answer(event: &Event) -> Option<Answer> {
    match &*event.name {
        "OK" => event.args.elements().map(|elements| Answer::Value(elements[0].clone())),
        "STREAM" => Some(Answer::Item(event.args.clone())),
        "STREAM_DONE" => Some(Answer::End),
        "ERR" if event.args.elements().is_some_and(|texts| texts.len() == 1) => {
            let [text]: [String; 1] = event.args.decode().expect("a text");
            Some(Answer::Failed(RemoteError::new("RemoteError", text).into()))
        }
        "ERR" => Some(Answer::Failed(failure(event).into())),
        _ => None,
    }
}

#[test]
fn our_client_takes_what_the_recorded_server_says() {
    let mut refused = Vec::new();
    for conversation in files().flat_map(vectors::conversations) {
        let name = conversation[0].conversation();
        let mut client = match Calling::new(&conversation[0]) {
            Ok(client) => client,
            Err(OpenError::ArgsNotArray) => {
                refused.push(name.to_owned());
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        let (mut expected, mut grants, mut beats) = (Vec::new(), Vec::new(), 0);
        for step in steps(&conversation).into_iter().flatten() {
            let event = match step {
                Step::Item(number) => decode(&RawEvent::on("", "STREAM", number.into()).payload()),
                Step::Recorded(vector) if vector.is_from_server() => decode(vector.payload()),
                Step::Recorded(vector) => {
                    let says = vector.says();
                    let credit = says.args.as_array().map_or(0, |a| a.len()) == 1;
                    if vector.number() != Some(1)
                        && says.args != Value::Array(vec![0.into()])
                        && credit
                    {
                        let name = says.name.as_str().expect("text").to_owned();
                        grants.push((name, says.args.clone()));
                    }
                    continue;
                }
            };
            beats += usize::from(event.name == *"_zpc_hb");
            expected.extend(answer(&event));
            client.hear(event);
        }
        assert_eq!(client.answers, expected, "{name}");
        if conversation[0].peer.contains("python") {
            assert_eq!(client.grants, grants, "{name}");
        }
        assert_eq!(client.beats > 0, beats > 0, "{name}: beats while the server beats");
        assert_eq!((client.session.open_channels(), client.session.buffered_bytes()), (0, 0));
    }
    assert_eq!(refused, ["null-args", "int-args", "string-args"], "no call of ours is like these");
}

fn files() -> impl Iterator<Item = &'static str> {
    vectors::FILES.into_iter().filter(|file| *file != "push_pub")
}
