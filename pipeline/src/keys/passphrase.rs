//! Reads the passphrase of the key. Programs that are run cannot read it.

use std::{
    io::{self, BufRead, BufReader, IsTerminal, Read},
    path::Path,
};

use el7rpm::Error;
use zeroize::Zeroizing;

use base::process;

/// Where the passphrase comes from. It is read only if the key needs one.
pub enum Passphrase {
    /// A variable of this name.
    Variable(String),
    /// An inherited file descriptor: its number, and the file behind it.
    Descriptor(u32, io::Result<fs_err::File>),
    /// The user types it.
    Terminal,
}

impl Passphrase {
    /// In a variable. Programs that are run from now on do not get the variable, so call this before any program is
    /// run.
    pub fn in_variable(name: String) -> Self {
        process::hide(name.clone());
        Self::Variable(name)
    }

    /// Behind an open file descriptor. Programs that are run from now on do not get the descriptor, so call this
    /// before any program is run.
    pub fn behind(number: u32) -> Self {
        // Descriptors that Rust opens are closed when a program starts; the inherited one is not, so it is closed
        // here.
        let own = fs_err::File::open(format!("/dev/fd/{number}"));
        match i32::try_from(number) {
            Ok(0) => drop(read_nothing()),
            // Standard output and error are still needed.
            Ok(1 | 2) | Err(_) => {}
            Ok(inherited) => drop(nix::unistd::close(inherited)),
        }
        Self::Descriptor(number, own)
    }

    /// The passphrase of the key `key`.
    pub(super) fn get(&self, key: &Path) -> el7rpm::Result<Zeroizing<String>> {
        match self {
            Self::Variable(name) => match std::env::var(name) {
                Ok(value) => Ok(Zeroizing::new(value)),
                Err(_) => Err(missing(format!("the variable {name} holds no passphrase"))),
            },
            Self::Descriptor(number, file) => {
                let mut text = Zeroizing::new(String::new());
                let read = match file {
                    // Only one line is read, so the other end may stay open.
                    Ok(file) => BufReader::new(file.take(4096)).read_line(&mut text),
                    Err(e) => Err(io::Error::new(e.kind(), e.to_string())),
                };
                read.map_err(|e| {
                    let from = format!("file descriptor {number}");
                    missing(format!("no passphrase can be read from {from}: {e}"))
                })?;
                Ok(Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned()))
            }
            Self::Terminal => ask(key),
        }
    }
}

fn ask(key: &Path) -> el7rpm::Result<Zeroizing<String>> {
    let key = key.display();
    if !io::stdin().is_terminal() {
        return Err(missing(format!(
            "the key {key} has a passphrase, and there is no terminal to ask for it"
        )));
    }
    let answer = rpassword::prompt_password(format!("Passphrase of {key}: "));
    Ok(Zeroizing::new(answer.map_err(|e| missing(e.to_string()))?))
}

fn missing(message: String) -> Error {
    let help = "give it by --passphrase-fd N or --passphrase-env NAME, or run on a terminal";
    Error::Key { message, help: Some(help.into()) }
}

/// Replaces standard input by /dev/null: if it were closed, the next file would get its number.
fn read_nothing() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(fs_err::File::open("/dev/null")?.file())?)
}
