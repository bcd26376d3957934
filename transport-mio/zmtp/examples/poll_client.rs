//! A client over poll(2) and nothing else: `cargo run --example poll_client -- tcp://127.0.0.1:4242 add 20 22` calls a
//! method with numbers and prints what it answers.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "programs have clocks and sockets"
)]

use std::{
    error::Error,
    hash::{BuildHasher, RandomState},
    net::TcpStream,
    time::Instant,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zerorpc_proto::{Answer, Args, CallId, CallOptions, Config, Notice, Target};
use zerorpc_zmtp::{Origin, RpcOutput, RpcSocket, SocketEvent};

/// Prints what has come; whether more is to be waited for.
fn print(rpc: &mut RpcSocket, call: CallId) -> Result<bool, Box<dyn Error>> {
    while let Some(answer) = rpc.call(call).and_then(|mut call| call.recv()) {
        let is_last = answer.is_last();
        match answer {
            Answer::Value(value) | Answer::Item(value) => println!("{}", value.decode::<i64>()?),
            Answer::Failed(failure) => return Err(failure.message.as_str().into()),
            Answer::Lost(loss) => return Err(loss.to_string().into()),
            _ => {}
        }
        if is_last {
            return Ok(false);
        }
    }
    Ok(true)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let endpoint = args.next().ok_or("usage: poll_client ENDPOINT METHOD [NUMBER]…")?;
    let method = args.next().ok_or("which method is to be called?")?;
    let numbers = args.map(|number| number.parse()).collect::<Result<Vec<i64>, _>>()?;
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("tcp://"))?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;

    let seed = u128::from(RandomState::new().hash_one(std::process::id()));
    let mut rpc = RpcSocket::client(Config::client(seed));
    let now = Instant::now();
    let connection = rpc.open_connection(now, Origin::Dialed, endpoint);
    let args = Args::encode_params(&numbers)?;
    let call = rpc.open(now, Target::Any, &method, args, &CallOptions::new())?;
    loop {
        let now = Instant::now();
        let until = loop {
            match rpc.poll_output(now) {
                RpcOutput::Wait(until) => break until,
                RpcOutput::Flush(connection) => drop(rpc.write_to(now, connection, &mut stream)),
                RpcOutput::Notice(Notice::Readable(_) | Notice::CallLost(_))
                    if !print(&mut rpc, call)? =>
                {
                    return Ok(());
                }
                RpcOutput::Event(SocketEvent::Closed(closed)) => return Err(closed.words.into()),
                _ => {}
            }
        };
        let writes = if rpc.has_output(connection) { PollFlags::OUT } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&stream, PollFlags::IN | writes)];
        let wait = until.map(|until| until.saturating_duration_since(Instant::now()));
        let wait = wait.map(Timespec::try_from).transpose()?;
        rustix::io::retry_on_intr(|| poll(&mut fds, wait.as_ref()))?;
        let (ready, now) = (fds[0].revents(), Instant::now());
        if ready.contains(PollFlags::OUT) {
            rpc.write_to(now, connection, &mut stream);
        }
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            rpc.read_from(now, connection, &mut stream);
        }
        rpc.handle_timeout(now);
    }
}
