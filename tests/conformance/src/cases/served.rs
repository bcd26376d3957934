//! What cases ask in the end: whether those who did nothing wrong are served.

use rmpv::Value;

use crate::{
    event::shown,
    failure::{Failure, ensure},
    raw::Peer,
    trial::Trial,
};

/// A call on this connection gives what it should.
pub(super) fn serves(trial: &Trial, peer: &mut Peer) -> Result<(), Failure> {
    let text = Value::from("still here?");
    let seen = peer
        .call("echo", vec![text.clone()], trial.soon())
        .map_err(|failure| failure.during("a call on this connection"))?;
    ensure(seen == text, "echo to give back its argument", shown(&seen))
}

/// A call on a connection of its own gives what it should.
pub(super) fn others_are_served(trial: &mut Trial) -> Result<(), Failure> {
    let mut peer = trial.connect().map_err(|failure| failure.during("another connection"))?;
    serves(trial, &mut peer).map_err(|failure| failure.during("another connection"))
}

/// Either the connection ends, or it goes on as if nothing had been; others are served anyway.
pub(super) fn ends_or_serves(trial: &mut Trial, mut peer: Peer) -> Result<(), Failure> {
    let (channel, request) = peer.new_request("echo", vec![Value::from("still here?")]);
    if peer.send(&request).is_ok() {
        let answer = peer.expect_answer(&channel, trial.soon());
        if let Err(failure) = answer
            && !peer.bytes().ends(trial.moment())
        {
            let expected = "the end of the connection, or calls on it to be answered";
            return Err(Failure::new(expected, failure.seen));
        }
    }
    others_are_served(trial)
}
