//! What comes to the wrong door: other protocols, known by their first bytes.

use std::fmt;

use super::error::show;

/// How many bytes of an opening are looked at.
pub const OPENING: usize = 24;

/// Something else than ZMTP, by its first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    pub kind: Kind,
    /// What it began with, fit to be shown.
    opening: String,
}

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The header by which a proxy tells whom it comes from; ZMTP may follow.
    Proxied,
    HttpRequest,
    HttpResponse,
    Tls,
    Ssh,
    Redis,
    Amqp,
    Mqtt,
    Postgres,
    Text,
}

/// The signature of a PROXY protocol header of version 2.
const PROXY_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// How they begin; the first that fits counts.
const OPENINGS: [(&[u8], Kind); 24] = [
    (b"PROXY ", Kind::Proxied),
    (PROXY_V2, Kind::Proxied),
    (b"GET ", Kind::HttpRequest),
    (b"POST ", Kind::HttpRequest),
    (b"HEAD ", Kind::HttpRequest),
    (b"PUT ", Kind::HttpRequest),
    (b"DELETE ", Kind::HttpRequest),
    (b"OPTIONS ", Kind::HttpRequest),
    (b"PATCH ", Kind::HttpRequest),
    (b"CONNECT ", Kind::HttpRequest),
    (b"TRACE ", Kind::HttpRequest),
    // HTTP/2, and so gRPC.
    (b"PRI * HTTP", Kind::HttpRequest),
    (b"HTTP/", Kind::HttpResponse),
    // A record with a handshake, or an alert: SSL 3.0 and all that is called TLS.
    (b"\x16\x03", Kind::Tls),
    (b"\x15\x03", Kind::Tls),
    (b"SSH-", Kind::Ssh),
    (b"*1\r\n$", Kind::Redis),
    (b"*2\r\n$", Kind::Redis),
    (b"*3\r\n$", Kind::Redis),
    (b"PING\r\n", Kind::Redis),
    (b"-ERR ", Kind::Redis),
    (b"AMQP", Kind::Amqp),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", Kind::Postgres),
    (b"\0\0\0\x08\x04\xd2\x16\x30", Kind::Postgres),
];

impl Foreign {
    /// What began like this and has proved not to be ZMTP; `None` when it is like nothing that is known.
    pub fn recognise(opening: &[u8]) -> Option<Self> {
        let known = OPENINGS.iter().find(|(start, _)| opening.starts_with(start));
        let kind = match known {
            Some((_, kind)) => *kind,
            None if is_mqtt(opening) => Kind::Mqtt,
            None if is_text(opening) => Kind::Text,
            None => return None,
        };
        // No more of an opening than tells what it is: what follows may be a secret.
        let shown = opening.split(|&byte| byte == b'\r').next().filter(|line| !line.is_empty());
        Some(Self { kind, opening: show(shown.unwrap_or(opening)) })
    }

    /// For a peer of ZMTP behind it.
    pub fn words(&self) -> String {
        format!("in front of your greeting, something else came: {self}")
    }

    /// Whether a peer of ZMTP may stand behind it.
    pub fn is_proxied(&self) -> bool {
        self.kind == Kind::Proxied
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
            Kind::Proxied => (
                "it began with a PROXY protocol header instead of ZMTP",
                "switch that off in the proxy in between (send-proxy or send-proxy-v2 in HAProxy)",
            ),
            Kind::HttpRequest => (
                "it speaks HTTP, not ZMTP",
                "this is no web server: give browsers, scrapers and health checks another port",
            ),
            Kind::HttpResponse => (
                "it speaks HTTP, not ZMTP",
                "a web server or an HTTP proxy is there: check the address, or the proxy's mode (tcp)",
            ),
            Kind::Tls => (
                "it speaks TLS, not ZMTP",
                "TLS has to end before this port: check the address, or the settings of what is in between",
            ),
            Kind::Ssh => ("it speaks SSH, not ZMTP", "check the port"),
            Kind::Redis => ("it speaks the protocol of Redis, not ZMTP", "check the port"),
            Kind::Amqp => ("it speaks AMQP, not ZMTP", "check the port"),
            Kind::Mqtt => ("it speaks MQTT, not ZMTP", "check the port"),
            Kind::Postgres => ("it speaks the protocol of PostgreSQL, not ZMTP", "check the port"),
            Kind::Text => ("it sent text, not ZMTP", "check the port"),
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
