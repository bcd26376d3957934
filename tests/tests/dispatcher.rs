//! Services over sessions that somebody else drives: without a server, its threads and its sockets.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use rmpv::Value;
use zerorpc::{
    AuthRequest, Blocked, Client, Credential, Dispatcher, Failure, Method, Methods, Principal,
    Reply, Responder, Server, Service,
};
use zerorpc_proto::{
    Answer, Args, CallId, CallOptions, Config, Multipart, Notice, PeerEvent, PeerId, Session,
};

const PEER: PeerId = PeerId::new(1);

/// A caller and a service with nothing between them.
struct Pair {
    now: Instant,
    client: Session,
    server: Session,
    dispatcher: Dispatcher,
    /// Who calls, if the dispatcher is told.
    caller: Option<Arc<Principal>>,
}

impl Pair {
    fn new(service: impl Service) -> Self {
        let dispatcher = Dispatcher::new(service);
        let (client, server) = (Session::new(Config::client(1)), Session::new(Config::server(2)));
        let mut pair = Self { now: Instant::now(), client, server, dispatcher, caller: None };
        pair.client.handle_peer_event(pair.now, PeerEvent::Up(PEER));
        pair.server.handle_peer_event(pair.now, PeerEvent::Up(PEER));
        pair
    }

    fn open(&mut self, method: &str, args: &impl serde::Serialize, slots: u32) -> CallId {
        let args = Args::encode_params(args).expect("they can be encoded");
        let options = CallOptions::new().slots(slots);
        self.client.open(self.now, PEER, method, args, &options).expect("there is room")
    }

    /// Carries messages and handles notices until nothing is left to do.
    fn settle(&mut self) {
        loop {
            let mut is_idle = true;
            while let Some(message) = self.client.poll_transmit() {
                let message = Multipart::direct(message.payload.to_bytes());
                self.server.handle_message(self.now, PEER, message);
                is_idle = false;
            }
            self.dispatcher.poll(&mut self.server);
            while let Some(notice) = self.server.poll_notice() {
                let caller = self.caller.clone();
                let other = self.dispatcher.handle_notice_from(&mut self.server, notice, caller);
                assert_eq!(other, None, "a server without calls hears of requests alone");
                is_idle = false;
            }
            while let Some(message) = self.server.poll_transmit() {
                let message = Multipart::direct(message.payload.to_bytes());
                self.client.handle_message(self.now, PEER, message);
                is_idle = false;
            }
            if is_idle {
                return;
            }
        }
    }

    /// The next answer; asking is what grants credit for it.
    fn answer(&mut self, call: CallId) -> Option<Answer> {
        self.settle();
        if let Some(answer) = self.client.call(call)?.recv() {
            return Some(answer);
        }
        self.settle();
        self.client.call(call)?.recv()
    }

    fn call(&mut self, method: &str, args: &impl serde::Serialize) -> Result<Value, Failure> {
        let call = self.open(method, args, 100);
        match self.answer(call) {
            Some(Answer::Value(value)) => Ok(value.decode().expect("any value")),
            Some(Answer::Failed(failure)) => Err(Failure::new(&*failure.name, &*failure.message)),
            other => panic!("{method} answers at once, not {other:?}"),
        }
    }
}

fn calculator() -> Methods {
    Methods::new("calculator")
        .method(
            Method::new("add").doc("Adds two numbers.").arguments(["a", "b"]),
            |a: i64, b: i64| Ok(a + b),
        )
        .method("panic", || -> Result<(), Failure> { panic!("on purpose") })
        .method("fail", || -> Result<(), Failure> { Err(Failure::new("KeyError", "'x'")) })
        .stream("count", |n: u64| Ok(0..n))
}

