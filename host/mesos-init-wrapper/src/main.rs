//! `mesos-init-wrapper` turns files and variables into flags, and becomes a Mesos
//! daemon with them.
//!
//! The way of the data: [`cli`] says what is wanted; [`plan`] reads the
//! configuration, with [`shell`] and [`environment`] for the variables, [`folder`]
//! and [`zk`] for the flags; [`launch`] executes the plan or [`show`] explains it.

mod cli;
mod environment;
mod files;
mod flags;
mod folder;
mod launch;
mod limits;
mod lines;
mod no_effect;
mod plan;
mod report;
mod role;
mod secret;
mod shell;
mod show;
mod values;
mod zk;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cli::{Command, Form};
use environment::Variables;
use report::{Exit, Failure, Problem};
use role::{Layout, Role};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run() -> Result<(), Failure> {
    match cli::parse(std::env::args_os())? {
        Command::Help => print(cli::HELP.as_bytes()),
        Command::Version => {
            print(concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())
        }
        Command::Start { role, root, print } => start(role, root, print),
    }
}

fn start(role: Role, root: PathBuf, form: Option<Form>) -> Result<(), Failure> {
    let layout = Layout::new(root);
    let inherited = Variables::inherited();
    let plan = plan::make(role, &layout, inherited, &mut report::overheard)?;
    for note in &plan.notes {
        note.log();
    }
    match form {
        Some(Form::Text) => return print(show::explain(&plan).as_bytes()),
        Some(Form::Raw) => return print(&launch::raw(&plan)?),
        None => {}
    }
    report::say(&show::summary(&plan));
    match launch::launch(&plan)? {}
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        // Whoever pipes this into head has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let problem = Problem::new(format!("cannot write to stdout: {error}"));
            Err(Failure::new(Exit::System, problem))
        }
        Ok(()) => Ok(()),
    }
}
