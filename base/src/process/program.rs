//! A program to run. This is the only way to run one.
//!
//! Every program has three properties: it does not see the environment variable with
//! the passphrase; it is in its own process group, so that Ctrl-C in a terminal reaches only this
//! process; and it ends with the run, with all processes that it has started.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the one place")]

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Output},
    sync::OnceLock,
    time::Duration,
};

use super::{
    quiet,
    running::{self, Ending, Running},
};

/// The name of the environment variable with the passphrase, if there is one.
static SECRET: OnceLock<String> = OnceLock::new();

/// Hides a variable from all programs. Call it before the first program is run.
pub fn hide(variable: String) {
    // It is set once, because a run has one passphrase.
    let _ = SECRET.set(variable);
}

/// A program to run. It is built like `std::process::Command`.
#[derive(Clone, Debug)]
pub struct Program {
    program: PathBuf,
    args: Vec<OsString>,
    dir: Option<PathBuf>,
    set: Vec<(OsString, OsString)>,
    removed: Vec<fn(&str) -> bool>,
    ending: Ending,
}

impl Program {
    /// `program` is a path, or a name to look up in PATH.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            dir: None,
            set: Vec::new(),
            removed: Vec::new(),
            ending: Ending::Killed,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl Into<OsString>) -> &mut Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> &mut Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the working directory.
    pub fn current_dir(&mut self, dir: impl Into<PathBuf>) -> &mut Self {
        self.dir = Some(dir.into());
        self
    }

    /// Sets a variable.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.set.push((name.into(), value.into()));
        self
    }

    /// Sets variables.
    pub fn envs<N: Into<OsString>, V: Into<OsString>>(
        &mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        self.set.extend(pairs.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Removes the inherited variables whose names the filter accepts.
    pub fn without(&mut self, filter: fn(&str) -> bool) -> &mut Self {
        self.removed.push(filter);
        self
    }

    /// For programs that clean up after themselves: if the run is stopped, the program gets SIGTERM, and as much time as
    /// it needs.
    pub fn ends_itself(&mut self) -> &mut Self {
        self.ending = Ending::Asked;
        self
    }

    /// For programs that clean up after the run: they may run while the run is being stopped.
    pub fn cleans_up(&mut self) -> &mut Self {
        self.ending = Ending::Left;
        self
    }

    /// Lets `wrapper` run it: a program such as nice, whose arguments end with the command to run.
    pub fn wrapped_by(mut self, wrapper: impl Into<PathBuf>, args: &[&OsStr]) -> Self {
        let program = std::mem::replace(&mut self.program, wrapper.into());
        let own = std::mem::take(&mut self.args);
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self.args.push(program.into());
        self.args.extend(own);
        self
    }

    /// The program.
    pub fn path(&self) -> &Path {
        &self.program
    }

    /// The command as one would type it, shortened.
    pub fn shown(&self) -> String {
        let words = self.args.iter().map(|a| a.to_string_lossy());
        let program = self.program.to_string_lossy();
        std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it without input, waits for its end, and returns its output.
    pub fn output(&self) -> io::Result<Output> {
        let (handle, running) = self.start(self.captured().stdin_null())?;
        let output = handle.wait().cloned();
        running.ended();
        output
    }

    /// As [`Program::output`], but ends it after `patience`, and then returns `None`. `late` is called
    /// from time to time with the time that has passed.
    pub fn output_within(
        &self,
        patience: Duration,
        late: &dyn Fn(Duration),
    ) -> io::Result<Option<Output>> {
        self.end_of(self.start(self.captured().stdin_null())?, patience, late)
    }

    /// Runs it with `input`, and returns its output. `late` is as for [`Program::output_within`].
    pub fn output_reading(
        &self,
        input: io::PipeReader,
        late: &dyn Fn(Duration),
    ) -> io::Result<Output> {
        let started = self.start(self.captured().stdin_file(input))?;
        let output = self.end_of(started, Duration::MAX, late)?;
        output.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    fn end_of(
        &self,
        (handle, running): (duct::Handle, Running),
        patience: Duration,
        late: &dyn Fn(Duration),
    ) -> io::Result<Option<Output>> {
        let (mut waited, mut next) = (Duration::ZERO, quiet::first());
        while waited < patience {
            let more = next.min(patience.saturating_sub(waited));
            if let Some(output) = handle.wait_timeout(more)? {
                running.ended();
                return Ok(Some(output.clone()));
            }
            waited += more;
            next = waited;
            if waited < patience {
                late(waited);
            }
        }
        // The processes that it has started are ended as well.
        drop(running);
        Ok(None)
    }

    /// Runs it with `input`. The second result is that of writing the input.
    pub fn output_with_input(&self, input: &mut dyn Read) -> io::Result<(Output, io::Result<u64>)> {
        let (reader, mut writer) = io::pipe()?;
        let (handle, running) = self.start(self.captured().stdin_file(reader))?;
        let copied = io::copy(input, &mut writer);
        drop(writer);
        let output = handle.wait().cloned();
        running.ended();
        Ok((output?, copied))
    }

    /// Runs it with this process's standard input and output, such as the terminal.
    pub fn on_terminal(&self) -> io::Result<ExitStatus> {
        let start = || self.environment(self.command()).start();
        let (handle, running) = running::start(self.ending, start, |h| h.pids())?;
        let status = handle.wait().map(|output| output.status);
        running.ended();
        status
    }

    /// Starts it with `input`. The result reads its standard output.
    pub fn reader(&self, input: Vec<u8>) -> io::Result<OutputReader> {
        let expression = self.environment(self.command()).stdin_bytes(input).stderr_null();
        self.read(&expression)
    }

    /// Starts it without input. The result reads its standard output and standard error.
    pub(super) fn all_output(&self) -> io::Result<OutputReader> {
        let command = self.command().stdin_null().stderr_to_stdout();
        self.read(&self.environment(command))
    }

    fn read(&self, expression: &duct::Expression) -> io::Result<OutputReader> {
        let expression = expression.before_spawn(own_group);
        let start = || expression.reader();
        let (handle, running) = running::start(self.ending, start, |h| h.pids())?;
        Ok(OutputReader { handle, running })
    }

    fn start(&self, expression: duct::Expression) -> io::Result<(duct::Handle, Running)> {
        let expression = expression.before_spawn(own_group);
        running::start(self.ending, || expression.start(), |handle| handle.pids())
    }

    fn captured(&self) -> duct::Expression {
        self.environment(self.command()).stdout_capture().stderr_capture()
    }

    fn command(&self) -> duct::Expression {
        // duct looks up a string in PATH, and uses a path as it is.
        let command = duct::cmd(self.program.as_os_str(), &self.args).unchecked();
        self.dir.iter().fold(command, |command, dir| command.dir(dir))
    }

    fn environment(&self, mut command: duct::Expression) -> duct::Expression {
        // Expressions are nested, and the outermost is applied first.
        for (name, value) in &self.set {
            command = command.env(name, value);
        }
        for (name, _) in std::env::vars_os() {
            let set = self.set.iter().any(|(other, _)| *other == name);
            let removed = |name: &str| self.removed.iter().any(|filter| filter(name));
            if !set && name.to_str().is_some_and(removed) {
                command = command.env_remove(name);
            }
        }
        SECRET.get().into_iter().fold(command, |command, name| command.env_remove(name))
    }
}

/// The first program of this name in PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file())
}

fn own_group(command: &mut std::process::Command) -> io::Result<()> {
    command.process_group(0);
    Ok(())
}

/// A running program, with its output.
pub struct OutputReader {
    handle: duct::ReaderHandle,
    running: Running,
}

impl OutputReader {
    /// Ends it, with all processes that it has started.
    pub(super) fn end(&self) {
        self.running.end();
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Its exit status. Call it after all output has been read.
    pub fn status(self) -> io::Result<Option<ExitStatus>> {
        let status = self.handle.try_wait()?.map(|output| output.status);
        self.running.ended();
        Ok(status)
    }
}

impl Read for &OutputReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.handle).read(buffer)
    }
}
