//! A web server for tests that can misbehave: cut connections, ignore ranges, fall silent, and
//! pass requests on to `git http-backend`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Method and path, and the range if there is one.
    pub fn line(&self) -> String {
        let range = self.header("range").map(|r| format!(" {r}")).unwrap_or_default();
        format!("{} {}{range}", self.method, self.path)
    }
}

/// The answer to a request.
#[derive(Clone, Debug, Default)]
pub struct WebAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Hang up after so many bytes of the body.
    pub cut: Option<usize>,
    /// Say nothing more after the body that is sent, until the client hangs up.
    pub silent: bool,
}

impl WebAnswer {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// All of a file, whatever range is asked for.
    pub fn all(body: &[u8]) -> Self {
        Self { status: 200, body: body.to_vec(), ..Self::default() }
    }

    /// A file, or the range of it that is asked for.
    pub fn file(body: &[u8], request: &Request) -> Self {
        let from = request.header("range").and_then(|r| r.strip_prefix("bytes="));
        let Some(from) = from.and_then(|r| r.strip_suffix('-')?.parse::<usize>().ok()) else {
            return Self::all(body);
        };
        if from >= body.len() {
            return Self::status(416);
        }
        let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
        let body = body[from..].to_vec();
        Self { status: 206, body, ..Self::default() }.header("Content-Range", &range)
    }

    pub fn redirect(to: &str) -> Self {
        Self::status(302).header("Location", to)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn cut(self, after: usize) -> Self {
        Self { cut: Some(after), ..self }
    }

    pub fn silent(self, after: usize) -> Self {
        Self { cut: Some(after), silent: true, ..self }
    }

    fn send(&self, stream: &mut (impl Read + Write)) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.headers.iter().any(|(n, _)| n == "Transfer-Encoding") {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(&self.body[..self.cut.unwrap_or(self.body.len()).min(self.body.len())])?;
        stream.flush()?;
        if self.silent {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0]);
        }
        Ok(())
    }
}

type WebSite = dyn Fn(&Request, usize) -> WebAnswer + Send + Sync;

/// A server on loopback; it ends with the test process.
pub struct Web {
    pub host: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    /// Serves `site`, which is given each request and how many there were before it.
    pub fn serve(site: impl Fn(&Request, usize) -> WebAnswer + Send + Sync + 'static) -> Self {
        Self::over(site, |stream| Box::new(stream))
    }

    /// The same, with what `wrap` makes of each connection.
    pub fn over(
        site: impl Fn(&Request, usize) -> WebAnswer + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (site, seen): (Arc<WebSite>, _) = (Arc::new(site), requests.clone());
        let wrap = Arc::new(wrap);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (site, seen, wrap) = (site.clone(), seen.clone(), wrap.clone());
                std::thread::spawn(move || {
                    // Clients that go away early are part of the tests.
                    let _ = answer(wrap(stream), site.as_ref(), &seen);
                });
            }
        });
        Self { host, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }
}

pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

fn answer(
    stream: Box<dyn Stream>,
    site: &WebSite,
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let Some(request) = read_request(&mut stream)? else { return Ok(()) };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    site(&request, before).send(stream.get_mut())
}

fn read_request(stream: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = || -> std::io::Result<String> {
        let mut text = String::new();
        stream.read_line(&mut text)?;
        Ok(text.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    if request.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            request.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length") {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body)?;
        request.body = body;
    }
    Ok(Some(request))
}

/// Answers as git's own CGI program does for the repositories below `root`. With `old`, the client
/// does not get to speak the newer protocol.
pub fn git_backend(root: &std::path::Path, request: &Request, old: bool) -> WebAnswer {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("HTTP_CONTENT_ENCODING", request.header("content-encoding").unwrap_or_default());
    if let (Some(protocol), false) = (request.header("git-protocol"), old) {
        command.env("GIT_PROTOCOL", protocol);
    }
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let body = request.body.clone();
    let writer = std::thread::spawn(move || {
        let _ = input.write_all(&body);
    });
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    let end = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let mut answer = WebAnswer::all(&output[end + 4..]);
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(": ").unwrap();
        match name {
            "Status" => answer.status = value[..3].parse().unwrap(),
            _ => answer = answer.header(name, value),
        }
    }
    answer
}
