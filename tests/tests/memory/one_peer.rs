//! What one peer can make a server hold that has the limits that all have.

use std::time::{Duration, Instant};

use rmpv::Value;
use zerorpc::Answer;
use zerorpc_tests::raw_caller::{RawCaller, blob_args, message, request};

use crate::{MIB, client, memory, serve_with_one_arena};

/// What a server grows by, whatever one peer does: the 40 MiB that are counted, and 24 for all that is not: messages that
/// were just handed to the connection, stacks of threads beyond what they count, chunks that short messages
/// share, and gaps of an allocator.
const MOST: usize = 64 * MIB;

/// What may be kept for all peers, an eighth more for what an allocator does not give back between blocks that are in use.
const MOST_FOR_ALL: usize = crate::TOTAL + crate::TOTAL / 8;

/// The arguments of `sleep`: longer than any test.
const LONG: &[u8] = b"\x91\xcd\x03\xe8";

/// Has a peer write something and read nothing, and measures by how much the server grows until all of it has arrived,
/// and for `hold` from then on. Others are heard meanwhile.
fn growth(hold: Duration, write: impl FnOnce(&str) -> Vec<RawCaller> + Send) -> usize {
    let server = serve_with_one_arena();
    let client = client(&server);
    for number in 0..100 {
        assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
    }
    let before = memory(&server);
    let mut most = 0;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(server.endpoint()));
        let mut written = None;
        while written.is_none_or(|at: Instant| at.elapsed() < hold) {
            client.call::<Value>("_zerorpc_ping", ()).expect("others are heard");
            most = most.max(memory(&server).saturating_sub(before));
            if writer.is_finished() {
                written = written.or(Some(Instant::now()));
            }
        }
    });
    println!("{} MiB", most / MIB);
    most
}

/// Writes as many messages as the server reads.
fn write_all(endpoint: &str, messages: impl Iterator<Item = Vec<u8>>) -> Vec<RawCaller> {
    let mut caller = RawCaller::connect(endpoint);
    for message in messages {
        if caller.write(&message).is_err() {
            break;
        }
    }
    vec![caller]
}

/// More of them than may be open. Each is given a beat, which is not read either.
#[test]
fn requests_that_are_never_answered() {
    let beats = zerorpc_proto::DEFAULT_HEARTBEAT + Duration::from_secs(1);
    let most = growth(beats, |endpoint| {
        write_all(endpoint, (0..140_000).map(|number| request(number, "sleep", LONG)))
    });
    assert!(most <= MOST, "{} MiB", most / MIB);
}

/// As many streams as there is room for, whose second item waits for credit. More are refused at once, and whoever has that
/// many goes on calling.
#[test]
fn streams_that_stand_still() {
    let server = serve_with_one_arena();
    let client = client(&server);
    assert_eq!(client.call("add", (1, 1)), Ok(2));
    let before = memory(&server);
    let begin = |_| client.start::<Answer>("numbers", (1000,)).expect("it is begun");
    let begun: Vec<_> = (0..45_000).map(begin).collect();
    let streams: Vec<_> = begun.into_iter().map(|stream| stream.wait().expect("it fits")).collect();
    let of_many = memory(&server).saturating_sub(before);
    for number in 0..100 {
        assert_eq!(client.call("add", (number, 1)), Ok(number + 1));
    }
    let begun: Vec<_> = (0..20_000).map(begin).collect();
    let begun: Vec<_> = begun.into_iter().map(|stream| stream.wait()).collect();
    let of_most = memory(&server).saturating_sub(before);
    let refused = begun.iter().filter_map(|stream| stream.as_ref().err());
    let told: Vec<_> = refused.map(ToString::to_string).collect();
    println!("{} MiB, {} MiB with {} more", of_many / MIB, of_most / MIB, 20_000 - told.len());
    assert!(of_most <= MOST, "{} MiB", of_most / MIB);
    assert!(!told.is_empty(), "more are open than fit");
    for words in told {
        assert!(words.contains("ServerBusy") && words.contains("of them streams"), "{words}");
    }
    drop(streams);
}

fn large_event_of_no_channel() -> Vec<u8> {
    let head = b"\x93\x83\xaamessage_id\xa1y\xabresponse_to\xa1x\xa1v\x03\xa1x\xc5\xea\x60";
    message(&[head, &[0; 60_000][..]].concat())
}

