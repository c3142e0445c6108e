//! The exchanges that are under way, each on a connection of its own, in one thread: whoever waits for one of them
//! carries all of them on. So a request's reads go out together and cost the time of one, and no thread has to be
//! started for that, which would take as long as etcd does.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
    os::fd::AsFd,
    rc::Rc,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollTimeout, poll},
};

use super::{
    connection::Connection,
    http::{Answer, Exchange},
    server::Server,
};
use crate::deadline::Deadline;

/// Most answers come in one piece of less.
const PIECE: usize = 16 << 10;

/// Why there is no answer; the text is for people.
#[derive(Debug)]
pub(super) enum Fault {
    /// The request never left: safe to send elsewhere.
    NotSent(String),
    /// It may have been carried out.
    Lost(String),
}

/// Stands for an exchange until its end is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(usize);

/// All exchanges of a client.
#[derive(Default)]
pub(super) struct Traffic {
    under_way: Vec<Pending>,
    /// Connections between two exchanges.
    idle: Vec<(Rc<Server>, Connection)>,
    tickets: usize,
}

struct Pending {
    ticket: Ticket,
    exchange: Exchange,
    until: Deadline,
    server: Rc<Server>,
    connection: Connection,
    /// Addresses of the server that are left to try.
    untried: VecDeque<SocketAddr>,
    /// When the next one of them is tried.
    try_until: Deadline,
    outcome: Option<Result<(), Fault>>,
}

impl Traffic {
    /// Begins an exchange with `server`, which ends before `until`.
    pub(super) fn begin(
        &mut self,
        server: &Rc<Server>,
        exchange: Exchange,
        until: Deadline,
    ) -> Result<Ticket, Fault> {
        let mut untried = server.sockets(until).map_err(|why| Fault::NotSent(why.to_owned()))?;
        let connection = match self.take_idle(server) {
            Some(connection) => connection,
            None => open(&mut untried, server, String::new()).map_err(Fault::NotSent)?,
        };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let try_until = until.share(untried.len() + 1);
        let server = Rc::clone(server);
        let mut pending = Pending {
            ticket,
            exchange,
            until,
            server,
            connection,
            untried,
            try_until,
            outcome: None,
        };
        pending.carry_on();
        self.under_way.push(pending);
        Ok(ticket)
    }

