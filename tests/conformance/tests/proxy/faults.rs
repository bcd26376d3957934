//! Faults of a peer, and how the proxy names them.

use std::{collections::VecDeque, fmt::Write as _, sync::Mutex, time::Duration};

use super::{LONG, SHORT, pair::Pair};

/// So many pairs run beside each other.
const BESIDE: usize = 16;

/// Role, fault, and the rule that is broken for all to see.
const AT_ONCE: &[(&str, &str, &str)] = &[
    ("server", "version-missing", "ZRPC-3.5"),
    ("server", "version-2", "ZRPC-3.5"),
    ("server", "header-keys-as-bin", "ZRPC-3.2"),
    ("server", "message-id-missing", "ZRPC-3.3"),
    ("server", "message-id-repeated", "ZRPC-3.3"),
    ("server", "message-id-of-request", "ZRPC-3.3"),
    ("server", "response-to-missing", "ZRPC-4.2"),
    ("server", "response-to-as-text", "ZRPC-3.11"),
    ("server", "response-to-cut", "ZRPC-4.2"),
    ("server", "name-as-bin", "ZRPC-3.17"),
    ("server", "ping-wrong", "ZRPC-7.23"),
    ("server", "inspect-as-array", "ZRPC-7.24"),
    ("server", "ok-bare", "ZRPC-7.2"),
    ("server", "ok-two-values", "ZRPC-7.2"),
    ("server", "ok-nil-empty", "ZRPC-7.2"),
    ("server", "ok-twice", "ZRPC-4.5"),
    ("server", "ok-small-letters", "ZRPC-7.2"),
    ("server", "err-two-elements", "ZRPC-7.3"),
    ("server", "err-one-element", "ZRPC-7.3"),
    ("server", "err-four-elements", "ZRPC-7.3"),
    ("server", "err-traceback-nil", "ZRPC-7.3"),
    ("server", "err-as-bin", "ZRPC-7.3"),
    ("server", "done-doubled", "ZRPC-4.5"),
    ("server", "done-is-ok", "ZRPC-7.7"),
    ("server", "done-after-err", "ZRPC-4.5"),
    ("server", "item-after-end", "ZRPC-4.6"),
    ("server", "ok-after-stream", "ZRPC-4.5"),
    ("server", "item-doubled", "ZRPC-6.2"),
    ("server", "credit-ignored", "ZRPC-6.2"),
    ("server", "credit-one-more-at-first", "ZRPC-6.2"),
    ("server", "credit-one-more", "ZRPC-6.2"),
    ("server", "delimiter-missing", "ZRPC-2.2"),
    ("server", "delimiter-filled", "ZRPC-2.2"),
    ("server", "delimiter-twice", "ZRPC-2.3"),
    ("server", "frame-behind", "ZRPC-2.2"),
    ("server", "more-always", "ZRPC-2.2"),
    ("server", "greeting-at-once", "ZRPC-14.2"),
    ("server", "signature-wrong", "ZRPC-14.1"),
    ("server", "signature-end-wrong", "ZRPC-14.1"),
    ("server", "mechanism-padded", "ZRPC-14.7"),
    ("server", "mechanism-small-letters", "ZRPC-14.7"),
    ("server", "as-server-set", "ZRPC-14.7"),
    ("server", "ready-without-type", "ZRPC-14.19"),
    ("server", "ready-wrong-type", "ZRPC-1.1"),
    ("server", "ready-type-small-letters", "ZRPC-1.1"),
    ("server", "ready-small-letters", "ZRPC-14.19"),
    ("server", "ready-no-command", "ZRPC-14.19"),
    ("server", "ready-null-terminated", "ZRPC-14.19"),
    ("server", "long-always", "ZRPC-14.12"),
    ("server", "long-flag-always", "ZRPC-14.11"),
    ("server", "reserved-bits", "ZRPC-14.11"),
    ("client", "version-missing", "ZRPC-3.5"),
    ("client", "header-keys-as-bin", "ZRPC-3.2"),
    ("client", "ids-repeated", "ZRPC-4.3"),
    ("client", "request-answers", "ZRPC-4.2"),
    ("client", "one-argument-bare", "ZRPC-7.1"),
    ("client", "no-arguments-nil", "ZRPC-7.1"),
    ("client", "methods-as-bin", "ZRPC-3.17"),
    ("client", "events-off-channel", "ZRPC-4.14"),
    ("client", "response-to-as-text", "ZRPC-4.2"),
    ("client", "requests-doubled", "ZRPC-4.3"),
    ("client", "grant-with-request", "ZRPC-6.13"),
    ("client", "grants-bare", "ZRPC-6.3"),
    ("client", "grants-as-text", "ZRPC-6.3"),
    ("client", "grants-in-beats", "ZRPC-5.1"),
    ("client", "grant-on-plain-calls", "ZRPC-6.13"),
    ("client", "delimiter-missing", "ZRPC-2.1"),
    ("client", "delimiter-filled", "ZRPC-2.1"),
    ("client", "frame-behind", "ZRPC-2.1"),
    ("client", "greeting-at-once", "ZRPC-14.2"),
    ("client", "signature-wrong", "ZRPC-14.1"),
    ("client", "mechanism-padded", "ZRPC-14.7"),
    ("client", "ready-without-type", "ZRPC-14.19"),
    ("client", "ready-wrong-type", "ZRPC-1.1"),
    ("client", "ready-twice", "ZRPC-14.19"),
    ("client", "more-lost", "ZRPC-2.1"),
    ("client", "long-flag-always", "ZRPC-14.11"),
    ("client", "reserved-bits", "ZRPC-14.11"),
];

