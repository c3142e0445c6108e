//! Other programs that are asked: none is waited for without an end, and none fills the memory.

use std::{
    io::Read,
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::deadline::Deadline;

/// No answer is longer: an environment has up to 2 MiB.
const MAX: u64 = 1 << 22;

/// Where systemd looks for programs.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program said.
pub struct Answer {
    /// Whether it ended with 0.
    pub success: bool,
    /// Its stdout.
    pub stdout: Vec<u8>,
    /// Its stderr.
    pub stderr: String,
}

impl Answer {
    /// Its stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// Runs a program with no environment but [`PATH`] and `variables`. The error is a text, and none where the program
/// is not there.
pub fn ask(
    program: &str,
    arguments: &[&str],
    variables: &[(String, String)],
    limit: Duration,
) -> Result<Answer, Option<String>> {
    let failed = |text: &str| Some(format!("{program}: {text}"));
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).current_dir("/");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => None,
        _ => failed(&error.to_string()),
    })?;
    let deadline = Deadline::after(limit);
    let outputs = [child.stdout.take().map(reader), child.stderr.take().map(reader)];
    let answers = outputs.map(|output| output?.recv_timeout(deadline.left()?).ok());
    let [Some(stdout), Some(stderr)] = answers else {
        // Not waited for yet, so the number is its own.
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        let _ = child.wait();
        return Err(failed(&format!("no answer in {} s", limit.as_secs())));
    };
    let status = child.wait().map_err(|error| failed(&error.to_string()))?;
    let stderr = String::from_utf8_lossy(&stderr).trim().to_owned();
    Ok(Answer { success: status.success(), stdout, stderr })
}

/// Reads on a thread; gives what was read at the end.
fn reader(pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    let read = move || {
        let mut text = Vec::new();
        let _ = pipe.take(MAX).read_to_end(&mut text);
        // Nobody may be listening any more.
        let _ = sender.send(text);
    };
    // Without a thread the sender is gone, and the receiver says so.
    let _ = std::thread::Builder::new().spawn(read);
    receiver
}
