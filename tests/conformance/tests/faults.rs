//! The kit is tested: each fault of a peer made of our core is found by a case that names the rule which it breaks, and
//! without a fault the peer passes all.
//!
//! What was found by which case is printed: `cargo test -p zerorpc-conformance --test faults -- --nocapture`.

#[path = "support/faulty.rs"]
mod faulty;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write as _,
    process::{Command, Stdio},
    sync::Mutex,
};

use faulty::FAULTY;
use serde_json::Value;
use zerorpc_conformance::{Level, cases::CASES};

/// Where the rules stand.
const PROTOCOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");

/// So many peers are judged beside each other; they sleep most of the time.
const BESIDE: usize = 8;

/// A fault, as the peer tells of it.
#[derive(Debug)]
struct Fault {
    role: String,
    name: String,
    does: String,
    rule: String,
    cases: String,
}

fn faults() -> Vec<Fault> {
    let listed = Command::new(&*FAULTY).arg("list").output().expect("the peer runs");
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).expect("a JSON array");
    let text = |fault: &Value, key: &str| fault[key].as_str().expect("a text").to_owned();
    let fault = |fault: &Value| Fault {
        role: text(fault, "role"),
        name: text(fault, "name"),
        does: text(fault, "does"),
        rule: text(fault, "rule"),
        cases: text(fault, "cases"),
    };
    listed.iter().map(fault).collect()
}

/// What the kit says of a peer: for each case its rule and its verdict.
fn judge(role: &str, fault: Option<&Fault>, options: &[&str]) -> Vec<Value> {
    let peer = FAULTY.display();
    let mut line = format!("{peer} {role} {{endpoint}} --heartbeat {{heartbeat}} {{more}}");
    // Where nothing is pushed, a peer needs fewer ports, of which many kits beside each other may choose the same.
    let is_one_way =
        |fault: &Fault| ["push.", "publish."].iter().any(|of| fault.cases.contains(of));
    match role {
        _ if !fault.is_none_or(is_one_way) => {}
        "client" => line += " push={push} pub={pub}",
        _ => line += " pull={pull} sub={sub}",
    }
    if let Some(fault) = fault {
        write!(line, " --fault {}", fault.name).expect("memory takes everything");
    }
    let mut kit = Command::new(env!("CARGO_BIN_EXE_zerorpc-conformance"));
    kit.args([role, &line, "--format", "json", "--level", "should"]).args(options);
    let judged = kit.stdin(Stdio::null()).output().expect("the kit runs");
    let said: Value = serde_json::from_slice(&judged.stdout).unwrap_or_else(|error| {
        panic!("{kit:?}: {error}: {}", String::from_utf8_lossy(&judged.stderr))
    });
    said["implementations"][0]["results"].as_array().expect("results").clone()
}

/// The case that finds a fault, and names its rule.
fn found_by(fault: &Fault) -> Option<String> {
    let mut options = vec!["--no-repeat", "--jobs", "4", "--time-scale", "0.1"];
    options.extend(fault.cases.split(' ').flat_map(|glob| ["--only", glob]));
    let results = judge(&fault.role, Some(fault), &options);
    let found = results.iter().find(|result| {
        // One that was not played, for what stood in the way of all, has no exchange and finds nothing.
        let is_played = result["exchange"].as_array().is_some_and(|lines| !lines.is_empty());
        is_played && result["verdict"] == "failed" && result["rule"].as_str() == Some(&fault.rule)
    });
    found.and_then(|result| result["case"].as_str()).map(str::to_owned)
}

fn every_fault_is_found(role: &str) {
    let faults: Vec<Fault> = faults().into_iter().filter(|fault| fault.role == role).collect();
    let queue = Mutex::new(faults.iter().collect::<VecDeque<_>>());
    let found = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..BESIDE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("nobody panics with it").pop_front();
                    let Some(fault) = next else { break };
                    let case = found_by(fault);
                    found.lock().expect("nobody panics with it").insert(&fault.name, case);
                }
            });
        }
    });
    let found = found.into_inner().expect("nobody panics with it");
    let mut missed = String::new();
    for fault in &faults {
        match &found[&fault.name] {
            Some(case) => println!("{role} {:36} {:10} {case}", fault.name, fault.rule),
            None => writeln!(
                missed,
                "  {}, {}: {} is not found by {}",
                fault.name, fault.rule, fault.does, fault.cases
            )
            .expect("memory takes everything"),
        }
    }
    assert!(missed.is_empty(), "faults of a {role} that no case finds:\n{missed}");
}

#[test]
fn every_fault_of_a_server_is_found() {
    every_fault_is_found("server");
}

#[test]
fn every_fault_of_a_client_is_found() {
    every_fault_is_found("client");
}

fn a_correct_peer_passes_all(role: &str) {
    let results = judge(role, None, &[]);
    assert!(!results.is_empty(), "no case was run");
    let mut failed = String::new();
    for result in results.iter().filter(|result| result["verdict"] == "failed") {
        writeln!(failed, "{result:#}").expect("memory takes everything");
    }
    assert!(failed.is_empty(), "a correct {role} fails:\n{failed}");
}

#[test]
fn a_correct_server_passes_all() {
    a_correct_peer_passes_all("server");
}

#[test]
fn a_correct_client_passes_all() {
    a_correct_peer_passes_all("client");
}

/// There are enough of them, each with a name of its own, a rule that is written down and cases that there are.
#[test]
fn faults_are_well_described() {
    let faults = faults();
    assert!(faults.len() >= 60, "{} faults", faults.len());
    let protocol = std::fs::read_to_string(PROTOCOL).expect("the rules");
    let listed = Command::new(env!("CARGO_BIN_EXE_zerorpc-conformance")).arg("--list").output();
    let listed = String::from_utf8(listed.expect("the kit runs").stdout).expect("text");
    let mut names = BTreeSet::new();
    for fault in &faults {
        assert!(names.insert((&fault.role, &fault.name)), "{} is there twice", fault.name);
        let rule = format!("**{}**", fault.rule);
        assert!(protocol.contains(&rule), "{} breaks the unknown rule {}", fault.name, fault.rule);
        for case in fault.cases.split(' ') {
            let is_there = case.contains('*') || listed.contains(case);
            assert!(is_there, "{} is to be found by the unknown case {case}", fault.name);
        }
    }
}

/// What no fault breaks, no case is known to judge.
#[test]
fn each_rule_that_is_judged_is_broken_by_a_fault() {
    let broken: BTreeSet<_> = faults().into_iter().map(|fault| fault.rule).collect();
    // What peers may do or leave is no fault in either way.
    let judged = CASES.concat().into_iter().filter(|case| case.level < Level::May);
    let judged = judged.map(|case| case.rule);
    let unbroken: BTreeSet<_> = judged.filter(|rule| !broken.contains(*rule)).collect();
    assert!(unbroken.is_empty(), "rules without a fault that breaks them: {unbroken:?}");
}
