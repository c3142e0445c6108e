//! The errors of this crate. Every message says what was being done, and to what. If a user can do something
//! about an error, [`Error::help`] says what.

use std::{fmt, io, path::PathBuf};

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error. The variant says in which part of the work it happened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A package description is malformed or contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A file could not be read or written. The message names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The files of a package could not be staged, or cannot be put into an RPM.
    #[error("package {package}: {message}")]
    Stage {
        /// Name of the RPM.
        package: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// A file that a package is made from is missing, or may not be packaged.
    #[error("package {package}: {message}")]
    Source {
        /// Name of the RPM.
        package: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// A file is not an RPM, or is damaged, or is not of the kind that is needed.
    #[error("{path}: {message}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A package cannot be laid down in a folder.
    #[error("{message}")]
    Unpack {
        /// Its name, version and architecture.
        package: String,
        /// What is wrong.
        message: String,
    },
    /// The metadata of an existing repository cannot be read.
    #[error("{message}")]
    Metadata {
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// A key cannot be used.
    #[error("{message}")]
    Key {
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// A signature could not be made.
    #[error("signing failed: {0}")]
    Sign(String),
}

impl Error {
    /// What the user can do about it, if this is known.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Spec(e) => e.help.as_deref(),
            Self::Stage { help, .. } | Self::Source { help, .. } | Self::Key { help, .. } => {
                help.as_deref()
            }
            Self::Metadata { help, .. } => Some(help),
            _ => None,
        }
    }

    pub(crate) fn stage(package: &str, message: impl Into<String>) -> Self {
        Self::Stage { package: package.into(), message: message.into(), help: None }
    }

    pub(crate) fn stage_help(
        package: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Stage { package: package.into(), message: message.into(), help: Some(help.into()) }
    }

    pub(crate) fn source(
        package: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Source { package: package.into(), message: message.into(), help: Some(help.into()) }
    }

    pub(crate) fn format(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self::Format { path: path.into(), message: message.into() }
    }

    pub(crate) fn unpack(package: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Unpack { package: package.into(), message: message.into() }
    }

    pub(crate) fn key(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Key { message: message.into(), help: Some(help.into()) }
    }
}

/// A fault in a package description, with its position in the file if that is known.
#[derive(Debug)]
pub struct SpecError {
    /// The file.
    pub path: PathBuf,
    /// Line and column, both from 1.
    pub place: Option<(usize, usize)>,
    /// The line itself.
    pub line: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it, e.g. the key that was probably meant.
    pub help: Option<String>,
}

impl SpecError {
    pub(crate) fn new(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { path: path.into(), place: None, line: None, message: message.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)?;
        if let (Some((line, column)), Some(text)) = (self.place, &self.line) {
            let gutter = line.to_string().len();
            write!(f, "\n{line} | {text}\n{:gutter$} | {:>column$}", "", "^")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}
