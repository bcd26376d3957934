//! What applications do with their calls and requests.

use std::{collections::VecDeque, iter, time::Duration};

use arbitrary::Unstructured;
use rmpv::Value;
use zerorpc_proto::{Answer, Args, CallId, CallOptions, Notice, Target};

use super::{
    super::script::{pick, wide},
    world::{MIDDLE, SESSIONS, World, are_connected, number, peer},
};
use crate::world::raw_event;

impl World {
    pub(super) fn open(
        &mut self,
        at: usize,
        script: &mut Unstructured<'_>,
    ) -> arbitrary::Result<()> {
        let to = match script.choose_index(SESSIONS)? {
            MIDDLE => Target::Any,
            to if at == MIDDLE => peer(to).into(),
            _ => peer(MIDDLE).into(),
        };
        let timeout = if script.arbitrary()? { Some(wide(script)?) } else { None };
        let options =
            CallOptions::new().timeout(timeout.map(|millis| Duration::from_millis(millis.into())));
        let options = match script.arbitrary::<u8>()? {
            // The window follows its reader.
            200.. => options,
            slots => options.slots(slots.into()),
        };
        let args = Args::encode_params(&(u64::from(script.arbitrary::<u8>()?),)).expect("a number");
        let app = &mut self.apps[at];
        if let Ok(call) = app.session.open(self.now, to, "f", args, &options) {
            app.calls.insert(call, 0);
        }
        Ok(())
    }

    pub(super) fn read(
        &mut self,
        at: usize,
        script: &mut Unstructured<'_>,
    ) -> arbitrary::Result<()> {
        let calls: Vec<_> = self.apps[at].calls.keys().copied().collect();
        if let Some(id) = pick(script, &calls)? {
            self.read_some(at, id, script.choose_index(8)?);
        }
        Ok(())
    }

    pub(super) fn read_all(&mut self, at: usize) {
        let calls: Vec<_> = self.apps[at].calls.keys().copied().collect();
        for id in calls {
            self.read_some(at, id, usize::MAX - 1);
        }
    }

    fn read_some(&mut self, at: usize, id: CallId, most: usize) {
        let app = &mut self.apps[at];
        for _ in 0..=most {
            let mut call = app.session.call(id).expect("its last answer was not read");
            let complete = call.is_complete();
            let Some(answer) = call.recv() else {
                assert!(!complete, "what is complete can be read");
                return;
            };
            let mut ahead = VecDeque::new();
            if let Some(mut call) = app.session.call(id) {
                call.recv_ahead(&mut ahead, most % 16);
            }
            let is_last = answer.is_last();
            let next = app.calls.get_mut(&id).expect("the call is open");
            for answer in iter::once(answer).chain(ahead.into_iter().map(Answer::Item)) {
                match &answer {
                    Answer::Item(item) if !self.spoiled => {
                        let item = raw_event::value(item);
                        assert_eq!(item, Value::from(*next), "items keep their order");
                        *next += 1;
                    }
                    Answer::Value(_) if !self.spoiled => {
                        assert_eq!(*next, 0, "a value comes alone");
                    }
                    _ => {}
                }
            }
            if is_last {
                assert!(app.session.call(id).is_none(), "with its last answer a call is gone");
                app.calls.remove(&id);
                return;
            }
        }
    }

    pub(super) fn cancel(
        &mut self,
        at: usize,
        script: &mut Unstructured<'_>,
    ) -> arbitrary::Result<()> {
        let app = &mut self.apps[at];
        let calls: Vec<_> = app.calls.keys().copied().collect();
        let Some(id) = pick(script, &calls)? else { return Ok(()) };
        app.session.call(id).expect("its last answer was not read").cancel();
        assert!(app.session.call(id).is_none());
        app.calls.remove(&id);
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        at: usize,
        script: &mut Unstructured<'_>,
    ) -> arbitrary::Result<()> {
        self.look(at);
        let app = &mut self.apps[at];
        let requests: Vec<_> = app.requests.keys().copied().collect();
        let Some(id) = pick(script, &requests)? else { return Ok(()) };
        let next = app.requests.get_mut(&id).expect("the request is open");
        let mut request = app.session.request(id).expect("it was neither answered nor lost");
        match script.choose_index(7)? {
            0 => drop(request.take_args()),
            6 => {
                let may_run = request.start();
                assert_eq!(request.start(), may_run, "to ask again changes nothing");
                return Ok(());
            }
            1 | 2 => {
                for _ in 0..=script.choose_index(8)? {
                    let item = Args::encode(next).expect("a number");
                    match request.send(item.clone()) {
                        Ok(()) => *next += 1,
                        Err(blocked) => assert_eq!(blocked.0, item),
                    }
                }
                return Ok(());
            }
            3 if *next > 0 => {
                request.reply(Args::NIL).expect_err("a stream has begun");
                return Ok(());
            }
            3 => request.reply(Args::NIL).expect("no stream has begun"),
            4 => request.finish(),
            _ => request.fail(zerorpc_proto::RemoteError::new("E", "m")),
        }
        if app.session.request(id).is_none() {
            app.requests.remove(&id);
        }
        Ok(())
    }

    /// Takes the notices.
    pub(super) fn look(&mut self, at: usize) {
        let app = &mut self.apps[at];
        while let Some((silent, _)) = app.session.poll_disconnect() {
            assert!(are_connected(at, number(silent)), "there are no others");
        }
        while let Some(notice) = app.session.poll_notice() {
            match notice {
                Notice::Requested(id) => {
                    app.requests.entry(id).or_insert(0);
                }
                Notice::RequestLost(id, _) => {
                    assert!(app.session.request(id).is_none());
                    assert!(app.requests.remove(&id).is_some(), "a request is lost once");
                }
                Notice::CallLost(_) | Notice::Readable(_) | Notice::Writable(_) => {}
                other => panic!("{other:?} was not heard"),
            }
        }
    }
}
