use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use super::{Cut, Proxy, Service, Side};

/// How long anything may take; machines that run tests are slow and busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Long enough to see that nothing comes.
const MOMENT: Duration = Duration::from_millis(100);

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("tcp://{}", listener.local_addr().expect("an address"));
    (listener, endpoint)
}

fn connect(proxy: &Proxy) -> TcpStream {
    patient(TcpStream::connect(proxy.address()).expect("the proxy listens"))
}

fn accept(listener: &TcpListener) -> TcpStream {
    patient(listener.accept().expect("the proxy connects").0)
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream
}

#[track_caller]
fn carries(mut from: &TcpStream, mut to: &TcpStream) {
    from.write_all(b"hello").expect("it is open");
    let mut bytes = [0; 5];
    to.read_exact(&mut bytes).expect("it arrives");
    assert_eq!(&bytes, b"hello");
}

#[track_caller]
fn carries_nothing(mut from: &TcpStream, mut to: &TcpStream) {
    from.write_all(b"hello").expect("it is open");
    to.set_read_timeout(Some(MOMENT)).expect("an option");
    let error = to.read(&mut [0; 5]).expect_err("nothing comes");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    to.set_read_timeout(Some(PATIENCE)).expect("an option");
}

#[track_caller]
fn is_at_its_end(mut stream: &TcpStream) {
    assert_eq!(stream.read(&mut [0; 5]).expect("it ends in order"), 0);
}

#[test]
fn much_is_carried_both_ways_and_ends_as_it_should() {
    const MUCH: usize = 5 << 20;
    let (listener, endpoint) = listen();
    let proxy = Proxy::before([&endpoint]);
    let near = connect(&proxy);
    let far = accept(&listener);
    let bytes: Vec<u8> = (0..MUCH).map(|number| (number % 251) as u8).collect();
    let (bytes, streams) = (&bytes, [(&near, &far), (&far, &near)]);
    std::thread::scope(|scope| {
        for (mut from, mut to) in streams {
            scope.spawn(move || {
                from.write_all(bytes).expect("it is open");
                from.shutdown(Shutdown::Write).expect("it is open");
            });
            scope.spawn(move || {
                let mut read = Vec::new();
                to.read_to_end(&mut read).expect("it is open");
                assert!(read == *bytes);
            });
        }
    });
    crate::service::eventually("it is over", || proxy.forwarding() == 0);
    assert_eq!((proxy.accepted(), proxy.cut_idle()), (1, 0));
}

#[test]
fn backends_take_turns_and_those_that_are_down_are_passed_over() {
    let (first, second) = (listen(), listen());
    let (closed, absent) = listen();
    drop(closed);
    let proxy = Proxy::before([&first.1, &absent, &second.1]);
    for round in 0..6 {
        let near = connect(&proxy);
        // The second turn is that of the absent one, which the next one takes.
        let far = accept(if round % 3 == 0 { &first.0 } else { &second.0 });
        carries(&near, &far);
    }
    proxy.set_backends([&absent]);
    is_at_its_end(&connect(&proxy));
}

#[test]
fn forgotten_connections_are_silent_while_others_are_served() {
    let (listener, endpoint) = listen();
    let proxy = Proxy::before([&endpoint]);
    let near = connect(&proxy);
    let far = accept(&listener);
    carries(&near, &far);
    assert_eq!(proxy.forget(), 1);
    carries_nothing(&near, &far);
    carries_nothing(&far, &near);
    drop(near);
    far.set_nonblocking(true).expect("an option");
    let other = connect(&proxy);
    carries(&other, &accept(&listener));
    let told = (&far).read(&mut [0; 5]).expect_err("nobody is told of the other's end");
    assert_eq!(told.kind(), ErrorKind::WouldBlock);
    assert_eq!((proxy.accepted(), proxy.forwarding()), (2, 1));
}

#[test]
fn connections_are_cut_in_either_way() {
    let (listener, endpoint) = listen();
    let proxy = Proxy::before([&endpoint]);
    for how in [Cut::Close, Cut::Reset] {
        let near = connect(&proxy);
        let far = accept(&listener);
        carries(&near, &far);
        assert_eq!(proxy.cut(how), 1);
        for mut stream in [&near, &far] {
            match how {
                Cut::Close => is_at_its_end(stream),
                Cut::Reset => {
                    let error = stream.read(&mut [0; 5]).expect_err("it is reset");
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                }
            }
        }
    }
}

#[test]
fn a_half_closed_connection_goes_on_in_the_other_direction() {
    let (listener, endpoint) = listen();
    let proxy = Proxy::before([&endpoint]);
    for told in [Side::Client, Side::Backend] {
        let near = connect(&proxy);
        let far = accept(&listener);
        carries(&near, &far);
        assert_eq!(proxy.half_close(told), 1);
        let (quiet, other) = if told == Side::Client { (&near, &far) } else { (&far, &near) };
        is_at_its_end(quiet);
        carries(quiet, other);
        proxy.cut(Cut::Close);
    }
}

#[test]
fn what_is_idle_for_too_long_is_cut() {
    let limit = Duration::from_millis(300);
    let (listener, endpoint) = listen();
    let proxy = Proxy::before([&endpoint]);
    proxy.set_idle_limit(Some(limit));
    let (busy, idle) = (connect(&proxy), connect(&proxy));
    let ends = [accept(&listener), accept(&listener)];
    let start = Instant::now();
    let mut echo = ends[0].try_clone().expect("a socket");
    std::thread::spawn(move || std::io::copy(&mut echo.try_clone().expect("a socket"), &mut echo));
    while proxy.cut_idle() == 0 {
        carries(&busy, &busy);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(start.elapsed() >= limit);
    is_at_its_end(&idle);
    is_at_its_end(&ends[1]);
    carries(&busy, &busy);
}

#[test]
fn what_is_delayed_arrives_late_and_whole() {
    let delay = Duration::from_millis(200);
    let (listener, endpoint) = listen();
    let proxy = Proxy::before([&endpoint]);
    proxy.set_delay(delay);
    let near = connect(&proxy);
    let far = accept(&listener);
    let start = Instant::now();
    carries(&near, &far);
    carries(&far, &near);
    assert!(start.elapsed() >= 2 * delay, "{:?}", start.elapsed());
    (&near).write_all(b"last words").expect("it is open");
    drop(near);
    let mut words = String::new();
    (&far).read_to_string(&mut words).expect("it ends in order");
    assert_eq!(words, "last words");
}

#[test]
fn some_answers_lead_nowhere() {
    let (listener, endpoint) = listen();
    listener.set_nonblocking(true).expect("an option");
    let proxy = Proxy::before([&endpoint]);
    proxy.set_service(Service::Mute);
    let mute = connect(&proxy);
    carries_nothing(&mute, &mute);
    proxy.set_service(Service::Greet);
    let greeted = connect(&proxy);
    let mut greeting = [0; 64];
    (&greeted).read_exact(&mut greeting).expect("it greets");
    assert_eq!((greeting[0], greeting[9], &greeting[12..17]), (0xff, 0x7f, &b"NULL\0"[..]));
    carries_nothing(&greeted, &greeted);
    proxy.set_service(Service::Close);
    is_at_its_end(&connect(&proxy));
    let nobody = listener.accept().expect_err("the backend was left alone");
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
}
