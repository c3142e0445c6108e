//! One HTTP/1.1 exchange as bytes: what goes out, and what to make of what comes in. No socket is known here, and
//! ureq-proto, which is the protocol of ureq without its sockets, writes and reads the bytes.

use ureq_proto::{
    BodyMode, Error as ProtocolError,
    client::{
        Call, RecvBodyResult, RecvResponseResult, SendRequestResult,
        state::{RecvBody, RecvResponse},
    },
    http::Request,
};

/// A head has some hundred bytes.
const HEAD_MAX: usize = 64 << 10;

/// Room for the head that is not the URL: method, names and values of headers.
const HEAD_ROOM: usize = 512;

const FORM: &str = "application/x-www-form-urlencoded";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method<'a> {
    Get,
    /// With a body, URL-encoded.
    Put(&'a str),
    Delete,
}

impl Method<'_> {
    /// As it stands in the request, and in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put(_) => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An exchange, from the first byte of the request to the last one of the answer.
pub(super) struct Exchange {
    outgoing: Vec<u8>,
    sent: usize,
    incoming: Vec<u8>,
    status: u16,
    body: Vec<u8>,
    /// The longest body.
    limit: usize,
    stage: Stage,
}

enum Stage {
    Head(Call<RecvResponse>),
    Body(Call<RecvBody>),
    /// The answer is whole.
    Over {
        /// Whether the connection can serve another exchange.
        reusable: bool,
    },
    /// There will be no answer.
    Failed,
}

impl Exchange {
    /// Writes a request down, for a URL without a password, and the value of its Authorization header; the answer's
    /// body may have `limit` bytes. The text says why there can be none.
    pub(super) fn new(
        method: Method<'_>,
        url: &str,
        authorization: Option<&str>,
        limit: usize,
    ) -> Result<Self, &'static str> {
        let unusable = "the address is not usable";
        let body = if let Method::Put(body) = method { body } else { "" };
        let mut request = Request::builder().method(method.name()).uri(url);
        request = request.header("user-agent", concat!("calico_mesos/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        if let Method::Put(_) = method {
            request = request.header("content-type", FORM).header("content-length", body.len());
        }
        let request = request.body(()).map_err(|_| unusable)?;
        // The host stands in a header again.
        let length = 2 * url.len() + authorization.map_or(0, str::len) + HEAD_ROOM + body.len();
        let mut outgoing = vec![0; length];
        let (length, call) = write_request(request, body, &mut outgoing).map_err(|_| unusable)?;
        outgoing.truncate(length);
        let stage = Stage::Head(call.ok_or(unusable)?);
        let (incoming, body) = (Vec::new(), Vec::new());
        Ok(Self { outgoing, sent: 0, incoming, status: 0, body, limit, stage })
    }

    /// What is still to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// Notes that `count` bytes more are on their way.
    pub(super) fn note_sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// Whether the other side can know of the request.
    pub(super) fn is_begun(&self) -> bool {
        self.sent > 0
    }