    /// A connection that has served an exchange with this very server.
    fn take_idle(&mut self, server: &Rc<Server>) -> Option<Connection> {
        while let Some(at) = self.idle.iter().position(|(known, _)| Rc::ptr_eq(known, server)) {
            let (_, connection) = self.idle.swap_remove(at);
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Waits until everything that was begun is on its way, or has failed.
    pub(super) fn send(&mut self) {
        while self.under_way.iter().any(Pending::is_unsent) {
            self.wait();
        }
    }

    /// Waits for an exchange's end. Each can be asked for once.
    pub(super) fn finish(&mut self, ticket: Ticket) -> Result<Answer, Fault> {
        loop {
            let Some(at) = self.under_way.iter().position(|pending| pending.ticket == ticket)
            else {
                return Err(Fault::Lost("it was given up".to_owned()));
            };
            if self.under_way[at].outcome.is_none() {
                self.wait();
                continue;
            }
            let pending = self.under_way.swap_remove(at);
            if let Some(Err(fault)) = pending.outcome {
                self.distrust(&pending.server);
                return Err(fault);
            }
            if pending.exchange.leaves_connection_usable() {
                self.idle.push((pending.server, pending.connection));
            }
            return Ok(pending.exchange.into_answer());
        }
    }

    /// Gives up everything that is under way, and every connection.
    pub(super) fn give_up(&mut self) {
        self.under_way.clear();
        self.idle.clear();
    }

    /// Closes the idle connections to a server that has failed: they may be as dead as the one that showed it.
    fn distrust(&mut self, server: &Rc<Server>) {
        self.idle.retain(|(known, _)| !Rc::ptr_eq(known, server));
    }

    /// Sleeps until an exchange can be carried on or its time is over, and does that.
    fn wait(&mut self) {
        let mut open: Vec<_> = self.under_way.iter_mut().filter(|p| p.outcome.is_none()).collect();
        let left = open.iter().map(|pending| pending.try_until.left().unwrap_or_default()).min();
        // Rounded up, so that the last round is not spent on asking again and again.
        let millis = left.unwrap_or_default().as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let events = |pending: &Pending| pending.connection.awaited(pending.is_unsent());
        let mut sockets: Vec<_> =
            open.iter().map(|p| PollFd::new(p.connection.as_fd(), events(p))).collect();
        let polled = poll(&mut sockets, timeout);
        let ready: Vec<bool> = sockets.iter().map(|socket| socket.any().unwrap_or(true)).collect();
        for (pending, ready) in open.iter_mut().zip(ready) {
            match polled {
                // What came in time is taken, however late it is looked at.
                Ok(_) if ready => pending.carry_on(),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => pending.fail(errno.desc()),
            }
            if pending.outcome.is_none() && pending.try_until.left().is_none() {
                pending.try_is_over();
            }
        }
    }
}

impl Pending {
    fn is_unsent(&self) -> bool {
        self.outcome.is_none() && !self.exchange.unsent().is_empty()
    }

    /// Does what can be done without waiting.
    fn carry_on(&mut self) {
        match self.try_on() {
            Ok(false) => {}
            Ok(true) => self.outcome = Some(Ok(())),
            Err(error) => self.next_address(&cause(&error)),
        }
    }

    /// True once the answer is whole.
    fn try_on(&mut self) -> io::Result<bool> {
        while !self.exchange.unsent().is_empty() {
            match if_ready(self.connection.write(self.exchange.unsent()))? {
                Some(count @ 1..) => self.exchange.note_sent(count),
                _ => return Ok(false),
            }
        }
        let mut piece = [0; PIECE];
        while let Some(count) = if_ready(self.connection.read(&mut piece))? {
            let whole = match count {
                0 if self.exchange.close() => true,
                0 => return Err(io::Error::other("closed before the answer was whole")),
                _ => self.exchange.receive(&piece[..count]).map_err(io::Error::other)?,
            };
            // Who never stops sending does not get more time than untried.
            if whole || self.until.left().is_none() {
                return Ok(whole);
            }
        }
        Ok(false)
    }

    /// Tries the server's next address, where there is one and nothing was sent yet.
    fn next_address(&mut self, why: &str) {
        if self.exchange.is_begun() {
            return self.fail(why);
        }
        match open(&mut self.untried, &self.server, why.to_owned()) {
            Ok(connection) => {
                self.connection = connection;
                self.try_until = self.until.share(self.untried.len() + 1);
            }
            Err(why) => self.fail(&why),
        }
    }

    fn try_is_over(&mut self) {
        if !self.exchange.is_begun() {
            self.next_address("no connection in time");
        } else if self.until.left().is_none() {
            self.fail("no answer in time");
        } else {
            // Once connected, it is the server's turn to the end.
            self.try_until = self.until;
        }
    }

    fn fail(&mut self, why: &str) {
        let fault = if self.exchange.is_begun() { Fault::Lost } else { Fault::NotSent };
        self.outcome = Some(Err(fault(why.to_owned())));
    }
}

/// Opens a connection to the first address that it can begin with, and takes those that were tried out of the
/// list. The text is the last reason why not, or `why` where nothing is left to try.
fn open(
    sockets: &mut VecDeque<SocketAddr>,
    server: &Server,
    mut why: String,
) -> Result<Connection, String> {
    while let Some(to) = sockets.pop_front() {
        match Connection::open(to, server.secure.as_ref()) {
            Ok(connection) => return Ok(connection),
            Err(error) => why = cause(&error),
        }
    }
    Err(why)
}

/// What came of a call that does not wait; none if it would have had to.
fn if_ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A short reason.
fn cause(error: &io::Error) -> String {
    match (error.raw_os_error(), error.kind()) {
        (Some(code), _) => Errno::from_raw(code).desc().to_lowercase(),
        // What the TLS layer says of a certificate that it does not trust.
        (None, ErrorKind::InvalidData) => format!("TLS: {error}"),
        // Our own words.
        (None, ErrorKind::Other) => error.to_string(),
        (None, kind) => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread, time::Duration};

    use socket2::{Domain, Socket, Type};

    use super::{
        super::{address, http::Method},
        *,
    };

    const HOUR: Duration = Duration::from_secs(3600);
    /// For what is to be over: long enough to be seen at work, and waited for to its end.
    const MOMENT: Duration = Duration::from_millis(300);

    fn listener() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    fn server(host_port: &str) -> Rc<Server> {
        let address = address::from_settings(None, Some(host_port), None).unwrap().remove(0);
        Rc::new(Server::new(address, None).unwrap())
    }

    fn begin(traffic: &mut Traffic, server: &Rc<Server>, path: &str, span: Duration) -> Ticket {
        let exchange =
            Exchange::new(Method::Get, &format!("http://x{path}"), None, 1 << 20).unwrap();
        traffic.begin(server, exchange, Deadline::after(span)).unwrap()
    }

    fn body(answer: Result<Answer, Fault>) -> String {
        String::from_utf8(answer.unwrap().body).unwrap()
    }

    /// Reads a request, and says what its path is.
    fn path(stream: &mut impl Read) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        String::from_utf8(request).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    fn answer(stream: &mut impl Write, body: &str) {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    }

    /// The server answers nothing before it has both, and then the second one first.
    #[test]
    fn exchanges_go_on_together_and_connections_are_used_again() {
        let (listener, address) = listener();
        let serving = thread::spawn(move || {
            let (mut one, _) = listener.accept().unwrap();
            let (mut two, _) = listener.accept().unwrap();
            let paths = [path(&mut one), path(&mut two)];
            answer(&mut two, &paths[1]);
            answer(&mut one, &paths[0]);
            // The third one comes over a connection that is there.
            let again = path(&mut one);
            answer(&mut one, &again);
        });
        let (mut traffic, server) = (Traffic::default(), server(&address));
        let first = begin(&mut traffic, &server, "/first", HOUR);
        let second = begin(&mut traffic, &server, "/second", HOUR);
        traffic.send();
        assert_eq!(body(traffic.finish(first)), "/first");
        let third = begin(&mut traffic, &server, "/third", HOUR);
        assert_eq!(body(traffic.finish(second)), "/second");
        assert_eq!(body(traffic.finish(third)), "/third");
        serving.join().unwrap();
    }

    #[test]
    fn a_connection_that_was_closed_meanwhile_is_not_used_again() {
        let (listener, address) = listener();
        let serving = thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let path = path(&mut stream);
                answer(&mut stream, &path);
            }
        });
        let (mut traffic, server) = (Traffic::default(), server(&address));
        let one = begin(&mut traffic, &server, "/1", HOUR);
        assert_eq!(body(traffic.finish(one)), "/1");
        // The end of the connection has come in: only then is the outcome certain.
        let mut waiting = [PollFd::new(traffic.idle[0].1.as_fd(), nix::poll::PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::NONE).unwrap();
        let two = begin(&mut traffic, &server, "/2", HOUR);
        assert_eq!(body(traffic.finish(two)), "/2");
        serving.join().unwrap();
    }

