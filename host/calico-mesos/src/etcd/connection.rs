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
        if writes { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN }
    }

    /// Whether the other side has neither closed the connection nor said anything: whether it can be used again.
    pub(super) fn is_quiet(&self) -> bool {
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
            Self::Encrypted(stream) => stream.write(bytes),
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
