//! Peers that come back with their names.

use zerorpc_proto::transport::SocketKind::Router;
use zerorpc_proto::transport::{Handover, SocketOptions, Transport};

use crate::support::{ANY_PORT, Outcome, next, plain};

#[test]
fn a_newcomer_has_the_name_where_names_are_handed_over() -> Outcome {
    for handover in [Handover::Allowed, Handover::Refused] {
        let options = SocketOptions::default().handover(handover);
        let mut server = zerorpc_zmq::open(Router, &options)?;
        let endpoint = server.transport.bind(ANY_PORT)?;
        let named = || -> Result<zmq::Socket, zmq::Error> {
            let socket = plain(zmq::DEALER)?;
            socket.set_identity(b"name")?;
            socket.connect(&endpoint)?;
            Ok(socket)
        };
        let holder = named()?;
        holder.send_multipart([&b""[..], b"holder"], 0)?;
        assert_eq!(next(&mut server)?.payload, "holder");
        let newcomer = named()?;
        newcomer.send_multipart([&b""[..], b"newcomer"], 0)?;
        if handover == Handover::Allowed {
            assert_eq!(next(&mut server)?.payload, "newcomer");
        } else {
            // Whatever the newcomer says is not listened to.
            holder.send_multipart([&b""[..], b"holder again"], 0)?;
            assert_eq!(next(&mut server)?.payload, "holder again");
        }
    }
    Ok(())
}
