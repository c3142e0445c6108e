//! Why a command failed, with everything that helps a user: class, package, step, command, how
//! the command ended, its last lines, the whole log, and what to do next.

use std::{
    fmt::{self, Write},
    ops::{Deref, DerefMut},
    path::PathBuf,
};

/// A result with a [`Failure`].
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Classes of failure; each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The command line or the environment is wrong.
    Usage,
    /// A package description is wrong.
    Spec,
    /// Something that a package is made from is missing or unreadable.
    Source,
    /// A tool or a builder image is missing, and cannot be made.
    Tool,
    /// Compiling failed.
    Compile,
    /// The files cannot be made into an RPM for CentOS 7.
    Package,
    /// The key is unusable, or signing failed.
    Key,
    /// A check of the result failed.
    Verify,
    /// The result cannot be written.
    Output,
    /// With `--release`, a package would have to be held back.
    HeldBack,
}

/// Shown by `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  done (packages may have been held back; the table says so)
   2  usage
   3  a package.toml is wrong
   4  a source or input is missing or unreadable
   5  a tool is missing, or a builder image cannot be made
   6  compiling failed
   7  packaging failed
   8  key or signing
   9  verification failed
  10  the output cannot be written
      (3 to 10 after a table: the rest is published, the code is that of the first failed step)
  11  a package would have to be held back with --release, or all of them
 130  stopped by Ctrl-C (143 by SIGTERM, 129 by SIGHUP)";

impl Class {
    /// The exit code of the command.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Spec => 3,
            Self::Source => 4,
            Self::Tool => 5,
            Self::Compile => 6,
            Self::Package => 7,
            Self::Key => 8,
            Self::Verify => 9,
            Self::Output => 10,
            Self::HeldBack => 11,
        }
    }
}

/// A failure, with everything that is known about it. Its content is boxed, because every result has room for it.
#[derive(Clone, Debug)]
pub struct Failure(Box<Details>);

/// The content of a [`Failure`].
#[derive(Clone, Debug)]
pub struct Details {
    /// Its class, which has the exit code.
    pub class: Class,
    /// What happened, in a sentence without a full stop.
    pub message: String,
    /// The package that cannot be made.
    pub package: Option<String>,
    /// The step of the plan.
    pub step: Option<String>,
    /// The program with its arguments, as one would type it.
    pub command: Option<String>,
    /// How the program ended.
    pub status: Option<String>,
    /// The important lines of the output.
    pub last_lines: Vec<String>,
    /// The file with the whole output.
    pub log: Option<PathBuf>,
    /// What to do next.
    pub help: Option<String>,
}

impl Failure {
    /// A failure with a class and a message.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            class,
            message: message.into(),
            package: None,
            step: None,
            command: None,
            status: None,
            last_lines: Vec::new(),
            log: None,
            help: None,
        }))
    }

    /// Adds what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds step and package, if none have been added before.
    pub fn in_step(mut self, step: &str, package: Option<&str>) -> Self {
        self.step.get_or_insert_with(|| step.to_owned());
        if let Some(package) = package {
            self.package.get_or_insert_with(|| package.to_owned());
        }
        self
    }
}

impl Deref for Failure {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        let fields = [
            ("package", &self.package),
            ("step", &self.step),
            ("command", &self.command),
            ("ended", &self.status),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                write!(f, "\n  {name}: {value}")?;
            }
        }
        if !self.last_lines.is_empty() {
            f.write_str("\n  last lines:")?;
            for line in &self.last_lines {
                f.write_str("\n    ")?;
                f.write_str(line)?;
            }
        }
        if let Some(log) = &self.log {
            write!(f, "\n  log: {}", log.display())?;
        }
        if let Some(help) = &self.help {
            f.write_char('\n')?;
            write!(f, "  help: {help}")?;
        }
        Ok(())
    }
}

/// Why a step has no result.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It cannot be done on this machine. Packages that need it are held back for this reason.
    Unavailable(Failure),
    /// It failed.
    Failed(Failure),
}

impl Trouble {
    /// Adds step and package, if none have been added before.
    pub fn in_step(self, step: &str, package: Option<&str>) -> Self {
        match self {
            Self::Unavailable(failure) => Self::Unavailable(failure.in_step(step, package)),
            Self::Failed(failure) => Self::Failed(failure.in_step(step, package)),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

// The class of an error of the library, if the caller does not give one.
impl From<el7rpm::Error> for Failure {
    fn from(error: el7rpm::Error) -> Self {
        use el7rpm::Error as E;
        let help = error.help().filter(|h| !h.is_empty()).map(str::to_owned);
        let class = match &error {
            E::Spec(_) => Class::Spec,
            E::Io(_) | E::Source { .. } => Class::Source,
            E::Key { .. } | E::Sign(_) => Class::Key,
            E::Format { .. } | E::Unpack { .. } => Class::Verify,
            _ => Class::Package,
        };
        let mut failure = match error {
            E::Stage { package, message, .. }
            | E::Source { package, message, .. }
            | E::Unpack { package, message } => {
                let mut failure = Self::new(class, message);
                failure.package = Some(package);
                failure
            }
            other => Self::new(class, other.to_string()),
        };
        failure.help = help;
        failure
    }
}

/// Gives errors a class. For an I/O error, only the caller knows what was being done.
pub trait Classify<T> {
    /// Turns an error into a failure of this class.
    fn class(self, class: Class) -> Result<T>;
}

impl<T> Classify<T> for std::io::Result<T> {
    fn class(self, class: Class) -> Result<T> {
        self.map_err(|e| io_failure(&e, class))
    }
}

fn io_failure(e: &std::io::Error, class: Class) -> Failure {
    let failure = Failure::new(class, e.to_string());
    match e.kind() {
        std::io::ErrorKind::PermissionDenied => {
            failure.help("check who owns the folder, or choose another one")
        }
        std::io::ErrorKind::StorageFull => {
            failure.help("free some space; `cargo xtask clean` removes old results")
        }
        _ => failure,
    }
}

impl<T> Classify<T> for el7rpm::Result<T> {
    fn class(self, class: Class) -> Result<T> {
        self.map_err(|e| match e {
            el7rpm::Error::Io(e) => io_failure(&e, class),
            other => other.into(),
        })
    }
}
