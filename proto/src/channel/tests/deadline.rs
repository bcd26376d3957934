use super::*;
use crate::Loss;

/// In tenths of a second: the time-out, when the request is sent again, whether it beats, and when something is due.
#[test]
fn calls_are_looked_at_for_whatever_is_first() {
    for (timeout, retry, beats, due) in [
        (None, None, false, None),
        (Some(30), None, false, Some(30)),
        (None, Some(20), false, Some(20)),
        (Some(30), Some(20), false, Some(20)),
        (Some(15), Some(20), false, Some(15)),
        (None, None, true, Some(10)),
        (Some(30), None, true, Some(10)),
        (Some(5), None, true, Some(5)),
        (Some(30), Some(7), true, Some(7)),
    ] {
        client(|channel| {
            let at = |tenths: u32| epoch() + SECOND / 10 * tenths;
            let call = call(channel);
            call.timeout = timeout.map(|tenths| (at(tenths), SECOND / 10 * tenths));
            call.retry = retry.map(at);
            channel.heartbeat = if beats { beating(true) } else { Heartbeat::idle() };
            let found = channel.deadline(&config());
            assert_eq!(found, due.map(at), "{timeout:?} {retry:?} {beats}");
        });
    }
}

#[test]
fn calls_expire_at_their_time_out() {
    for (is_sent, expected) in
        [(true, Loss::TimedOut { after: SECOND }), (false, Loss::NotSent { after: SECOND })]
    {
        client(|channel| {
            let call = call(channel);
            (call.is_sent, call.timeout) = (is_sent, Some((epoch() + SECOND, SECOND)));
            let early = epoch() + SECOND - Duration::from_nanos(1);
            assert_eq!(channel.expired(early, &config()), None);
            for now in [epoch() + SECOND, epoch() + 2 * SECOND] {
                assert_eq!(channel.expired(now, &config()), Some(expected.clone()));
            }
        });
    }
    client(|channel| assert_eq!(channel.expired(epoch() + 9000 * SECOND, &config()), None));
}

/// How long a stream may wait for credit: in seconds, by the limit, and by the heartbeat of its channel.
#[test]
fn streams_stall_where_silence_does_not_end_them() {
    for (stalled, heartbeat, longest) in [
        (5, Heartbeat::idle(), Some(5)),
        (600, Heartbeat::answering(), Some(600)),
        (5, beating(false), Some(5)),
        (600, beating(false), Some(20)),
        (5, beating(true), None),
    ] {
        server(|channel| {
            let limits = Limits { stalled: SECOND * stalled, ..Limits::default() };
            let config = Config { limits, ..config() };
            channel.heartbeat = heartbeat;
            let beat = heartbeat.deadline(SECOND);
            let case = format!("{stalled} {heartbeat:?}");
            assert_eq!(channel.deadline(&config), beat, "it does not wait: {case}");
            assert_eq!(channel.expired(epoch() + 9000 * SECOND, &config), None, "{case}");

            request(channel).blocked_since = Some(epoch());
            let longest = longest.map(|seconds| SECOND * seconds);
            let end = longest.map(|longest| epoch() + longest);
            let due = [end, beat].into_iter().flatten().min();
            assert_eq!(channel.deadline(&config), due, "{case}");
            for wait in [SECOND, 1000 * SECOND].map(|wait| epoch() + wait) {
                // Whether it is also looked at for want of room, sooner or later.
                request(channel).turn = Turn::Postponed(Some(wait));
                let due = due.map_or(wait, |due| due.min(wait));
                assert_eq!(channel.deadline(&config), Some(due), "{case}");
            }
            let Some((end, after)) = end.zip(longest) else {
                return assert_eq!(channel.expired(epoch() + 9000 * SECOND, &config), None);
            };
            let early = end - Duration::from_nanos(1);
            assert_eq!(channel.expired(early, &config), None, "{case}");
            for now in [end, end + SECOND] {
                let stalled = Some(Loss::Stalled { after });
                assert_eq!(channel.expired(now, &config), stalled, "{case}");
            }
        });
    }
}
