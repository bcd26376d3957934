use super::*;

fn tcp(host: Host, port: u16) -> Endpoint {
    Endpoint::Tcp { source: None, address: TcpAddress { host, port }, connections: 1 }
}

#[test]
fn good_endpoints() {
    let local = || Host::V4(Ipv4Addr::LOCALHOST);
    let v6 = |address, zone: Option<&str>| Host::V6 { address, zone: zone.map(Into::into) };
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let name = |name: &str| Host::Name(name.into());
    let table = [
        ("tcp://127.0.0.1:1234", tcp(local(), 1234), true),
        ("tcp://127.0.0.1:01234", tcp(local(), 1234), true),
        ("tcp://0:1234", tcp(Host::V4(Ipv4Addr::UNSPECIFIED), 1234), true),
        ("tcp://*:1234", tcp(Host::Any, 1234), false),
        ("tcp://*:*", tcp(Host::Any, 0), false),
        ("tcp://127.0.0.1:*", tcp(local(), 0), false),
        ("tcp://127.0.0.1:0", tcp(local(), 0), false),
        ("tcp://[::1]:65535", tcp(v6(Ipv6Addr::LOCALHOST, None), 65535), true),
        ("tcp://[::]:1", tcp(v6(Ipv6Addr::UNSPECIFIED, None), 1), true),
        ("tcp://[fe80::1%eth0]:1", tcp(v6(link_local, Some("eth0")), 1), true),
        ("tcp://host-1.example:80", tcp(name("host-1.example"), 80), true),
        ("tcp://eth0:80", tcp(name("eth0"), 80), true),
        ("ipc:///tmp/time", Endpoint::IpcPath("/tmp/time".into()), true),
        ("ipc://time", Endpoint::IpcPath("time".into()), true),
        ("ipc://@time", Endpoint::IpcAbstract("time".into()), true),
        ("ipc://*", Endpoint::IpcWildcard, false),
        ("inproc://time", Endpoint::Inproc("time".into()), true),
    ];
    for (text, expected, connectable) in table {
        assert_eq!(Endpoint::parse_bind(text), Ok(expected.clone()), "{text}");
        assert_eq!(Endpoint::parse_connect(text).is_ok(), connectable, "{text}");
        assert_eq!(Endpoint::parse_bind(&expected.to_string()), Ok(expected), "{text}");
    }
}

#[test]
fn a_source_is_only_for_connecting() {
    for (text, source) in [
        ("tcp://127.0.0.2:99;host:80", "127.0.0.2:99"),
        ("tcp://*:0;host:80", "*:0"),
        ("tcp://[::1]:*;host:80", "[::1]:0"),
    ] {
        let endpoint = Endpoint::parse_connect(text).expect(text);
        let Endpoint::Tcp { source: Some(read), address, .. } = &endpoint else {
            panic!("{text}: no source in {endpoint:?}");
        };
        assert_eq!((read.to_string().as_str(), address.to_string().as_str()), (source, "host:80"));
        assert_eq!(Endpoint::parse_connect(&endpoint.to_string()), Ok(endpoint), "{text}");
        let reason = Endpoint::parse_bind(text).expect_err(text);
        assert!(reason.contains("bind tcp://host:80"), "{text}: {reason}");
    }
    for text in ["tcp://127.0.0.1:1;*:80", "tcp://127.0.0.1:1;host:0"] {
        Endpoint::parse_connect(text).expect_err(text);
    }
}