    #[test]
    fn a_name_with_several_addresses_is_tried_at_each() {
        let (listener, address) = listener();
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let path = path(&mut stream);
            answer(&mut stream, &path);
        });
        let deaf = full();
        let refusing = "127.0.0.1:1".parse().unwrap();
        let several = server("etcd.example:1");
        several.sockets_are([refusing, deaf.1, address.parse().unwrap()]);
        let mut traffic = Traffic::default();
        let ticket = begin(&mut traffic, &several, "/", MOMENT * 3);
        assert_eq!(body(traffic.finish(ticket)), "/");
        serving.join().unwrap();
    }

    /// A listener whose queue is full: the kernel lets nobody else in, and says nothing.
    fn full() -> (Socket, SocketAddr, Vec<Connection>) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let waiting = (0..2).map(|_| Connection::open(address, None).unwrap()).collect();
        (socket, address, waiting)
    }

    #[test]
    fn whether_a_request_has_left_is_known() {
        let mut traffic = Traffic::default();
        let mut fault = |host_port: &str| {
            let ticket = begin(&mut traffic, &server(host_port), "/", MOMENT);
            format!("{:?}", traffic.finish(ticket).unwrap_err())
        };
        assert_eq!(fault("127.0.0.1:1"), r#"NotSent("connection refused")"#);
        let deaf = full();
        assert_eq!(fault(&deaf.1.to_string()), r#"NotSent("no connection in time")"#);
        let (_silent, address) = listener();
        assert_eq!(fault(&address), r#"Lost("no answer in time")"#);
        let (closing, address) = listener();
        let serving = thread::spawn(move || {
            path(&mut closing.accept().unwrap().0);
            closing.accept().unwrap().0.write_all(b"SSH-2.0\r\n\r\n").unwrap();
        });
        assert_eq!(fault(&address), r#"Lost("closed before the answer was whole")"#);
        assert_eq!(fault(&address), r#"Lost("the answer is not HTTP")"#);
        serving.join().unwrap();
    }

    /// A server that never ends its answer, and one that takes a part of the request and says no more.
    #[test]
    fn who_never_comes_to_an_end_is_left_in_time() {
        let (endless, address) = listener();
        let flooding = thread::spawn(move || {
            let (mut stream, _) = endless.accept().unwrap();
            path(&mut stream);
            while stream.write_all(b"HTTP/1.1 102 X\r\n\r\n").is_ok() {}
        });
        let mut traffic = Traffic::default();
        let ticket = begin(&mut traffic, &server(&address), "/", MOMENT);
        let fault = format!("{:?}", traffic.finish(ticket).unwrap_err());
        assert_eq!(fault, r#"Lost("no answer in time")"#);
        flooding.join().unwrap();

        let (deaf, address) = listener();
        let large = "x".repeat(64 << 20);
        let exchange = Exchange::new(Method::Put(&large), "http://x/", None, 1 << 20).unwrap();
        let until = Deadline::after(MOMENT);
        let ticket = traffic.begin(&server(&address), exchange, until).unwrap();
        let (stream, _) = deaf.accept().unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let fault = format!("{:?}", traffic.finish(ticket).unwrap_err());
        assert_eq!(fault, r#"Lost("no answer in time")"#);
    }
}
