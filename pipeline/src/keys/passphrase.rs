//! The passphrase of the key: where it comes from. Nothing that is run can get it from there.

use std::{
    io::{self, BufRead, BufReader, IsTerminal, Read},
    path::Path,
};

use el7rpm::Error;
use zeroize::Zeroizing;

use base::process;

/// Where the passphrase comes from. It is not asked for before a key wants it.
pub enum Passphrase {
    /// A variable, by its name.
    Variable(String),
    /// A descriptor, by its number, and what it leads to.
    Descriptor(u32, io::Result<fs_err::File>),
    /// The user.
    Terminal,
}

impl Passphrase {
    /// In a variable, which no program gets that is run from now on. To be called before any is.
    pub fn in_variable(name: String) -> Self {
        process::hide(name.clone());
        Self::Variable(name)
    }

    /// Behind an open descriptor, which no program gets that is run from now on. To be called before any is.
    pub fn behind(number: u32) -> Self {
        // Rust's own descriptors close when a program is started; the one that was inherited does not.
        let own = fs_err::File::open(format!("/dev/fd/{number}"));
        match i32::try_from(number) {
            Ok(0) => drop(read_nothing()),
            // Output, which has its uses after the passphrase.
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
                    // One line: the other end need not close.
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

/// Standard input has to stay open, or another file would take its number.
fn read_nothing() -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(fs_err::File::open("/dev/null")?.file())?)
}
