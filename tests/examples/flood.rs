//! How much a flood of strangers slows calls: the server, the caller and the flood are processes of their own.
//!
//! ```sh
//! cargo run --release -p zerorpc-tests --example flood -- --seconds 2 --rounds 10
//! ```
//!
//! A flood takes processors, too, and what the system does for connections. So there are three kinds of rounds, one after the
//! other, again and again: a quiet one; one in which the flood comes to something else, which accepts and closes; and one in
//! which it comes to the server. The last one beside the second one is what the server makes of it.

#![cfg(target_os = "linux")]

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddrV4, TcpListener},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use zerorpc::{
    Client, KeyPair, Methods, SecretKey, Security, Server, SocketOptions, TransportKind,
};
use zerorpc_tests::flood::{Calls, Flood, hello};
use zerorpc_zmtp::key_pair;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    plan: Plan,
}

/// How much a flood of strangers slows calls.
#[derive(Args, Debug, Clone)]
struct Plan {
    /// How long each round takes.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many rounds there are of each kind.
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// How many connections the flood makes in a second, at most.
    #[arg(long, default_value_t = 2000)]
    rate: usize,
    /// Only these pairs of a server and a flood.
    #[arg(long = "only", value_enum)]
    only: Vec<Pair>,
}

/// A server, and what comes to it.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Pair {
    PlainSilence,
    PlainGarbage,
    CurveGarbage,
    CurveHello,
}

#[derive(Subcommand)]
enum Role {
    /// Serves until its stdin ends, and tells of strangers for each line that comes there.
    #[command(hide = true)]
    Serve { pair: Pair },
    /// Accepts and closes until its stdin ends.
    #[command(hide = true)]
    Accept,
    /// Floods until its stdin ends.
    #[command(hide = true)]
    Flood { pair: Pair, rate: usize, target: SocketAddrV4 },
}

fn main() -> Result<()> {
    let CommandLine { role, plan } = CommandLine::parse();
    match role {
        Some(Role::Serve { pair }) => serve(pair),
        Some(Role::Accept) => accept(),
        Some(Role::Flood { pair, rate, target }) => flood(pair, rate, target),
        None => Pair::value_variants()
            .iter()
            .filter(|pair| plan.only.is_empty() || plan.only.contains(pair))
            .try_for_each(|pair| measure(*pair, &plan)),
    }
}

/// The pair of keys that comes from this byte.
fn keys(byte: u8) -> KeyPair {
    key_pair(SecretKey::new([byte; 32]))
}

impl Pair {
    fn is_curve(self) -> bool {
        matches!(self, Self::CurveGarbage | Self::CurveHello)
    }

    /// What callers are told.
    fn client(self) -> SocketOptions {
        let options = SocketOptions::new();
        if self.is_curve() {
            let server = keys(1).public;
            return options.security(Security::CurveClient { keys: keys(2), server });
        }
        options
    }

    fn flood(self) -> Flood {
        match self {
            Self::PlainSilence => Flood::Say(Vec::new()),
            Self::PlainGarbage | Self::CurveGarbage => Flood::Say(vec![0xab; 1000]),
            Self::CurveHello => Flood::Say(hello(&self.client())),
        }
    }
}

fn serve(pair: Pair) -> Result<()> {
    let mut options = SocketOptions::new();
    if pair.is_curve() {
        options = options.security(Security::CurveServer { keys: keys(1) });
    }
    let service = Methods::new("flooded").method("add", |a: u64, b: u64| Ok(a.wrapping_add(b)));
    let builder = Server::builder().transport(TransportKind::Mio).socket_options(options);
    let server = builder.service(service).bind("tcp://127.0.0.1:*").build()?;
    println!("{}", server.endpoints()[0].trim_start_matches("tcp://"));
    for line in io::stdin().lock().lines() {
        line?;
        let stats = server.links().accept_stats()?.ok_or("mio counts")?;
        println!("{} {}", stats.accepted, stats.in_handshake);
    }
    println!("{:?}", server.links().accept_stats()?);
    Ok(())
}

fn accept() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    thread::spawn(move || listener.incoming().for_each(drop));
    until_the_end()
}

fn flood(pair: Pair, rate: usize, target: SocketAddrV4) -> Result<()> {
    let (over, flood) = (AtomicBool::new(false), pair.flood());
    thread::scope(|scope| {
        let flooding = scope.spawn(|| flood.run(target, rate, &over));
        until_the_end()?;
        over.store(true, Ordering::Relaxed);
        println!("{}", flooding.join().map_err(|_| "the flood broke off")?);
        Ok(())
    })
}

fn until_the_end() -> Result<()> {
    io::stdin().lock().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// This program in another role; it is killed when dropped.
struct Part(Child);

impl Part {
    fn start(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        // Each says one line at a time, when it is asked to.
        BufReader::with_capacity(1, self.0.stdout.as_mut().ok_or("it is piped")?)
            .read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Waits until a server has nothing more to do for strangers.
    fn rest(&mut self) -> Result<()> {
        let mut last = String::new();
        loop {
            self.0.stdin.as_mut().ok_or("it is piped")?.write_all(b"\n")?;
            let heard = self.hear()?;
            if heard == last && heard.ends_with(" 0") {
                return Ok(());
            }
            last = heard;
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Has it end; its last word.
    fn end(mut self) -> Result<String> {
        drop(self.0.stdin.take());
        self.hear()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure(pair: Pair, plan: &Plan) -> Result<()> {
    let name = pair.to_possible_value().ok_or("it has a name")?.get_name().to_owned();
    let mut server = Part::start(&["serve", &name])?;
    let target = server.hear()?;
    let mut other = Part::start(&["accept"])?;
    let elsewhere = other.hear()?;
    let builder = Client::builder().transport(TransportKind::Mio).socket_options(pair.client());
    let client = builder.connect(&format!("tcp://{target}")).build()?;
    let round = Duration::from_secs_f64(plan.seconds);
    Calls::default().go_on(&client, round / 2);

    let (mut quiet, mut beside, mut flooded) = <(Calls, Calls, Calls)>::default();
    let (mut come, rate) = (0, plan.rate.to_string());
    for _ in 0..plan.rounds {
        quiet.go_on(&client, round);
        for (target, calls) in [(&elsewhere, &mut beside), (&target, &mut flooded)] {
            let part = Part::start(&["flood", &name, &rate, target])?;
            // It has begun before it is measured.
            Calls::default().go_on(&client, round / 10);
            calls.go_on(&client, round);
            come += part.end()?.parse::<usize>()?;
            server.rest()?;
        }
    }
    println!("{name}: {come} have come, half of them to the server");
    let tell = |what: &str, calls: &Calls, to: &Calls| {
        let [median, high] = [0.5, 0.99].map(|share| calls.quantile(share));
        println!(
            "  {what}: {:.0} calls a second (× {:.2}), the median {median:?} (× {:.2}), 1 % more than {high:?}",
            calls.per_second(),
            calls.per_second() / to.per_second(),
            median.as_secs_f64() / to.quantile(0.5).as_secs_f64(),
        );
    };
    tell("quiet                         ", &quiet, &quiet);
    tell("the flood elsewhere (× quiet) ", &beside, &quiet);
    tell("the flood here (× elsewhere)  ", &flooded, &beside);
    tell("the flood here (× quiet)      ", &flooded, &quiet);
    println!("  {}", server.end()?);
    io::stdout().flush()?;
    Ok(())
}
