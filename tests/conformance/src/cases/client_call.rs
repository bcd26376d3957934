//! Requests of a client, and the answers that it takes.

use rmpv::Value;
use serde_json::json;

use crate::case::{Case, Failure, Level, Role, Sharing, ensure};
use crate::trial::Trial;

pub(super) const CASES: &[Case] = &[Case {
    name: "client.call.ok",
    rule: "ZRPC-7.1",
    level: Level::Must,
    role: Role::Client,
    needs: &[],
    sharing: Sharing::Shared,
    explain: "A call ends with the value of the OK that answers it.",
    run: ok,
}];

fn ok(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.accept()?;
    let id = trial.command(json!({"call": "echo", "args": ["x"]}))?;
    let request = peer.expect_request(trial.soon())?;
    peer.answer(&request, "OK", vec![Value::from("y")])?;
    let outcome = trial.outcome(id, trial.soon())?;
    ensure(outcome["ok"] == json!("y"), "the call to give \"y\"", outcome.to_string())
}
