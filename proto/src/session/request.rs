//! The server's handle on a channel.

use bytestring::ByteString;

use super::{Account, RequestId, Session, channel_key::ChannelKey};
use crate::{
    args::Args,
    channel::{self, Channel, Ending, RequestState, Role, Turn, phase::Phase},
    compat::RemoteError,
    event::Context,
    limits::Limits,
    multipart::Envelope,
    peer::PeerId,
};

/// A request that has not been answered to its end, borrowed from its session for as long as it is looked at; get it by
/// [`Session::request`] with the id of a [`Notice`](crate::Notice).
///
/// It is answered by [`reply`](Self::reply) with one value; or by any number of [`send`](Self::send) and then
/// [`finish`](Self::finish), a stream; or by [`fail`](Self::fail), also in the middle of a stream. Whoever is not ready to
/// answer keeps the id and comes back.
///
/// ```
/// # use zerorpc_proto::{Args, Request};
/// /// Sends what there is room for; what is left waits for `Notice::Writable`.
/// fn count(mut request: Request<'_>, numbers: &mut std::ops::Range<u64>) {
///     while request.has_room() {
///         let Some(number) = numbers.next() else { return request.finish() };
///         let item = Args::encode(&number).expect("a number can be encoded");
///         request.send(item).expect("there is room");
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Request<'a> {
    session: &'a mut Session,
    id: RequestId,
}

/// There is no credit for the item, or too many items wait to be transmitted already. It comes back
/// untouched; [`Notice::Writable`](crate::Notice::Writable) tells when to try again.
// Exhaustive: it gives the item back, and who takes it takes it apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the caller has granted no credit for another item")]
pub struct Blocked(pub Args);

/// A plain reply to a request whose answer is a stream already: end it with `finish` or `fail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream has begun: end it with finish or fail instead of reply")]
pub struct StreamHasBegun;

impl<'a> Request<'a> {
    pub(crate) fn new(session: &'a mut Session, id: RequestId) -> Option<Self> {
        let is_open = session.store.get(id.0)?.is_open_request();
        is_open.then_some(Self { session, id })
    }

    /// The method that is called.
    #[must_use]
    pub fn method(&self) -> &str {
        self.state().map_or("", |request| &request.method)
    }

    /// The same, as a slice of the message that brought it.
    #[must_use]
    pub fn method_name(&self) -> ByteString {
        self.state().map_or_else(ByteString::new, |request| request.method.clone())
    }

    /// The arguments: an array, unless the peer sent something else.
    #[must_use]
    pub fn args(&self) -> Args {
        self.state().and_then(|request| request.args.clone()).unwrap_or(Args::NIL)
    }

    /// Whether the request may be answered now. If not, leave it alone: its peer does not read the answers that it has got
    /// already, or its requests that are being answered take more for their arguments, and
    /// [for their answers](Self::expect_bytes), than half of [`Limits::peer_bytes`](crate::Limits::peer_bytes). [`Notice::Requested`](crate::Notice::Requested) tells of it again
    /// when answers have left or requests have ended. If that would never be, because of streams that stand still for want of
    /// credit, the request is answered with `ServerBusy` after 4 s, and is gone.
    ///
    /// An application that does not ask is served all the same, and may find its peers
    /// [cut off](crate::Session::crowded_routes) earlier.
    pub fn start(&mut self) -> bool {
        self.session.start(self.id.0)
    }

    /// Tells how many bytes it is going to take to answer, beside the arguments, where that is known to be much: a value and
    /// its encoded form. To be told before the request is [started](Self::start), so that one peer has no more
    /// of such answers made at a time than it may have kept; from then on they count until it has its last one.
    pub fn expect_bytes(&mut self, bytes: usize) {
        if let Some(request) = self.state_mut()
            && request.turn != Turn::Running
        {
            request.expected_bytes = bytes;
        }
    }

    /// Takes the arguments out. Of a request that was [started](Self::start), they count until it is answered to its end;
    /// of others, no longer. Later calls return nil.
    pub fn take_args(&mut self) -> Args {
        let Some((channel, _, account)) = self.session.store.get_with_account(self.id.0) else {
            return Args::NIL;
        };
        let Role::Server(request) = &mut channel.role else { return Args::NIL };
        let Some(args) = request.args.take() else { return Args::NIL };
        let freed = args.as_bytes().len();
        request.retained_bytes -= freed;
        self.session.buffered_bytes -= freed;
        let Some(account) = account else { return args };
        account.requested_bytes -= freed;
        if request.turn == Turn::Running {
            request.taken_bytes = freed;
            account.taken_bytes += freed;
            self.session.taken_bytes += freed;
            self.session.note_crowd(self.id.0);
        }
        args
    }

    /// The header keys of the request beyond the protocol's own.
    #[must_use]
    pub fn context(&self) -> Context {
        self.state().map_or_else(Context::new, |request| request.context.clone())
    }

    /// Sets the header keys of the answers (never of heartbeats).
    pub fn set_reply_context(&mut self, context: Context) {
        if let Some(request) = self.state_mut() {
            request.reply_context = context;
        }
    }

