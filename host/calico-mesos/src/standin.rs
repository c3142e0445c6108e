//! Answering a request, whatever becomes of this process. Before it begins it forks a stand-in, which
//! does nothing but hold stdout and one end of a pipe. If the process ends without having said that it
//! will answer (it was killed, ran out of memory or stack, aborted), or hangs, the stand-in
//! answers in its place. net-modules waits for the process and then reads stdout to its end (facts 1.8), and
//! that end comes only when the stand-in, too, has let go of it; an empty stdout would be
//! reported as a JSON error that explains nothing.
//!
//! The process that the caller started is the one that works: killing it has stopped the request. And it
//! is the stand-in, idle, that pays for being a fork.

use std::{
    io::Write,
    os::fd::{AsFd, OwnedFd},
    process::ExitCode,
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{SigSet, Signal, kill},
    unistd::{self, ForkResult, Pid, fork, pipe2},
};

use crate::{deadline::Deadline, log, plugin, protocol::response::failure, random, settings};

/// Answers the request on stdin.
pub fn serve() -> ExitCode {
    // A log beyond its limit of size is written no more, and no reason to end.
    let mut too_large = SigSet::empty();
    too_large.add(Signal::SIGXFSZ);
    let _ = too_large.thread_block();
    let stand_in = StandIn::start();
    random::begin();
    log::open();
    if let Err(errno) = &stand_in {
        // Without a second process the request is still worth trying.
        log::warn(&format!("working without a stand-in: {errno}"));
    }
    let outcome = plugin::answer();
    let answer = outcome.response.to_json();
    // First, so that there are never two answers.
    if let Ok(stand_in) = &stand_in {
        stand_in.dismiss();
    }
    if say(&answer) {
        return ExitCode::from(outcome.response.exit_status());
    }
    outcome.take_back();
    ExitCode::FAILURE
}

/// Writes an answer to stdout.
fn say(answer: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(answer.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(error) => {
            log::error(&format!("nobody takes the answer: {error}"));
            false
        }
    }
}

/// The second process, as the first one knows it. If this goes without [`StandIn::dismiss`], the
/// stand-in answers.
struct StandIn {
    pipe: OwnedFd,
}

/// What became of the process that works.
enum Fate {
    /// It answers itself.
    Answers,
    Ended,
    Hangs,
}

impl StandIn {
    fn start() -> Result<Self, Errno> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let worker = unistd::getpid();
        // SAFETY: the process has one thread, so nothing (no lock, no allocator state) is left half
        // done in the copy, and the child may do whatever the parent may.
        #[expect(unsafe_code, reason = "fork has no safe form; see SAFETY")]
        match unsafe { fork() }? {
            ForkResult::Parent { .. } => Ok(Self { pipe: writer }),
            ForkResult::Child => {
                drop(writer);
                stand_in(worker, &reader)
            }
        }
    }

    /// Says that this process will answer. The pipe stays open until it has.
    fn dismiss(&self) {
        // If the other one is gone already, it will not answer either.
        let _ = unistd::write(&self.pipe, &[0]);
    }
}

/// The stand-in's life.
fn stand_in(worker: Pid, pipe: &OwnedFd) -> ! {
    // What ends the other process, or its whole group, leaves this one to say so.
    let _ = SigSet::all().thread_block();
    let _ = unistd::setsid();
    // The request is not for this process: were its reader gone, its writer should learn so.
    let _ = unistd::close(0);
    let limits = settings::limits_or_default();
    let limit = limits.total + settings::ROLLBACK + settings::GRACE;
    let why = match watch(pipe, Deadline::after(limit)) {
        Fate::Answers => {
            // Whoever reads stdout need not wait until this process has been taken down.
            let _ = unistd::close(1);
            std::process::exit(0)
        }
        Fate::Ended => "calico_mesos was killed before it could answer".to_owned(),
        Fate::Hangs => {
            // Its number is its own as long as it is the parent.
            if unistd::getppid() == worker {
                let _ = kill(worker, Signal::SIGKILL);
            }
            format!("calico_mesos gave no answer in {} s", limit.as_secs())
        }
    };
    let text = format!("Unhandled error {why}; release by uid and cleanup remove what is left");
    // First: a log that misbehaves is what may have ended the other one.
    say(&failure(&text));
    let _ = unistd::close(1);
    log::open();
    log::error(&text);
    std::process::exit(1)
}

/// Waits for what becomes of the other process.
fn watch(pipe: &OwnedFd, deadline: Deadline) -> Fate {
    loop {
        let Some(left) = deadline.left() else { return Fate::Hangs };
        // Rounded up, so that the last round is not spent on asking again and again.
        let millis = left.as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        // Only the end of the pipe wakes this process, not the word that comes before it: the other one still
        // has to answer, and may have no second processor to do so.
        match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::empty())], timeout) {
            Ok(0) | Err(Errno::EINTR) => continue,
            _ => {}
        }
        match unistd::read(pipe, &mut [0]) {
            Ok(1..) => return Fate::Answers,
            Err(Errno::EINTR) => {}
            Ok(0) | Err(_) => return Fate::Ended,
        }
    }
}
