//! A connection to etcd, plain or encrypted, that never waits: what cannot be done now is
//! [`ErrorKind::WouldBlock`], and [`Connection::awaited`] says what to wait for.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use nix::{errno::Errno, poll::PollFlags};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use socket2::{Domain, Socket, Type};

/// What encryption needs to know: whom to trust, and whom to expect.
#[derive(Clone, Debug)]
pub(super) struct Secure {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

/// A connection that is open, or about to be.
pub(super) enum Connection {
    Plain(TcpStream),
    /// Boxed: its state is many times as large as the other's.
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Begins to connect. Whether that succeeds, the first bytes to be sent will tell.
    pub(super) fn open(to: SocketAddr, secure: Option<&Secure>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), None)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error)?,
            _ => {}
        }
        let socket = TcpStream::from(socket);
        let Some(secure) = secure else { return Ok(Self::Plain(socket)) };
        let config = Arc::clone(&secure.config);
        let tls = ClientConnection::new(config, secure.name.clone()).map_err(io::Error::other)?;
        Ok(Self::Encrypted(Box::new(StreamOwned::new(tls, socket))))
    }

    /// What to wait for before the next try. `unsent`: there is something to be sent.
    pub(super) fn awaited(&self, unsent: bool) -> PollFlags {
        let writes = match self {
            Self::Plain(_) => unsent,
            // A handshake has its own turns. What it leaves unsent waits for its end.
            Self::Encrypted(stream) => {
                stream.conn.wants_write() || (unsent && !stream.conn.is_handshaking())
            }
        };
        // Nothing is read before all is sent, so what has come must not wake anybody until then.
        if writes { PollFlags::POLLOUT } else { PollFlags::POLLIN }
    }

    /// Whether the other side has neither closed the connection nor said anything: whether it can be used again.
    pub(super) fn is_quiet(&self) -> bool {
        if let Self::Encrypted(stream) = self
            && !stream.conn.wants_read()
        {
            // Something was read, and is not asked for yet: bytes that nobody expects, or the end.
            return false;
        }
        let peeked = self.socket().peek(&mut [0]);
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Encrypted(stream) => &stream.sock,
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Encrypted(stream) => {
                if stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                // During a handshake rustls would keep the bytes, and they would count as sent.
                match stream.conn.is_handshaking() {
                    true => Err(ErrorKind::WouldBlock.into()),
                    false => stream.write(bytes),
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use nix::poll::{PollFd, PollTimeout, poll};
    use rcgen::{CertificateParams, KeyPair};
    use rustls::{RootCertStore, ServerConfig, ServerConnection, crypto::ring, version};

    use super::*;

    /// The two ends of an encrypted connection; the server's takes bytes only when it is told to.
    fn pair(
        version: &'static rustls::SupportedProtocolVersion,
    ) -> (Connection, ServerConnection, TcpStream) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let provider = Arc::new(ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let secure = Secure { config: Arc::new(client), name: "localhost".try_into().unwrap() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = Connection::open(listener.local_addr().unwrap(), Some(&secure)).unwrap();
        let server = ServerConnection::new(Arc::new(server)).unwrap();
        (connection, server, listener.accept().unwrap().0)
    }

    /// What the server says comes in two pieces, in the middle of a handshake: nothing counts as sent before its end.
    #[test]
    fn nothing_is_sent_before_a_handshake_is_over() {
        for version in [&version::TLS12, &version::TLS13] {
            let (mut client, mut server, mut socket) = pair(version);
            let mut taken = attempt(&mut client);
            while taken.is_none() {
                server.read_tls(&mut socket).unwrap();
                server.process_new_packets().unwrap();
                let mut words = Vec::new();
                while server.wants_write() {
                    server.write_tls(&mut words).unwrap();
                }
                for piece in words.chunks(words.len().div_ceil(2).max(1)) {
                    socket.write_all(piece).unwrap();
                    let mut waiting = [PollFd::new(client.as_fd(), client.awaited(true))];
                    poll(&mut waiting, PollTimeout::NONE).unwrap();
                    taken = taken.or_else(|| attempt(&mut client));
                }
            }
            assert_eq!(taken, Some(7));
            while server.process_new_packets().unwrap().plaintext_bytes_to_read() < 7 {
                server.read_tls(&mut socket).unwrap();
            }
        }
    }

    fn attempt(client: &mut Connection) -> Option<usize> {
        let taken = client.write(b"request").ok();
        assert_eq!(taken.is_none(), is_handshaking(client));
        taken
    }

    fn is_handshaking(connection: &Connection) -> bool {
        matches!(connection, Connection::Encrypted(stream) if stream.conn.is_handshaking())
    }
}