    /// The connection that the request came on.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        let channel = self.session.store.get(self.id.0);
        channel.and_then(|channel| channel.peer).unwrap_or(PeerId::NAMELESS)
    }

    /// The identities that the request came with.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        self.session
            .store
            .get(self.id.0)
            .map_or_else(Envelope::default, |channel| channel.envelope.clone())
    }

    /// Whether [`send`](Self::send) would take an item now. If not, [`Notice::Writable`](crate::Notice::Writable) tells when it
    /// will, as if an item had been turned away.
    pub fn has_room(&mut self) -> bool {
        let Some((channel, _, account)) = self.session.store.get_with_account(self.id.0) else {
            return false;
        };
        let Role::Server(request) = &channel.role else { return false };
        let limits = &self.session.config.limits;
        let has_room = !is_full(request, account.as_deref(), limits) && request.has_room(limits);
        if !has_room {
            self.session.wait_for_room(self.id);
        }
        has_room
    }

    /// Sends an item of a stream.
    ///
    /// # Errors
    /// [`Blocked`] with the item, when it has to wait.
    pub fn send(&mut self, item: Args) -> Result<(), Blocked> {
        let session = &mut *self.session;
        let Some((channel, number, account)) = session.store.get_with_account(self.id.0) else {
            return Ok(());
        };
        let Role::Server(request) = &mut channel.role else { return Ok(()) };
        let limits = &session.config.limits;
        if is_full(request, account.as_deref(), limits) || !request.has_room(limits) {
            session.wait_for_room(self.id);
            return Err(Blocked(item));
        }
        request.credit.take();
        let weight = channel::weight(&item);
        request.items.push_back(item);
        channel.phase = Phase::Streaming;
        channel.unsent_bytes += weight;
        channel.unsent_answers += 1;
        session.unsent_bytes += weight;
        if account.is_some_and(|account| account.add_unsent(weight, limits)) {
            session.crowded.push(number);
        }
        session.enqueue(self.id.0);
        Ok(())
    }

    /// Answers with one value.
    ///
    /// # Errors
    /// When an item was sent before; the request stays open.
    pub fn reply(self, value: Args) -> Result<(), StreamHasBegun> {
        let streaming = self
            .session
            .store
            .get(self.id.0)
            .is_some_and(|channel| channel.phase == Phase::Streaming);
        if streaming {
            return Err(StreamHasBegun);
        }
        self.end(Ending::Value(value));
        Ok(())
    }

    /// Ends a stream; without items before, the stream is empty.
    pub fn finish(self) {
        self.end(Ending::Done);
    }

    /// Answers with an error, or ends a stream with one.
    pub fn fail(self, failure: RemoteError) {
        self.end(Ending::Failure(Box::new(failure)));
    }

    /// Turns the request down, because this side is stopping and has not begun with it: callers that know the sign send it to
    /// another server, others get the error `ServerStopping` (ZRPC-5.19). A stream that has begun
    /// ends with that error.
    pub fn refuse(self) {
        let Self { session, id } = self;
        let Some(channel) = session.store.get(id.0) else { return };
        let (Some(to), Role::Server(request)) = (channel.peer, &channel.role) else { return };
        if channel.phase == Phase::Streaming {
            return Self { session, id }.fail(stopping());
        }
        let (envelope, id_of_caller) = (channel.envelope.clone(), request.id.clone());
        let dialect = channel.dialect();
        session.close(id.0);
        session.refuse(to, envelope, id_of_caller, dialect, stopping(), true);
    }

    fn end(self, ending: Ending) {
        let Self { session, id } = self;
        let Some(channel) = session.store.get_mut(id.0) else { return };
        channel.phase = Phase::Ended;
        let weight = ending.weight();
        let mut has_credit = true;
        if let Role::Server(request) = &mut channel.role {
            request.ending = Some(ending);
            request.writable_wanted = false;
            has_credit = !request.credit.is_empty();
        }
        session.add_unsent(id.0, weight);
        session.stop_running(id.0);
        if !has_credit {
            session.wait_for_credit(id.0);
        }
        session.enqueue(id.0);
    }

    fn state(&self) -> Option<&RequestState> {
        match &self.session.store.get(self.id.0)?.role {
            Role::Server(request) => Some(request),
            Role::Client(_) => None,
        }
    }

    fn state_mut(&mut self) -> Option<&mut RequestState> {
        match &mut self.session.store.get_mut(self.id.0)?.role {
            Role::Server(request) => Some(request),
            Role::Client(_) => None,
        }
    }
}

impl Session {
    /// Tells of a request when it has room for an item.
    fn wait_for_room(&mut self, id: RequestId) {
        let Some(Channel { role: Role::Server(request), .. }) = self.store.get_mut(id.0) else {
            return;
        };
        request.writable_wanted = true;
        self.wait_for_credit(id.0);
    }

    /// A request has something to send, now or later: it stands still from now on if it has no credit.
    fn wait_for_credit(&mut self, at: ChannelKey) {
        let Some((channel, number, account)) = self.store.get_with_account(at) else { return };
        let Role::Server(request) = &mut channel.role else { return };
        if !request.credit.is_empty() || request.blocked_since.is_some() {
            return;
        }
        request.blocked_since = self.now;
        let mut is_waited_for = false;
        if let Some(account) = account
            && request.is_stalled()
        {
            account.stalled += 1;
            is_waited_for = !account.postponed.is_empty();
        }
        self.reschedule(at);
        if is_waited_for {
            self.resume_postponed(number);
        }
    }
}

/// Where much waits for a peer already, one item of each stream does: when it has left, there is room again.
fn is_full(request: &RequestState, account: Option<&Account>, limits: &Limits) -> bool {
    let is_full = |account: &Account| account.is_full(limits) || account.is_used_up(limits);
    account.is_some_and(is_full) && !request.items.is_empty()
}

/// What callers see who do not know how a request is turned down.
pub(crate) fn stopping() -> RemoteError {
    RemoteError::new("ServerStopping", "the server is shutting down; call another one")
}
