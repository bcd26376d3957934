//! Accepting, also where it fails for a while.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Tries until somebody is there: out of descriptors, that takes until some are free again.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => eprintln!("cannot accept: {error}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}