    /// Takes bytes that have come; true once the answer is whole. The text says why there will be none.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<bool, &'static str> {
        self.incoming.extend_from_slice(bytes);
        self.parse().map_err(|_| "the answer is not HTTP")?;
        if self.incoming.len() > HEAD_MAX
            || self.body.len() > self.limit
            || self.is_to_be_too_long()
        {
            return Err("the answer is too long");
        }
        Ok(self.is_over())
    }

    /// Takes the end of the connection; true if the answer is whole by that.
    pub(super) fn close(&mut self) -> bool {
        if let Stage::Body(call) = &self.stage
            && call.body_mode() == BodyMode::CloseDelimited
        {
            self.stage = Stage::Over { reusable: false };
        }
        self.is_over()
    }

    /// Whether the connection can serve another exchange.
    pub(super) fn leaves_connection_usable(&self) -> bool {
        // Bytes that follow the answer belong to nothing that was asked.
        matches!(self.stage, Stage::Over { reusable: true }) && self.incoming.is_empty()
    }

    /// The answer, once it is whole.
    pub(super) fn into_answer(self) -> Answer {
        Answer { status: self.status, body: self.body }
    }

    /// Whether the answer says of itself that its body is longer than it may be.
    fn is_to_be_too_long(&self) -> bool {
        let Stage::Body(call) = &self.stage else { return false };
        matches!(call.body_mode(), BodyMode::LengthDelimited(length) if length > self.limit as u64)
    }

    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over { .. })
    }

    /// Reads as much of `incoming` as can be understood by now.
    fn parse(&mut self) -> Result<(), ProtocolError> {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Failed);
            let (next, again) = match stage {
                Stage::Head(call) => self.head(call)?,
                Stage::Body(call) => self.body(call)?,
                end @ (Stage::Over { .. } | Stage::Failed) => (end, false),
            };
            self.stage = next;
            if !again {
                return Ok(());
            }
        }
    }

    /// The stage after what has come of the head, and whether there may be more to read.
    fn head(&mut self, mut call: Call<RecvResponse>) -> Result<(Stage, bool), ProtocolError> {
        let (used, response) = call.try_response(&self.incoming, false)?;
        self.incoming.drain(..used);
        let Some(response) = response else {
            // An interim answer (1xx) was used up, or the head is not whole.
            return Ok((Stage::Head(call), used > 0));
        };
        self.status = response.status().as_u16();
        Ok(match call.proceed() {
            Some(RecvResponseResult::RecvBody(call)) => (Stage::Body(call), true),
            Some(RecvResponseResult::Cleanup(call)) => {
                (Stage::Over { reusable: !call.must_close_connection() }, false)
            }
            // Redirections are answers like others: etcd sends its clients nowhere else.
            _ => (Stage::Over { reusable: false }, false),
        })
    }

    /// The same for the body.
    fn body(&mut self, mut call: Call<RecvBody>) -> Result<(Stage, bool), ProtocolError> {
        let mut taken = 0;
        loop {
            let known = self.body.len();
            let input = &self.incoming[taken..];
            // Twice as much each time, but no more than the limit and the piece that goes beyond it.
            if self.body.capacity() < known + input.len() {
                let room = (2 * self.body.capacity()).min(self.limit).max(known + input.len());
                self.body.reserve_exact(room - known);
            }
            self.body.resize(known + input.len(), 0);
            let (used, made) = call.read(input, &mut self.body[known..])?;
            self.body.truncate(known + made);
            taken += used;
            if used == 0 && made == 0 {
                break;
            }
        }
        self.incoming.drain(..taken);
        if call.body_mode() == BodyMode::CloseDelimited || !call.can_proceed() {
            return Ok((Stage::Body(call), false));
        }
        let reusable = match call.proceed() {
            Some(RecvBodyResult::Cleanup(call)) => !call.must_close_connection(),
            _ => false,
        };
        Ok((Stage::Over { reusable }, false))
    }
}