/// The same for what takes time.
const LATER: &[(&str, &str, &str)] = &[
    ("server", "beats-none", "ZRPC-5.4"),
    ("server", "beat-at-once", "ZRPC-5.5"),
    ("server", "beats-early", "ZRPC-5.5"),
    ("server", "beats-grant", "ZRPC-5.1"),
    ("server", "beats-without-response", "ZRPC-4.2"),
    ("server", "beats-misnamed", "ZRPC-7.2"),
    ("client", "beats-none", "ZRPC-5.18"),
    ("client", "beats-late", "ZRPC-5.18"),
    ("client", "beat-with-request", "ZRPC-5.12"),
    ("client", "beats-with-credit", "ZRPC-5.1"),
];

pub(crate) fn are_named() {
    let at_once = AT_ONCE.iter().map(|fault| (fault, SHORT, &["--heartbeat", "0"], true));
    let later = LATER.iter().map(|fault| (fault, LONG, &["--heartbeat", "0.5"], false));
    let queue = Mutex::new(later.chain(at_once).collect::<VecDeque<_>>());
    let count = queue.lock().expect("nobody panics with it").len();
    assert!(count >= 80, "{count} faults");
    let missed = Mutex::new(String::new());
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("nobody panics with it").pop_front();
                    let Some(((role, name, rule), orders, options, alone)) = next else { break };
                    // What was not seen in a crowd may be seen when there is more time.
                    let verdict = (1..=2).find_map(|round| {
                        let found = named(role, name, rule, orders, options, alone, round);
                        (found.is_ok() || round == 2).then_some(found)
                    });
                    if let Some(Err(words)) = verdict {
                        let mut missed = missed.lock().expect("nobody panics with it");
                        writeln!(missed, "{role} {name}, {rule}: {words}")
                            .expect("memory takes everything");
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().expect("nobody panics with it");
    assert!(missed.is_empty(), "{missed}");
}

/// Whether a fault is named, and nobody else is.
fn named(
    role: &str,
    name: &str,
    rule: &str,
    orders: &[&str],
    options: &[&str],
    alone: bool,
    round: u64,
) -> Result<(), String> {
    let options = [options, &["--grace", "0.4"]].concat();
    // One that has not beaten does not lose its server so soon.
    let interval = if role == "server" && !alone { "5" } else { "0.5" };
    let longest = Duration::from_secs(round * if alone { 2 } else { 5 });
    let run = Pair::of_faulty(Some((role, name)), interval).run_for(longest, orders, &options);
    let violations = run.summary()["violations"].as_array().expect("a list");
    // Before its READY a side is known by what it did with the connection alone.
    let is_faulty = |violation: &serde_json::Value| {
        let side = violation["side"].as_str().expect("a text");
        match role {
            "server" => matches!(side, "server" | "listener" | "publisher"),
            _ => matches!(side, "client" | "connector" | "publisher"),
        }
    };
    let is_named = violations.iter().any(|it| it["rule"] == *rule && is_faulty(it));
    let others = violations.iter().filter(|it| alone && !is_faulty(it)).count();
    if is_named && others == 0 { Ok(()) } else { Err(format!("{violations:#?}")) }
}
