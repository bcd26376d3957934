//! A real server to call.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use zerorpc::{Args, Methods, Reply, Server, ServerBuilder};

/// Makes methods wait, until it is dropped.
#[derive(Clone)]
struct Gate(Arc<Mutex<Receiver<()>>>);

pub(super) struct Fixture {
    pub(super) server: Server,
    /// How many of `watched`'s iterators live.
    pub(super) alive: Arc<AtomicUsize>,
    _open: Sender<()>,
}

pub(super) fn serve(how: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Fixture {
    struct Watched(Arc<AtomicUsize>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let (open, gate) = channel();
    let gate = Gate(Arc::new(Mutex::new(gate)));
    let alive = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&alive);
    let service = Methods::new("fixture")
        .method("add", |a: i64, b: i64| Ok(a + b))
        .method("wait", move || Ok(gate.0.lock().map(|gate| gate.recv().is_ok()).unwrap_or(false)))
        .method("fail", |message: String| -> Result<(), _> {
            Err(zerorpc::Failure::new("ValueError", message).with_traceback("where"))
        })
        .raw("trace", |request| {
            Ok(Reply::Value(Args::encode(&request.context().get::<u8>("trace")?)?))
        })
        .stream("count", |n: u64| Ok(0..n))
        .stream("watched", move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let watched = Watched(Arc::clone(&counter));
            Ok((0_u64..).inspect(move |_| {
                let _ = &watched;
            }))
        });
    let server = how(Server::builder().service(service)).build().expect("a server");
    Fixture { server, alive, _open: open }
}

pub(super) fn bound() -> (Fixture, String) {
    let fixture = serve(|builder| builder.bind("tcp://127.0.0.1:*"));
    let endpoint = fixture.server.endpoints()[0].clone();
    (fixture, endpoint)
}
