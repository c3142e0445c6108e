//! A proxy in front of etcd that does something at the n-th request: the way to interrupt the plugin at
//! each of its steps, without a clock.

use std::{
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The request does not reach etcd.
    LoseRequest,
    /// etcd carries it out, the answer does not come back.
    LoseAnswer,
    /// etcd carries it out, and the plugin is killed before it learns of it.
    KillCaller,
    /// etcd carries it out, and the worker alone is killed.
    KillWorker,
}

#[derive(Debug)]
struct State {
    fault: Fault,
    at: usize,
    seen: usize,
    caller: Option<u32>,
    record: Vec<Vec<u8>>,
}

pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { fault: Fault::None, at: 0, seen: 0, caller: None, record: Vec::new() };
        let state = Arc::new(Mutex::new(state));
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
        *state = State { fault, at, seen: 0, caller: None, record: Vec::new() };
    }

    /// Tells whom to kill.
    pub fn caller(&self, pid: u32) {
        self.state.lock().unwrap().caller = Some(pid);
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
    let fault = {
        let mut state = state.lock().unwrap();
        state.seen += 1;
        state.record.push(request.clone());
        if state.seen == state.at { state.fault } else { Fault::None }
    };
    if fault == Fault::LoseRequest {
        return;
    }
    let answer = forward(&request);
    match fault {
        Fault::KillCaller | Fault::KillWorker => {
            let victim = wait_for_caller(state);
            let victim = if fault == Fault::KillWorker { worker_of(victim) } else { victim };
            kill(Pid::from_raw(victim as i32), Signal::SIGKILL).unwrap();
            // Both are surely gone when the other end of the connection is.
            let _ = client.read_to_end(&mut Vec::new());
        }
        Fault::LoseAnswer => {}
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

fn wait_for_caller(state: &Mutex<State>) -> u32 {
    let mut caller = None;
    super::wait_for("the caller's pid", || {
        caller = state.lock().unwrap().caller;
        caller.is_some()
    });
    caller.unwrap()
}

/// The child of the plugin's outer process.
pub fn worker_of(supervisor: u32) -> u32 {
    let path = format!("/proc/{supervisor}/task/{supervisor}/children");
    let mut worker = None;
    super::wait_for("the worker", || {
        let text = fs_err::read_to_string(&path).unwrap();
        worker = text.split_whitespace().next().map(|pid| pid.parse().unwrap());
        worker.is_some()
    });
    worker.unwrap()
}