#[test]
fn values_and_errors_are_those_of_a_server() {
    let mut pair = Pair::new(calculator());
    let server = Server::builder().service(calculator()).bind("inproc://dispatcher").build();
    let server = server.expect("a server");
    let client = Client::connect(&server.endpoints()[0]).expect("a client");
    let name = "add";
    let calls: [(&str, Vec<Value>); 12] = [
        ("add", vec![20.into(), 22.into()]),
        ("add", vec!["x".into(), 22.into()]),
        ("fail", vec![]),
        ("panic", vec![]),
        ("no_such_method", vec![]),
        ("_zerorpc_ping", vec![]),
        ("_zerorpc_ping", vec![1.into()]),
        ("_zerorpc_name", vec![]),
        ("_zerorpc_list", vec![]),
        ("_zerorpc_help", vec![name.into()]),
        ("_zerorpc_args", vec![name.into()]),
        ("_zerorpc_inspect", vec![]),
    ];
    for (method, args) in calls {
        let expected = match client.call::<Value>(method, &args) {
            Ok(value) => Ok(value),
            Err(zerorpc::Error::Remote { error, .. }) => {
                Err(Failure::new(error.name, error.message))
            }
            Err(error) => panic!("{method}: {error}"),
        };
        assert_eq!(pair.call(method, &args), expected, "{method} {args:?}");
    }
    assert_eq!(pair.dispatcher.open_requests(), 0);
}

#[test]
fn a_stream_waits_for_its_reader() {
    let asked = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&asked);
    let service = calculator().stream("watched", move || {
        let made = Arc::clone(&made);
        Ok((0..1000_u64).inspect(move |_| _ = made.fetch_add(1, Ordering::SeqCst)))
    });
    let mut pair = Pair::new(service);
    let call = pair.open("watched", &(), 10);
    pair.settle();
    assert_eq!(pair.dispatcher.open_requests(), 1);
    let ahead = asked.load(Ordering::SeqCst);
    assert!(ahead <= 12, "{ahead} items were made for nobody");
    for number in 0..1000_u64 {
        let item = pair.answer(call);
        assert_eq!(item, Some(Answer::Item(Args::encode(&number).expect("a number"))));
    }
    assert_eq!(pair.answer(call), Some(Answer::End));
    assert_eq!(pair.dispatcher.open_requests(), 0);
}

#[test]
fn streams_and_requests_of_callers_that_have_gone_are_dropped() {
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let (alive, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (held, told) = (Arc::clone(&alive), Arc::clone(&lost));
    let responders = Arc::new(Mutex::new(Vec::<Responder>::new()));
    let kept = Arc::clone(&responders);
    let service = Methods::new("held")
        .stream("held", move || {
            held.fetch_add(1, Ordering::SeqCst);
            let alive = Alive(Arc::clone(&held));
            Ok(std::iter::repeat_with(move || {
                let _held = &alive;
                7
            }))
        })
        .raw("never", move |request| {
            let told = Arc::clone(&told);
            request.on_lost(move || told.store(true, Ordering::SeqCst));
            let kept = Arc::clone(&kept);
            Ok(Reply::Later(Box::new(move |responder| {
                kept.lock().expect("no panic").push(responder);
            })))
        });
    let watched = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&watched);
    let service = service.raw("watched", move |request| {
        let told = Arc::clone(&told);
        request.on_lost(move || told.store(true, Ordering::SeqCst));
        Ok(Reply::Stream(Box::new(std::iter::repeat_with(|| Ok(Args::NIL)))))
    });
    let mut pair = Pair::new(service);
    pair.open("held", &(), 10);
    pair.open("never", &(), 10);
    pair.open("watched", &(), 10);
    pair.settle();
    assert_eq!((alive.load(Ordering::SeqCst), pair.dispatcher.open_requests()), (1, 3));
    pair.server.handle_peer_event(pair.now, PeerEvent::Down(PEER, "it was unplugged".into()));
    pair.settle();
    assert_eq!((alive.load(Ordering::SeqCst), pair.dispatcher.open_requests()), (0, 0));
    assert!(lost.load(Ordering::SeqCst), "who works on it hears of it");
    assert!(watched.load(Ordering::SeqCst), "who makes a stream hears of it");
    // What comes too late is dropped.
    for responder in responders.lock().expect("no panic").drain(..) {
        responder.reply(Args::NIL);
    }
    pair.settle();
}

