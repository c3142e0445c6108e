//! What is wrong with a file that the target would not run or load.

use std::fmt;

use crate::deps::{Needed, basename};

/// A file that the target would not run or load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path in the package.
    pub file: String,
    /// What is wrong with it.
    pub fault: AbiFault,
}

/// What is wrong with an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbiFault {
    /// It begins as an ELF file does, but its dynamic section cannot be read.
    Unreadable,
    /// It is for another machine than x86_64.
    Machine,
    /// It is machine code in a noarch package.
    Noarch,
    /// Its dynamic linker is not CentOS 7's.
    Interpreter(String),
    /// It needs a library that neither the target nor the release has.
    Library(String),
    /// It needs a library by the name of a link, and the library behind that calls itself otherwise.
    OnlyLink(String),
    /// It needs a library by its SONAME, which no file and no link is called, in a folder where ldconfig makes no link.
    OnlySoname {
        /// The SONAME.
        library: String,
        /// Path of the library.
        path: String,
    },
    /// It needs a version of a library's symbols that the target does not have.
    Version {
        /// The library and the version.
        needed: Needed,
        /// The symbols that need this version, as far as they could be read.
        symbols: Vec<String>,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        match &self.fault {
            AbiFault::Unreadable => {
                write!(f, "{file} begins as an ELF file, but its dynamic section cannot be read")
            }
            AbiFault::Machine => write!(f, "{file} is not for x86_64"),
            AbiFault::Noarch => write!(f, "{file} is machine code in a noarch package"),
            AbiFault::Interpreter(path) => {
                write!(f, "{file} needs the dynamic linker {path}, which CentOS 7 does not have")
            }
            AbiFault::Library(library) => {
                write!(f, "{file} needs {library}, which neither the target nor this release has")
            }
            AbiFault::OnlyLink(library) => write!(
                f,
                "{file} needs {library}, which only a link of this release is called: the library behind it calls \
                 itself otherwise, so that no package provides {library}()(64bit), which this one would require; \
                 give the library this SONAME, or let its package say `provides = {{ \"{library}()(64bit)\" = \"*\" }}`"
            ),
            AbiFault::OnlySoname { library, path } => write!(
                f,
                "{file} needs {library}, which no file and no link of this release is called: {path} calls itself so, but \
                 ldconfig makes no link in that folder; ship it: {{ dest = \"{}/{library}\", link = \"{}\" }}",
                path.rsplit_once('/').map_or("", |(folder, _)| folder),
                basename(path)
            ),
            AbiFault::Version { needed: Needed { library, version }, symbols } => {
                write!(
                    f,
                    "{file} needs version {version} of {library}, which the target does not have"
                )?;
                match symbols.as_slice() {
                    [] => Ok(()),
                    [a, b, c, rest @ ..] if !rest.is_empty() => {
                        write!(f, " (for {a}, {b}, {c} and {} more)", rest.len())
                    }
                    few => write!(f, " (for {})", few.join(", ")),
                }
            }
        }
    }
}
