//! What is looked at in traffic of others, each with the rule that it follows from.

use crate::case::Level;

/// One way in which a rule of `docs/protocol.md` can be broken for all to see.
#[derive(Debug, Eq, PartialEq)]
pub struct Check {
    /// Subject and fault, joined by a dot: `credit.exceeded`.
    pub name: &'static str,
    /// The rule: `ZRPC-6.2`.
    pub rule: &'static str,
    /// How much the rule asks for.
    pub level: Level,
    /// What is looked for, in a sentence.
    pub explain: &'static str,
}

/// Declares checks, and the list of all.
macro_rules! checks {
    ($( $constant:ident = $name:literal, $rule:literal, $level:ident, $explain:literal; )*) => {
        $(
            pub(super) static $constant: Check = Check {
                name: $name, rule: $rule, level: Level::$level, explain: $explain,
            };
        )*
        /// All checks, in the order of the layers.
        pub static CHECKS: &[&Check] = &[$( &$constant ),*];
    };
}

checks! {
    SIGNATURE = "greeting.signature", "ZRPC-14.1", Must,
        "A side begins with other bytes than FF, eight of padding and 7F.";
    TOO_EAGER = "greeting.too-eager", "ZRPC-14.2", Should,
        "More than the signature is sent before the other's is there, or more than the major version before the other's.";
    MECHANISM = "greeting.mechanism", "ZRPC-14.7", Must,
        "The mechanism is none that is known, or is not padded with zeros.";
    FILLER = "greeting.filler", "ZRPC-14.7", Should,
        "With NULL, as-server or the filler are no zeros.";
    MECHANISMS_DIFFER = "greeting.mechanisms-differ", "ZRPC-14.8", Must,
        "The handshake goes on though the other side has another mechanism.";
    SLOW_HANDSHAKE = "handshake.too-long", "ZRPC-14.9", Should,
        "A connection is kept though the handshake of the other side takes longer than 30 s.";
    RESERVED_BITS = "frame.reserved-bits", "ZRPC-14.11", Must,
        "Flags have bits that are reserved.";
    UNREADABLE = "frame.unreadable", "ZRPC-14.11", Must,
        "What comes is no frame: its length is impossible.";
    LONG_FORM = "frame.long-form", "ZRPC-14.12", Should,
        "The long form of a length is used for 255 bytes or fewer.";
    NO_READY = "handshake.no-ready", "ZRPC-14.19", Must,
        "Something else than READY follows the greeting, or READY comes twice.";
    BROKEN_READY = "handshake.ready-broken", "ZRPC-14.19", Must,
        "READY cannot be read, or lacks Socket-Type.";
    EARLY_MESSAGE = "handshake.early-message", "ZRPC-14.20", Must,
        "A message is sent before the other's READY has come.";
    SOCKET_TYPE = "handshake.socket-type", "ZRPC-1.1", Must,
        "The type of a socket does not go with that of the other side, or is none of zerorpc's.";
    IDENTITY = "handshake.identity", "ZRPC-2.9", Should,
        "A DEALER or REQ sets an identity of its own.";
    PONG_CONTEXT = "command.pong-context", "ZRPC-14.30", Must,
        "A PONG has the context of no PING that waits for one.";
    PONG_MISSING = "command.pong-missing", "ZRPC-14.30", Must,
        "A PING is not answered.";
    PONG_LEAKS = "command.pong-leaks", "ZRPC-14.31", Must,
        "A PING without its two bytes of TTL is answered with bytes of the other side's own.";
    TTL_PASSED = "command.ttl-passed", "ZRPC-14.32", Should,
        "A connection is kept though nothing has come for the TTL of the other side's PING.";
    PING_UNASKED = "command.ping-to-3-0", "ZRPC-14.36", Should,
        "PING is sent to a peer below ZMTP 3.1.";
    GOAWAY_UNASKED = "command.goaway", "ZRPC-5.21", Must,
        "GOAWAY is sent to a peer whose READY lacks X-Goaway.";
    ERROR_UNASKED = "command.error", "ZRPC-5.22", Must,
        "ERROR is sent after the handshake to a peer below ZMTP 3.1.";
    SUBSCRIPTION = "subscribe.prefix", "ZRPC-2.8", Must,
        "A SUB subscribes to something else than the empty prefix.";
    SUBSCRIPTION_FORM = "subscribe.form", "ZRPC-14.44", Must,
        "A SUB subscribes by commands at a peer below ZMTP 3.1, or by messages at one of 3.1.";
    CLIENT_FRAMES = "frames.client", "ZRPC-2.1", Must,
        "The event of a client is not behind an empty delimiter, or not the last frame.";
    SERVER_FRAMES = "frames.server", "ZRPC-2.2", Must,
        "The event of a server is not behind an empty delimiter, or not the last frame.";
    ENVELOPE = "frames.envelope", "ZRPC-2.3", Must,
        "An answer has another envelope than its request.";
    ONE_WAY_FRAMES = "frames.one-way", "ZRPC-2.7", Must,
        "What goes to a PULL or SUB has more than one frame.";
    NO_EVENT = "event.form", "ZRPC-3.1", Must,
        "A payload is no msgpack array of a map, a str and args, or has bytes behind it.";
    HEADER_KEYS = "event.header-keys", "ZRPC-3.2", Must,
        "A key of the header is no str.";
    NO_ID = "event.no-id", "ZRPC-3.3", Must,
        "An event has no usable message_id.";
    SAME_ID = "event.same-id", "ZRPC-3.3", Must,
        "A message_id is that of another event of the same side, whose channel is open.";
    ID_FORM = "event.id-form", "ZRPC-3.4", Should,
        "A message_id is neither bin nor str, or longer than 64 bytes.";
    VERSION = "event.version", "ZRPC-3.5", Must,
        "The header of an event does not say v: 3.";
    ID_TYPE = "event.id-type", "ZRPC-3.11", Must,
        "The id of a request is echoed with another msgpack type.";
    NAME_TYPE = "event.name", "ZRPC-3.17", Must,
        "The name of an event is no str.";
    NO_UTF8 = "event.utf-8", "ZRPC-3.25", Must,
        "A str in an event is no UTF-8.";
    UNKNOWN_CHANNEL = "channel.unknown", "ZRPC-4.2", Must,
        "An event belongs to no channel: its response_to was never asked for, or is missing.";
    OPEN_ID = "channel.id-taken", "ZRPC-4.3", Must,
        "A request has the id of a channel that is open.";
    SECOND_END = "channel.second-answer", "ZRPC-4.5", Must,
        "OK, ERR or STREAM_DONE is sent on a channel that has had one.";
    SERVER_AFTER_END = "channel.server-goes-on", "ZRPC-4.6", Must,
        "A server sends an item, a beat or a grant behind the last event of a channel.";
    CLIENT_AFTER_END = "channel.client-goes-on", "ZRPC-4.6", Must,
        "A client sends something on a channel whose last event it must have had.";
    NO_CHANNEL = "channel.none-opened", "ZRPC-4.14", Must,
        "A client sends a beat or grant that belongs to no channel.";
    BEAT_ARGS = "beat.args", "ZRPC-5.1", Should,
        "A beat has other args than [0].";
    SERVER_SILENT = "beat.server-silent", "ZRPC-5.4", Must,
        "A server does not beat for more than two intervals on an open channel.";
    SERVER_EARLY = "beat.server-early", "ZRPC-5.5", Should,
        "A server beats before an interval has passed.";
    NOT_LOST = "beat.caller-not-lost", "ZRPC-5.10", Should,
        "A server goes on though a caller that has beaten is silent for more than four intervals.";
    CLIENT_EARLY = "beat.client-early", "ZRPC-5.12", Should,
        "A client has beaten twice before the second interval is over.";
    TOO_MANY_BEATS = "beat.too-many", "ZRPC-5.14", Must,
        "More than ten beats a second are sent on one channel.";
    BEAT_TO_VERSION_1 = "beat.version-1", "ZRPC-5.17", Must,
        "A server beats on the channel of a request of version 1 whose caller has not.";
    CLIENT_SILENT = "beat.client-silent", "ZRPC-5.18", Must,
        "A client that reads a stream does not beat for more than two intervals.";
    RETURNED = "answer.returned", "ZRPC-5.19", Must,
        "_zpc_returned stands elsewhere than in an ERR that is the first event of its channel.";
    CLIENT_CREDIT = "credit.client", "ZRPC-6.1", Must,
        "A client sends more counted events than it has credit for.";
    CREDIT = "credit.exceeded", "ZRPC-6.2", Must,
        "A server sends more counted events than it has credit for.";
    END_CREDIT = "credit.end", "ZRPC-6.5", Must,
        "The end of a stream does not wait for credit.";
    GRANT_FORM = "credit.form", "ZRPC-6.3", Must,
        "A grant is no array of one integer above 0.";
    GRANT_EARLY = "credit.unneeded", "ZRPC-6.13", Should,
        "A client grants credit before the first event of a stream, or to a plain call.";
    GRANT_MUCH = "credit.too-much", "ZRPC-6.19", Should,
        "A client lets more than 1000 items be under way from a server that has not said that it drops none.";
    REQUEST_ARGS = "request.args", "ZRPC-7.1", Must,
        "The args of a request are no array.";
    OK_ARGS = "answer.ok", "ZRPC-7.2", Must,
        "OK has not exactly one value, or an answer has a name that there is not.";
    ERR_ARGS = "answer.err", "ZRPC-7.3", Must,
        "ERR has not three str, for a request of version 2 or 3.";
    ERR_TRACEBACK = "answer.err-traceback", "ZRPC-7.5", Should,
        "The traceback of an ERR is empty.";
    STREAM_NAMES = "stream.name", "ZRPC-7.6", Must,
        "An event between items has a name that there is not.";
    STREAM_END = "stream.end", "ZRPC-7.7", Must,
        "A stream ends with something else than STREAM_DONE or ERR.";
    STREAM_END_ARGS = "stream.end-args", "ZRPC-7.7", Should,
        "STREAM_DONE has other args than nil.";
    PING_ANSWER = "built-in.ping", "ZRPC-7.23", Must,
        "_zerorpc_ping is not answered by [\"pong\", name].";
    INSPECT_ANSWER = "built-in.inspect", "ZRPC-7.24", Must,
        "_zerorpc_inspect is not answered by a map of name and methods.";
    LIST_ANSWER = "built-in.list", "ZRPC-7.25", Must,
        "_zerorpc_list is not answered by an array of names.";
    NAME_ANSWER = "built-in.name", "ZRPC-7.26", Must,
        "_zerorpc_name is not answered by a str, or _zerorpc_help by something else than a str or nil.";
    ERR_VERSION_1 = "versions.err-1", "ZRPC-8.2", Must,
        "ERR has not one str, for a request of version 1.";
    GRANT_VERSION = "versions.grant", "ZRPC-8.5", Must,
        "A client sends _zpc_more to a server of version 1 or 2.";
    ONE_WAY_EVENT = "one-way.form", "ZRPC-9.1", Must,
        "A pushed or published event belongs to a channel, or its args are no array.";
    ONE_WAY_BACK = "one-way.back", "ZRPC-9.2", Must,
        "A PULL or SUB sends something back.";
}