#[test]
fn answers_come_later_from_other_threads() {
    let woken = Arc::new(AtomicUsize::new(0));
    let wakes = Arc::clone(&woken);
    let service = Methods::new("patient")
        .raw("double", |request| {
            let (number,): (i64,) = request.args().decode()?;
            Ok(Reply::Later(Box::new(move |responder| {
                let value = Args::encode(&(2 * number)).expect("a number");
                thread::spawn(move || responder.reply(value)).join().expect("no panic");
            })))
        })
        .raw("forget", |_| Ok(Reply::Later(Box::new(drop))))
        .raw("count", |request| {
            let (count,): (u64,) = request.args().decode()?;
            Ok(Reply::Later(Box::new(move |responder| Counter::start(count, responder))))
        });
    let mut pair = Pair::new(service);
    pair.dispatcher = pair.dispatcher.on_answer(move || _ = wakes.fetch_add(1, Ordering::SeqCst));
    assert_eq!(pair.call("double", &(21,)), Ok(42.into()));
    assert!(woken.load(Ordering::SeqCst) > 0, "the loop is woken");
    let forgotten = pair.call("forget", &()).expect_err("there is no answer");
    assert_eq!(forgotten.name, "NoAnswer");
    let call = pair.open("count", &(1000,), 10);
    for number in 0..1000_u64 {
        let item = pair.answer(call);
        assert_eq!(item, Some(Answer::Item(Args::encode(&number).expect("a number"))));
    }
    assert_eq!(pair.answer(call), Some(Answer::End));
    assert_eq!(pair.dispatcher.open_requests(), 0);
}

/// Counts as fast as the caller takes it.
struct Counter {
    next: u64,
    count: u64,
    responder: Option<Responder>,
}

impl Counter {
    fn start(count: u64, responder: Responder) {
        let counter = Arc::new(Mutex::new(Self { next: 0, count, responder: None }));
        let again = Arc::clone(&counter);
        responder.on_writable(move || again.lock().expect("no panic").go_on());
        let mut counter = counter.lock().expect("no panic");
        counter.responder = Some(responder);
        counter.go_on();
    }

    fn go_on(&mut self) {
        let Some(responder) = &self.responder else { return };
        while self.next < self.count {
            let item = Args::encode(&self.next).expect("a number");
            if let Err(Blocked(_)) = responder.send(item) {
                return;
            }
            self.next += 1;
        }
        if let Some(responder) = self.responder.take() {
            responder.finish();
        }
    }
}

#[test]
fn notices_of_calls_come_back() {
    let mut pair = Pair::new(calculator());
    let args = Args::encode(&(1, 2)).expect("two numbers");
    let own = pair.server.open(pair.now, PEER, "add", args, &CallOptions::new()).expect("a call");
    let request = pair.server.poll_transmit().expect("a request");
    let mut other = Session::new(Config::server(3));
    other.handle_message(pair.now, PEER, Multipart::direct(request.payload.to_bytes()));
    let mut dispatcher = Dispatcher::new(calculator());
    while let Some(notice) = other.poll_notice() {
        assert_eq!(dispatcher.handle_notice(&mut other, notice), None);
    }
    let answer = other.poll_transmit().expect("an answer");
    pair.server.handle_message(pair.now, PEER, Multipart::direct(answer.payload.to_bytes()));
    let notice = pair.server.poll_notice().expect("an answer is there");
    let back = pair.dispatcher.handle_notice(&mut pair.server, notice);
    assert_eq!(back, Some(Notice::Readable(own)));
}

#[test]
fn callers_are_known_as_far_as_the_dispatcher_is_told() {
    let service = Methods::new("who")
        .raw("who", |request| Ok(Reply::Value(Args::encode(&request.peer().to_string())?)));
    let mut pair = Pair::new(service);
    pair.dispatcher =
        std::mem::replace(&mut pair.dispatcher, Dispatcher::new(Methods::new("nothing")))
            .authorize(|peer: &Principal, _: &str| peer.username.is_some());
    let denied = pair.open("who", &(), 1);
    match pair.answer(denied) {
        Some(Answer::Failed(error)) => assert_eq!(error.name, Failure::PERMISSION_DENIED),
        other => panic!("{other:?}"),
    }
    let request = AuthRequest::new(Credential::password(b"ada", b"lovelace"), "tcp://192.0.2.7:1");
    pair.caller = Some(Arc::new(Principal::new(None, &request)));
    let allowed = pair.open("who", &(), 1);
    let expected = Args::encode(&"user ada").expect("text");
    assert_eq!(pair.answer(allowed), Some(Answer::Value(expected)));
}
