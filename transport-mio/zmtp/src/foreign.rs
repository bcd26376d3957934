//! What comes to the wrong door: other protocols, known by their first bytes.

use std::fmt;

use super::error::show;

/// How many bytes of an opening are looked at.
pub(super) const OPENING: usize = 24;

/// Something else than ZMTP, known by its first bytes. Displays as what it is, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    kind: ForeignKind,
    /// What it began with, fit to be shown.
    opening: String,
}

/// What may come where ZMTP is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForeignKind {
    /// The header by which a proxy tells whom it comes from; ZMTP may follow.
    Proxied,
    /// A request over HTTP, of a browser or a health check.
    HttpRequest,
    /// An answer over HTTP.
    HttpResponse,
    /// TLS, or SSL 3.0.
    Tls,
    /// SSH.
    Ssh,
    /// The protocol of Redis.
    Redis,
    /// AMQP.
    Amqp,
    /// MQTT.
    Mqtt,
    /// The protocol of PostgreSQL.
    Postgres,
    /// Printable text.
    Text,
}

/// The signature of a PROXY protocol header of version 2.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// How they begin; the first that fits counts.
const OPENINGS: [(&[u8], ForeignKind); 24] = [
    (b"PROXY ", ForeignKind::Proxied),
    (PROXY_V2, ForeignKind::Proxied),
    (b"GET ", ForeignKind::HttpRequest),
    (b"POST ", ForeignKind::HttpRequest),
    (b"HEAD ", ForeignKind::HttpRequest),
    (b"PUT ", ForeignKind::HttpRequest),
    (b"DELETE ", ForeignKind::HttpRequest),
    (b"OPTIONS ", ForeignKind::HttpRequest),
    (b"PATCH ", ForeignKind::HttpRequest),
    (b"CONNECT ", ForeignKind::HttpRequest),
    (b"TRACE ", ForeignKind::HttpRequest),
    // HTTP/2, and so gRPC.
    (b"PRI * HTTP", ForeignKind::HttpRequest),
    (b"HTTP/", ForeignKind::HttpResponse),
    // A record with a handshake, or an alert: SSL 3.0 and all that is called TLS.
    (b"\x16\x03", ForeignKind::Tls),
    (b"\x15\x03", ForeignKind::Tls),
    (b"SSH-", ForeignKind::Ssh),
    (b"*1\r\n$", ForeignKind::Redis),
    (b"*2\r\n$", ForeignKind::Redis),
    (b"*3\r\n$", ForeignKind::Redis),
    (b"PING\r\n", ForeignKind::Redis),
    (b"-ERR ", ForeignKind::Redis),
    (b"AMQP", ForeignKind::Amqp),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", ForeignKind::Postgres),
    (b"\0\0\0\x08\x04\xd2\x16\x30", ForeignKind::Postgres),
];

impl Foreign {
    /// What began like this and has proved not to be ZMTP; `None` when it is like nothing that is known.
    pub(super) fn recognise(opening: &[u8]) -> Option<Self> {
        let known = OPENINGS.iter().find(|(start, _)| opening.starts_with(start));
        let kind = match known {
            Some((_, kind)) => *kind,
            None if is_mqtt(opening) => ForeignKind::Mqtt,
            None if is_text(opening) => ForeignKind::Text,
            None => return None,
        };
        // No more of an opening than tells what it is: what follows may be a secret.
        let shown = opening.split(|&byte| byte == b'\r').next().filter(|line| !line.is_empty());
        Some(Self { kind, opening: show(shown.unwrap_or(opening)) })
    }