/// Writes a request with its body; how long it is, and the call that waits for the answer.
fn write_request(
    request: Request<()>,
    body: &str,
    out: &mut [u8],
) -> Result<(usize, Option<Call<RecvResponse>>), ProtocolError> {
    let mut call = Call::new(request)?.proceed();
    let head = call.write(out)?;
    Ok(match call.proceed()? {
        Some(SendRequestResult::RecvResponse(call)) => (head, Some(call)),
        Some(SendRequestResult::SendBody(mut call)) => {
            let (_, length) = call.write(body.as_bytes(), &mut out[head..])?;
            (head + length, call.proceed())
        }
        // Nothing that is sent here expects a 100.
        _ => (head, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn get() -> Exchange {
        Exchange::new(Method::Get, "http://etcd:2379/v2/keys/a?quorum=true", None, LIMIT).unwrap()
    }

    fn text(exchange: &Exchange) -> String {
        String::from_utf8(exchange.unsent().to_vec()).unwrap()
    }

    #[test]
    fn requests() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            text(&get()),
            format!(
                "GET /v2/keys/a?quorum=true HTTP/1.1\r\nhost: etcd:2379\r\n\
                 user-agent: calico_mesos/{version}\r\n\r\n"
            )
        );
        let put = Exchange::new(
            Method::Put("value=1"),
            "http://[::1]:1/v2/keys/a",
            Some("Basic x"),
            LIMIT,
        )
        .unwrap();
        let put = text(&put);
        assert!(put.starts_with("PUT /v2/keys/a HTTP/1.1\r\n"), "{put}");
        assert!(put.ends_with("\r\n\r\nvalue=1") && put.contains("content-length: 7\r\n"), "{put}");
        assert!(put.contains("authorization: Basic x\r\n"), "{put}");
        let delete = Exchange::new(Method::Delete, "http://etcd:1/v2/keys/a", None, LIMIT).unwrap();
        assert!(text(&delete).starts_with("DELETE /v2/keys/a HTTP/1.1\r\n"));
        assert!(Exchange::new(Method::Get, "http://a b/", None, LIMIT).is_err());
    }

    /// Feeds an answer in pieces of every size; what comes of it must be the same.
    fn answers(bytes: &[u8]) -> (Option<Answer>, bool) {
        let mut all = (1..=bytes.len()).map(|size| {
            let mut exchange = get();
            let mut whole = false;
            for piece in bytes.chunks(size) {
                whole = exchange.receive(piece).unwrap();
            }
            whole = whole || exchange.close();
            let usable = exchange.leaves_connection_usable();
            let answer = whole.then(|| exchange.into_answer());
            (answer, usable)
        });
        let first = all.next().unwrap();
        for other in all {
            assert_eq!(format!("{other:?}"), format!("{first:?}"));
        }
        first
    }

    #[test]
    fn the_ways_in_which_an_answer_can_end() {
        let (answer, usable) = answers(b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}");
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), usable), (404, &b"{}"[..], true));

        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let (answer, usable) = answers(chunked);
        assert_eq!((answer.unwrap().body.as_slice(), usable), (&b"abc"[..], true));

        let (answer, usable) = answers(b"HTTP/1.1 200 OK\r\n\r\nto the end");
        assert_eq!((answer.unwrap().body.as_slice(), usable), (&b"to the end"[..], false));

        let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
        let (answer, usable) = answers(closing);
        assert_eq!((answer.unwrap().body.as_slice(), usable), (&b"x"[..], false));

        let (answer, usable) = answers(b"HTTP/1.1 204 X\r\n\r\n");
        assert_eq!((answer.unwrap().status, usable), (204, true));

        let (answer, _) =
            answers(b"HTTP/1.1 102 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answer.unwrap().status, 200);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_none() {
        assert!(answers(b"HTTP/1.1 200 OK\r\nContent-Le").0.is_none());
        assert!(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").0.is_none());
        assert!(
            answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").0.is_none()
        );
    }

    #[test]
    fn what_follows_an_answer_spoils_the_connection() {
        let mut exchange = get();
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200";
        assert_eq!(exchange.receive(bytes), Ok(true));
        assert!(!exchange.leaves_connection_usable());
    }

    #[test]
    fn nonsense_and_floods_are_refused() {
        assert_eq!(get().receive(b"SSH-2.0-x\r\n\r\n"), Err("the answer is not HTTP"));
        let mut exchange = get();
        let endless =
            b"HTTP/1.1 200 OK\r\nA: ".iter().copied().chain(std::iter::repeat_n(b'a', HEAD_MAX));
        assert_eq!(exchange.receive(&endless.collect::<Vec<_>>()), Err("the answer is too long"));
        for head in ["", "Transfer-Encoding: chunked\r\n"] {
            let mut exchange = get();
            let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
            assert_eq!(exchange.receive(head.as_bytes()), Ok(false));
            let mut piece = vec![b'x'; 1 << 14];
            if head.contains("chunked") {
                piece = [b"4000\r\n", piece.as_slice(), b"\r\n"].concat();
            }
            let end = (0..1000).find_map(|_| exchange.receive(&piece).err());
            assert_eq!(end, Some("the answer is too long"));
            assert!(exchange.body.capacity() <= LIMIT + (1 << 15), "{}", exchange.body.capacity());
        }
        // What says beforehand that it is too long is not waited for.
        let mut exchange = get();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LIMIT + 1);
        assert_eq!(exchange.receive(head.as_bytes()), Err("the answer is too long"));
    }
}
