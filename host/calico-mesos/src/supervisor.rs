//! The plugin's outer process. It forks a worker, passes the worker's answer on to stdout, and
//! where there is none (the worker was killed, ran out of memory or stack, aborted, or hangs)
//! it answers in its place. net-modules reads nothing but stdout (facts 1.8), so an empty one
//! would be reported as a JSON error that explains nothing.
//!
//! The last byte through the pipe is the exit status, and no answer has such a byte: once it is there,
//! the answer is whole, and nobody waits until the worker's memory has been taken down.
//!
//! The worker dies with the supervisor: a caller that kills this process has stopped the request.

use std::{
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
    time::Duration,
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitStatus, waitpid},
    },
    unistd::{self, ForkResult, Pid, fork, pipe2},
};

use crate::{
    deadline::Deadline,
    log, plugin,
    protocol::response::{MAX, failure},
    settings,
};

/// Answers the request on stdin.
pub fn serve() -> ExitCode {
    log::open();
    let (answer, status) = match start() {
        Ok(Side::Supervisor(worker)) => worker.attend(),
        Ok(Side::Worker(pipe)) => work(pipe),
        // Without a second process the request is still worth trying.
        Err(errno) => {
            log::warn(&format!("working without a supervisor: {errno}"));
            let response = plugin::answer();
            (response.to_json(), response.exit_status())
        }
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(answer.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(status),
        Err(error) => {
            log::error(&format!("nobody takes the answer: {error}"));
            ExitCode::FAILURE
        }
    }
}

enum Side {
    Supervisor(Worker),
    Worker(OwnedFd),
}

struct Worker {
    pid: Pid,
    pipe: OwnedFd,
    signals: SignalFd,
}

/// Why a worker has no answer.
enum Silence {
    Signal(String),
    Late,
    Broken(Errno),
}

fn start() -> Result<Side, Errno> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let mut mask = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        mask.add(signal);
    }
    // Blocked in the worker too: a signal to the whole group is the supervisor's to handle.
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC)?;
    let parent = unistd::getpid();
    // SAFETY: the process has one thread, so nothing (no lock, no allocator state) is left half
    // done in the copy, and the child may do whatever the parent may.
    #[expect(unsafe_code, reason = "fork has no safe form; see SAFETY")]
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(writer);
            Ok(Side::Supervisor(Worker { pid: child, pipe: reader, signals }))
        }
        ForkResult::Child => {
            // Where this fails the worker still ends at its own deadline.
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            if unistd::getppid() != parent {
                std::process::exit(1);
            }
            Ok(Side::Worker(writer))
        }
    }
}

/// The worker's life. It never returns: the answer goes through the pipe.
fn work(pipe: OwnedFd) -> ! {
    // stdout belongs to the supervisor: were it open here, its reader would wait for both processes.
    if let Ok(null) = fs_err::OpenOptions::new().write(true).open("/dev/null") {
        let _ = unistd::dup2_stdout(null.file());
        let _ = unistd::dup2_stderr(null.file());
    }
    let response = plugin::answer();
    let mut answer = response.to_json().into_bytes();
    answer.push(response.exit_status());
    // Where nobody takes it there is nobody to tell.
    let _ = std::io::PipeWriter::from(pipe).write_all(&answer);
    std::process::exit(0)
}

impl Worker {
    /// Waits for the answer and the end of the worker.
    fn attend(self) -> (String, u8) {
        let limit = settings::limits_or_default().total + settings::ROLLBACK + settings::GRACE;
        let mut answer = Vec::new();
        let silence = match self.collect(&mut answer, Deadline::after(limit)) {
            Ok(Some(status)) => match String::from_utf8(answer) {
                Ok(text) if !text.is_empty() => return (text, status),
                _ => None,
            },
            Ok(None) => None,
            Err(silence) => {
                let _ = kill(self.pid, Signal::SIGKILL);
                Some(silence)
            }
        };
        let status = loop {
            match waitpid(self.pid, None) {
                Err(Errno::EINTR) => {}
                status => break status,
            }
        };
        let why = match (silence, status) {
            (None, Ok(WaitStatus::Exited(..))) => "the worker gave no answer".to_owned(),
            (None, Ok(WaitStatus::Signaled(_, signal, _))) => {
                format!("the worker was ended by {signal}")
            }
            (None, status) => format!("the worker ended strangely: {status:?}"),
            (Some(Silence::Late), _) => {
                format!("the worker gave no answer in {} s", limit.as_secs())
            }
            (Some(Silence::Signal(name)), _) => format!("the plugin was ended by {name}"),
            (Some(Silence::Broken(errno)), _) => format!("the worker cannot be heard: {errno}"),
        };
        let text = format!("Unhandled error {why}; release by uid and cleanup remove what is left");
        log::error(&text);
        (failure(&text), 1)
    }

    /// Reads the answer and its status; no status where the pipe ends before it.
    fn collect(&self, answer: &mut Vec<u8>, deadline: Deadline) -> Result<Option<u8>, Silence> {
        let mut pipe = PipeReader(&self.pipe);
        loop {
            let left = deadline.left().ok_or(Silence::Late)?.max(Duration::from_millis(1));
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut fds = [
                PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(Silence::Broken(errno)),
            }
            if fds[1].any() == Some(true) {
                let info = self.signals.read_signal().ok().flatten();
                let signal = info.and_then(|i| Signal::try_from(i.ssi_signo as i32).ok());
                return Err(Silence::Signal(signal.map_or("a signal".into(), |s| s.to_string())));
            }
            let mut piece = [0; 4096];
            match pipe.read(&mut piece) {
                Ok(0) => return Ok(None),
                Ok(length) if answer.len() + length <= MAX => {
                    answer.extend_from_slice(&piece[..length]);
                    if let Some(status) = answer.pop_if(|last| *last <= 1) {
                        return Ok(Some(status));
                    }
                }
                Ok(_) => return Err(Silence::Broken(Errno::EMSGSIZE)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Silence::Broken(Errno::from_raw(
                        error.raw_os_error().unwrap_or(0),
                    )));
                }
            }
        }
    }
}

/// Reads from a descriptor that is borrowed.
struct PipeReader<'a>(&'a OwnedFd);

impl Read for PipeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(unistd::read(self.0, buffer)?)
    }
}
