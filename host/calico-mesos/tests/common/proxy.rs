//! A proxy in front of etcd that does something at the n-th request: the way to interrupt the plugin at
//! each of its steps, without a clock.

use std::{
    cmp::Ordering,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::AUTHORITY;

/// What happens at the chosen request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The request does not reach etcd.
    LoseRequest,
    /// etcd carries it out, the answer does not come back.
    LoseAnswer,
    /// The connection ends, and the request reaches etcd all the same: just before the next write does.
    Late,
    /// etcd carries it out, and the plugin is killed before it learns of it.
    Kill,
    /// etcd carries it out, the answer does not come back, and no later request reaches etcd.
    Away,
}

#[derive(Default)]
struct State {
    fault: Fault,
    at: usize,
    seen: usize,
    plugin: Option<u32>,
    late: Option<Vec<u8>>,
    record: Vec<Vec<u8>>,
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Self { address, state }
    }

    /// Sets the fault for request number `at`, counted from 1, and starts to count.
    pub fn arm(&self, fault: Fault, at: usize) {
        let mut state = self.state.lock().unwrap();
        *state = State { fault, at, ..State::default() };
    }

    /// Lets somebody act just before request number `at` gets to etcd.
    pub fn meanwhile(&self, at: usize, act: impl FnOnce() + Send + 'static) {
        self.arm(Fault::None, at);
        self.state.lock().unwrap().meanwhile = Some(Box::new(act));
    }

    /// Tells whom to kill.
    pub fn plugin(&self, pid: u32) {
        self.state.lock().unwrap().plugin = Some(pid);
    }

    /// How many requests there were.
    pub fn seen(&self) -> usize {
        self.state.lock().unwrap().seen
    }

    /// The requests as they came.
    pub fn record(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().record.clone()
    }
}

fn serve(mut client: TcpStream, state: &Mutex<State>) {
    let Some(request) = read_request(&mut client) else { return };
    let is_write = !request.starts_with(b"GET ");
    let (fault, late, meanwhile) = {
        let mut state = state.lock().unwrap();
        state.seen += 1;
        let is_due = state.seen == state.at;
        state.record.push(request.clone());
        let fault = match state.seen.cmp(&state.at) {
            Ordering::Equal => state.fault,
            Ordering::Greater if state.fault == Fault::Away => Fault::LoseRequest,
            _ => Fault::None,
        };
        let late = state.late.take_if(|_| is_write);
        if fault == Fault::Late && is_write {
            state.late = Some(request.clone());
        }
        (fault, late, state.meanwhile.take_if(|_| is_due))
    };
    if let Some(act) = meanwhile {
        act();
    }
    if matches!(fault, Fault::LoseRequest | Fault::Late) {
        return;
    }
    if let Some(late) = late {
        forward(&late);
    }
    let answer = forward(&request);
    match fault {
        Fault::Kill => {
            kill(Pid::from_raw(wait_for_plugin(state) as i32), Signal::SIGKILL).unwrap();
            // It is surely gone when the other end of the connection is.
            let _ = client.read_to_end(&mut Vec::new());
        }
        Fault::LoseAnswer | Fault::Away => {}
        _ => {
            let _ = client.write_all(&answer);
        }
    }
}

/// One request; none at the end of the connection.
fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = client.read(&mut piece).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&piece[..length]);
        let Some(end) = request.windows(4).position(|part| part == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
        let body = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let body: usize = body.map_or(0, |text| text.trim().parse().unwrap());
        if request.len() >= end + 4 + body {
            return Some(request);
        }
    }
}

/// Asks etcd on a connection that ends with the answer.
fn forward(request: &[u8]) -> Vec<u8> {
    let end = request.windows(2).position(|part| part == b"\r\n").unwrap();
    let mut server = TcpStream::connect(AUTHORITY).unwrap();
    server.write_all(&request[..end]).unwrap();
    server.write_all(b"\r\nConnection: close").unwrap();
    server.write_all(&request[end..]).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    answer
}

fn wait_for_plugin(state: &Mutex<State>) -> u32 {
    let mut plugin = None;
    super::wait_for("the plugin's pid", || {
        plugin = state.lock().unwrap().plugin;
        plugin.is_some()
    });
    plugin.unwrap()
}
