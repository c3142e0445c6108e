//! Runs programs. [`Program`] is the only way to run one. [`Process`] runs one for a step: it writes every line to a log
//! file and to the reporter, and its failure shows the important lines.

pub mod alone;
mod family;
mod left;
mod lines;
mod program;
mod quiet;
mod running;
mod spent;

use std::{
    io::{BufReader, Write},
    path::PathBuf,
    process::ExitStatus,
    time::Duration,
};

pub use left::{end_left_programs, record_programs_in};
pub use lines::{Lines, is_error};
pub use program::{OutputReader, Program, hide, on_path};
pub use quiet::{rough, set_silence};
pub use running::end_all;
pub use spent::Allowance;

use crate::{
    events::{Event, Reporter},
    failure::{Class, Classify, Failure, Result},
    workspace::Workspace,
};
use lines::{plain, read_line};
use quiet::Quiet;

/// A program that a step runs.
pub struct Process<'a> {
    /// The program with its arguments.
    pub program: Program,
    /// The checkout, which has the folder of logs.
    pub workspace: &'a Workspace,
    /// Name of its log.
    pub log: String,
    /// Class of the failure if the program fails.
    pub class: Class,
    /// Name of the step.
    pub step: &'a str,
    /// Gets every line.
    pub reporter: &'a dyn Reporter,
    /// More about the program, for the event [`Event::Silent`].
    pub probe: Option<&'a (dyn Fn() -> String + Sync)>,
}

/// How a program ended.
pub struct ProgramEnd {
    /// Its exit code, or the signal that ended it.
    pub status: ExitStatus,
    /// The lines of its output for an error message.
    pub lines: Lines,
}

/// Whether a program continues after a line of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It continues.
    Continue,
    /// It is ended.
    End,
}

impl Process<'_> {
    /// Runs it to its end.
    pub fn run(&self) -> Result<()> {
        let mut log = self.open_log(fs_err::OpenOptions::new().write(true).truncate(true))?;
        let (ended, _) = self.stream(&mut log, None, |_| Decision::Continue)?;
        match ended.status.success() {
            true => Ok(()),
            false => Err(self.failure(&ended.status.to_string(), ended.lines)),
        }
    }

    /// As [`Process::run`], but it may take no more processor time than this; the failure says so then.
    pub fn run_within(&self, allowance: &Allowance<'_>) -> Result<()> {
        let mut log = self.open_log(fs_err::OpenOptions::new().write(true).truncate(true))?;
        let (ended, exceeded) = self.stream(&mut log, Some(allowance), |_| Decision::Continue)?;
        if !ended.status.success() {
            let mut failure = self.failure(&ended.status.to_string(), ended.lines);
            if exceeded {
                let text = "fatal: it takes far more processor time than its size is worth";
                failure.last_lines.insert(0, text.to_owned());
            }
            return Err(failure);
        }
        Ok(())
    }

    /// As [`Process::run`], but appends to the log. `judge` is called with each line, and may end the program. The caller decides
    /// whether the program has failed.
    pub fn watch(&self, judge: impl FnMut(&str) -> Decision) -> Result<ProgramEnd> {
        let mut log = self.open_log(fs_err::OpenOptions::new().append(true))?;
        Ok(self.stream(&mut log, None, judge)?.0)
    }

    /// How it ended, and whether it took more processor time than it may.
    fn stream(
        &self,
        log: &mut fs_err::File,
        allowance: Option<&Allowance<'_>>,
        judge: impl FnMut(&str) -> Decision,
    ) -> Result<(ProgramEnd, bool)> {
        let reader = self.program.all_output().map_err(|e| {
            let status = format!("could not be started: {e}");
            let _ = writeln!(log, "{status}");
            self.failure(&status, Lines::default())
        })?;
        let quiet = Quiet::default();
        let (lines, exceeded) = std::thread::scope(|scope| {
            scope.spawn(|| quiet.watch(quiet::first(), &|silence| self.report_silence(silence)));
            let read = || self.read(&reader, log, &quiet, judge);
            let (lines, exceeded) = match allowance {
                Some(allowance) => allowance.hold(&reader, read),
                None => (read(), false),
            };
            quiet.end();
            lines.map(|lines| (lines, exceeded))
        })?;
        match reader.status().class(self.class)? {
            Some(status) => Ok((ProgramEnd { status, lines }, exceeded)),
            None => Err(self.failure("its end could not be seen", lines)),
        }
    }

    fn read(
        &self,
        reader: &OutputReader,
        log: &mut fs_err::File,
        quiet: &Quiet,
        mut judge: impl FnMut(&str) -> Decision,
    ) -> Result<Lines> {
        let mut lines = Lines::default();
        let mut input = BufReader::new(reader);
        let mut buffer = Vec::new();
        while read_line(&mut input, &mut buffer).class(self.class)? > 0 {
            quiet.line();
            log.write_all(&buffer).class(Class::Output)?;
            let text = plain(&buffer);
            self.reporter.event(&Event::StepOutput { step: self.step, line: &text });
            if judge(&text) == Decision::End {
                reader.end();
            }
            lines.push(text);
            buffer.clear();
        }
        Ok(lines)
    }

    fn report_silence(&self, silence: Duration) {
        let detail = self.probe.map(|probe| probe());
        report_silence(self.reporter, self.step, self.name(), silence, detail.as_deref());
    }

    fn open_log(&self, options: &mut fs_err::OpenOptions) -> Result<fs_err::File> {
        fs_err::create_dir_all(self.workspace.logs()).class(Class::Output)?;
        let mut log = options.create(true).open(self.log_file()).class(Class::Output)?;
        writeln!(log, "$ {}", self.program.shown()).class(Class::Output)?;
        Ok(log)
    }

    /// Its log file.
    pub fn log_file(&self) -> PathBuf {
        self.workspace.logs().join(&self.log)
    }

    fn name(&self) -> &str {
        let name = self.program.path().file_name().unwrap_or_default();
        name.to_str().unwrap_or("the program")
    }

    /// The failure for a program that has ended with this status.
    pub fn failure(&self, status: &str, lines: Lines) -> Failure {
        let mut failure = Failure::new(self.class, format!("{} failed", self.name()));
        failure.command = Some(self.program.shown());
        failure.status = Some(status.to_owned());
        failure.last_lines = lines.for_message();
        failure.log = Some(self.log_file());
        failure
    }
}

/// Reports that a program has printed nothing for some time.
pub fn report_silence(
    reporter: &dyn Reporter,
    step: &str,
    program: &str,
    time: Duration,
    detail: Option<&str>,
) {
    reporter.event(&Event::Silent { step, program, time, detail });
}