/// A large event of no channel follows each of them, in the memory that was read with it.
#[test]
fn requests_that_come_with_much_else() {
    let other = large_event_of_no_channel();
    let most = growth(Duration::from_secs(1), |endpoint| {
        let both = |number| [&request(number, "sleep", LONG)[..], &other].concat();
        write_all(endpoint, (0..4000).map(both))
    });
    assert!(most <= MOST, "{} MiB", most / MIB);
}

#[test]
fn refusals_that_nobody_reads() {
    let name = "x".repeat(16 << 10);
    let most = growth(Duration::from_secs(1), |endpoint| {
        write_all(endpoint, (0..8000).map(|number| request(number, &name, b"\x90")))
    });
    assert!(most <= MOST, "{} MiB", most / MIB);
}

/// A request that came through queues, whose names its answer takes along.
fn forwarded(number: u32, method: &str, args: &[u8], names: usize) -> Vec<u8> {
    let request = request(number, method, args);
    let frames = [b"\x01\xff", &[7; 255][..]].concat().repeat(names / 255);
    [frames, request].concat()
}

/// Requests that are refused, and take their envelopes back, on top of those that use up what may be kept.
#[test]
fn refusals_with_much_to_return() {
    let most = growth(Duration::from_secs(1), |endpoint| {
        let requests = (0..1500).map(|number| slow_request(number, 60_000));
        let refused = (1500..8000).map(|number| forwarded(number, "sleep", LONG, 14_000));
        write_all(endpoint, requests.chain(refused))
    });
    assert!(most <= MOST, "{} MiB", most / MIB);
}

/// Answers that fill the connection and are not read, then arguments of slow methods, then short requests in chunks of their
/// own.
#[test]
fn everything_at_once() {
    let other = large_event_of_no_channel();
    let most = growth(Duration::from_secs(2), |endpoint| {
        let blobs = (0..13).map(|number| request(number, "blob", &blob_args(1_000_000)));
        let slow = (100..1100).map(|number| slow_request(number, 60_000));
        let short = |number| [&request(number, "sleep", LONG)[..], &other].concat();
        write_all(endpoint, blobs.chain(slow).chain((2000..4000).map(short)))
    });
    assert!(most <= MOST, "{} MiB", most / MIB);
}

#[test]
fn requests_whose_callers_go() {
    let most = growth(Duration::from_secs(1), |endpoint| {
        for round in 0..50 {
            let numbers = round * 5000..(round + 1) * 5000;
            drop(write_all(endpoint, numbers.map(|number| request(number, "sleep", LONG))));
        }
        Vec::new()
    });
    assert!(most <= MOST, "{} MiB", most / MIB);
}

/// A call of a slow method with so many bytes of arguments.
fn slow_request(number: u32, bytes: usize) -> Vec<u8> {
    let length = u32::try_from(bytes).expect("that is little").to_be_bytes();
    let args = [b"\x92\xc6", &length[..], &vec![7; bytes], &LONG[1..]].concat();
    request(number, "slow_echo", &args)
}

/// Arguments are kept in the form in which they came, and in the one that the method has taken them in.
#[test]
fn arguments_of_methods_that_run() {
    for (count, bytes) in [(2000, MIB), (20_000, 60_000)] {
        let most = growth(Duration::from_secs(3), |endpoint| {
            write_all(endpoint, (0..count).map(|number| slow_request(number, bytes)))
        });
        assert!(most <= MOST, "{} MiB", most / MIB);
    }
}

/// Those of others run meanwhile, and nobody's are refused before there are too many for all.
#[test]
fn arguments_of_methods_that_run_for_many_peers() {
    let most = growth(Duration::from_secs(3), |endpoint| {
        let callers = (0..32)
            .flat_map(|_| write_all(endpoint, (0..60).map(|number| slow_request(number, MIB))));
        callers.collect()
    });
    assert!(most <= MOST_FOR_ALL, "{} MiB", most / MIB);
}

/// A method that runs is not interrupted when its caller goes.
#[test]
fn arguments_of_methods_whose_callers_have_gone() {
    let most = growth(Duration::from_secs(3), |endpoint| {
        for _ in 0..40 {
            drop(write_all(endpoint, (0..60).map(|number| slow_request(number, MIB))));
        }
        Vec::new()
    });
    assert!(most <= MOST_FOR_ALL, "{} MiB", most / MIB);
}
