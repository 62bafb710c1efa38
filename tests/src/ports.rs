//! Ports for programs that are told where to listen.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of the loopback interface for a program that is about to listen there.
///
/// A port that is merely free may be another test's by the time the program starts, and whoever asks the program then
/// asks the other. Until this is dropped, the system gives the port to nobody who asks for any. The program gets it
/// because servers say that they reuse addresses (`SO_REUSEADDR`), and nobody listens here.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl ReservedPort {
    /// Takes one.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a default that panics would surprise"
    )]
    pub fn new() -> Self {
        let take = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            Ok::<_, std::io::Error>(Self {
                address: socket.local_addr()?,
                _socket: socket,
            })
        };
        take().expect("the loopback interface has a free port")
    }

    /// Where the program is to listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