#[test]
fn bad_endpoints_are_explained() {
    let long = format!("ipc:///{}", "x".repeat(200));
    let long_name = format!("inproc://{}", "x".repeat(257));
    let table = [
        ("", "scheme is missing"),
        ("127.0.0.1:1234", "scheme is missing"),
        ("http://host:80", "`http://` is not supported"),
        ("TCP://host:80", "`TCP://` is not supported"),
        ("udp://host:80", "use tcp:// or ipc://"),
        ("tcp://", "port is missing"),
        ("tcp://host", "port is missing"),
        ("tcp://host:", "port is missing"),
        ("tcp://[::1]", "port is missing"),
        ("tcp://:1234", "host is missing"),
        ("tcp://;host:1234", "port is missing"),
        ("tcp://host:1234;", "port is missing"),
        ("tcp://a:1;b:2;c:3", "more than one `;`"),
        ("tcp://host:65536", "up to 65535"),
        ("tcp://host:66770", "up to 65535"),
        ("tcp://host:99999999999999999999", "up to 65535"),
        ("tcp://host:-1", "`-1` is no port"),
        ("tcp://host:+1", "`+1` is no port"),
        ("tcp://host:http", "`http` is no port"),
        ("tcp://host:80/", "`80/` is no port"),
        ("tcp://::1:80", "tcp://[::1]:80"),
        ("tcp://[host]:80", "[host] is not an IPv6 address"),
        ("tcp://[::1:80", "not an IPv6 address"),
        ("tcp://[]:80", "not an IPv6 address"),
        ("tcp://[fe80::1%]:80", "not an IPv6 address"),
        ("tcp://[127.0.0.1]:80", "not an IPv6 address"),
        ("tcp://ho\0st:80", "control characters"),
        ("tcp://224.0.0.1:80", "many machines"),
        ("tcp://255.255.255.255:80", "many machines"),
        ("tcp://[ff02::1%eth0]:80", "many machines"),
        ("tcp://239.1.1.1:*;127.0.0.1:80", "many machines"),
        ("ipc://", "path is missing"),
        ("ipc://@", "name is missing"),
        ("inproc://", "name is missing"),
        (long.as_str(), "too long"),
        (long_name.as_str(), "too long"),
    ];
    for (text, hint) in table {
        for result in [Endpoint::parse_bind(text), Endpoint::parse_connect(text)] {
            let reason = result.expect_err(text);
            assert!(reason.contains(hint), "{text}: {reason}");
        }
    }
}

#[test]
fn several_connections_are_only_for_connecting() {
    for (text, number) in [
        ("tcp://host:80", 1),
        ("tcp://host:80?connections=1", 1),
        ("tcp://127.0.0.1:80?connections=2", 2),
        ("tcp://[::1]:80?connections=64", 64),
        ("tcp://127.0.0.2:*;host:80?connections=3", 3),
    ] {
        let endpoint = Endpoint::parse_connect(text).expect(text);
        assert!(
            matches!(endpoint, Endpoint::Tcp { connections, .. } if connections == number),
            "{text}: {endpoint:?}"
        );
        assert_eq!(Endpoint::parse_connect(&endpoint.to_string()), Ok(endpoint), "{text}");
        let bound = Endpoint::parse_bind(text);
        assert_eq!(bound.is_ok(), !text.contains('?'), "{text}: {bound:?}");
    }
    let table = [
        ("tcp://host:80?connections=0", "write 1 to 64"),
        ("tcp://host:80?connections=65", "write 1 to 64"),
        ("tcp://host:80?connections=300", "write 1 to 64"),
        ("tcp://host:80?connections=+2", "`+2` is no number"),
        ("tcp://host:80?connections=", "`` is no number"),
        ("tcp://host:80?connections=2?connections=2", "`2?connections=2` is no number"),
        ("tcp://host:80?", "`?` means nothing"),
        ("tcp://host:80?conections=2", "`?conections=2` means nothing here"),
        ("tcp://127.0.0.2:99;host:80?connections=2", "tcp://127.0.0.2:*;host:80?connections=2"),
    ];
    for (text, hint) in table {
        let reason = Endpoint::parse_connect(text).expect_err(text);
        assert!(reason.contains(hint), "{text}: {reason}");
    }
    let reason = Endpoint::parse_bind("tcp://*:80?connections=2").expect_err("only to connect");
    assert!(reason.contains("only be given to connect; bind tcp://*:80"), "{reason}");
    // Files and names may be called anything.
    for text in ["ipc:///tmp/a?connections=2", "inproc://a?connections=2"] {
        let endpoint = Endpoint::parse_bind(text).expect(text);
        assert!(
            matches!(&endpoint, Endpoint::IpcPath(path) if path.ends_with("a?connections=2"))
                || endpoint == Endpoint::Inproc("a?connections=2".into()),
            "{endpoint:?}"
        );
    }
}

#[test]
fn link_local_addresses_need_their_interface() {
    for text in
        ["tcp://[fe80::1]:80", "tcp://[fe80::1]:*;[::1]:80", "tcp://127.0.0.1:*;[febf::1]:80"]
    {
        let reason = Endpoint::parse_connect(text).expect_err(text);
        assert!(reason.contains("%eth0]:") && reason.contains("interface"), "{text}: {reason}");
    }
    Endpoint::parse_bind("tcp://[fe80::1]:80").expect_err("which one?");
    for text in [
        "tcp://[fe80::1%2]:80",
        "tcp://[fec0::1]:80",
        // Where it comes from says where it goes.
        "tcp://[fe80::2%eth0]:*;[fe80::1]:80",
    ] {
        Endpoint::parse_connect(text).expect(text);
    }
}