    /// For a peer of ZMTP behind it.
    pub(super) fn words(&self) -> String {
        format!("in front of your greeting, something else came: {self}")
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ForeignKind {
        self.kind
    }

    /// Whether a peer of ZMTP may stand behind it.
    pub(super) fn is_proxied(&self) -> bool {
        self.kind == ForeignKind::Proxied
    }
}

/// CONNECT, whose second byte is a length.
fn is_mqtt(opening: &[u8]) -> bool {
    matches!(opening, [0x10, _, 0, 4, b'M', b'Q', b'T', b'T', ..])
}

fn is_text(opening: &[u8]) -> bool {
    opening.len() >= 4
        && opening.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, opening } = self;
        let (what, todo) = match kind {
            ForeignKind::Proxied => (
                "it began with a PROXY protocol header instead of ZMTP",
                "switch that off in the proxy in between (send-proxy or send-proxy-v2 in HAProxy)",
            ),
            ForeignKind::HttpRequest => (
                "it speaks HTTP, not ZMTP",
                "this is no web server: give browsers, scrapers and health checks another port",
            ),
            ForeignKind::HttpResponse => (
                "it speaks HTTP, not ZMTP",
                "a web server or an HTTP proxy is there: check the address, or the proxy's mode (tcp)",
            ),
            ForeignKind::Tls => (
                "it speaks TLS, not ZMTP",
                "TLS has to end before this port: check the address, or the settings of what is in between",
            ),
            ForeignKind::Ssh => ("it speaks SSH, not ZMTP", "check the port"),
            ForeignKind::Redis => ("it speaks the protocol of Redis, not ZMTP", "check the port"),
            ForeignKind::Amqp => ("it speaks AMQP, not ZMTP", "check the port"),
            ForeignKind::Mqtt => ("it speaks MQTT, not ZMTP", "check the port"),
            ForeignKind::Postgres => {
                ("it speaks the protocol of PostgreSQL, not ZMTP", "check the port")
            }
            ForeignKind::Text => ("it sent text, not ZMTP", "check the port"),
        };
        write!(f, "{what} (\"{opening}\"); {todo}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_who_is_there() {
        let table: [(&[u8], &str, &str); 18] = [
            (b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n\xff", "PROXY protocol", "send-proxy"),
            (b"PROXY UNKNOWN\r\n\xff\0", "\"PROXY UNKNOWN\"", "switch that off"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "PROXY protocol", "switch that off"),
            (b"GET /metrics HTTP/1.1\r\nHost: x", "HTTP", "no web server"),
            (b"POST /rpc HTTP/1.1\r\n", "HTTP", "no web server"),
            (b"OPTIONS / HTTP/1.0\r\n", "HTTP", "no web server"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP", "no web server"),
            (b"HTTP/1.1 400 Bad Request\r\n", "HTTP", "check the address"),
            (b"\x16\x03\x01\x02\0\x01\0", "TLS", "\\x16\\x03\\x01"),
            (b"\x15\x03\x03\0\x02\x02F", "TLS", "before this port"),
            (b"SSH-2.0-OpenSSH_9.0\r\n", "SSH", "SSH-2.0-OpenSSH_9.0"),
            (b"*1\r\n$4\r\nPING\r\n", "Redis", "check the port"),
            (b"PING\r\n", "Redis", "check the port"),
            (b"-ERR wrong number of arguments", "Redis", "check the port"),
            (b"AMQP\0\0\x09\x01", "AMQP", "check the port"),
            (b"\x10\x10\0\x04MQTT\x04\x02", "MQTT", "check the port"),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", "PostgreSQL", "check the port"),
            (b"220 mail.example.org ESMTP\r\n", "text", "220 mail.example.org"),
        ];
        for (opening, what, todo) in table {
            let foreign = Foreign::recognise(opening).expect(what);
            let told = foreign.to_string();
            assert!(
                told.contains(what) && told.contains(todo),
                "{}: {told}",
                opening.escape_ascii()
            );
            assert!(told.is_ascii() && told.len() < 250, "{told}");
            assert_eq!(foreign.is_proxied(), what.contains("PROXY"), "{told}");
        }
        for unknown in [&b""[..], b"\0\0\0\x01", b"\xff\0\0\0", b"\x01\0", b"GE"] {
            assert_eq!(Foreign::recognise(unknown), None, "{}", unknown.escape_ascii());
        }
    }
}
