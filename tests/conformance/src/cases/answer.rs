//! OK and ERR.

use rmpv::Value;

use crate::case::{Case, Failure, Level, Role, Sharing, ensure};
use crate::event::shown;
use crate::trial::Trial;

pub(super) const CASES: &[Case] = &[Case {
    name: "answer.ok.value",
    rule: "ZRPC-7.1",
    level: Level::Must,
    role: Role::Server,
    needs: &["echo"],
    sharing: Sharing::Shared,
    explain: "A call is answered by OK, whose args are an array of the one value.",
    run: ok_value,
}];

fn ok_value(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request("echo", vec![Value::from("x")])?;
    let answer = peer.expect_answer(&channel, trial.soon())?;
    ensure(
        answer.name() == "OK" && answer.args == Value::Array(vec![Value::from("x")]),
        "OK with [\"x\"]",
        format!("{} with {}", answer.name(), shown(&answer.args)),
    )
}
