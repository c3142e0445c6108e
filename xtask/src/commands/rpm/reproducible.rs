//! `rpm --check-reproducible`: builds everything a second time, in a copy of the checkout and under circumstances
//! that are as different as possible, and compares the bytes.

use std::{
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use el7rpm::read::Rpm;

use super::{elsewhere::Elsewhere, session::Session};
use base::{
    disk::remove_folder,
    failure::{Class, Classify, Failure, Result},
    interrupt::Cleanup,
    process::Program,
    workspace::Workspace,
};
use builders::container;
use pipeline::keys;

/// Builds the packages of the session again and compares with `first`, the unsigned RPMs of the first build.
///
/// Returns the list of circumstances that were different.
pub(super) fn check(
    session: &Session<'_>,
    first: &[PathBuf],
    elsewhere: &Elsewhere,
) -> Result<String> {
    let Session { args, workspace, toolchain, .. } = *session;
    let dir = workspace.state.join("again");
    // Remains of the second build of a killed run.
    let copy = Workspace { root: dir.join("elsewhere"), state: dir.join("elsewhere/target/xtask") };
    container::sweep(&copy);
    remove_folder(&dir)?;
    copy_checkout(workspace, &copy)?;
    let mut command = elsewhere.command(&copy, args)?;
    toolchain.choose(&mut command);
    build(workspace, &copy, &dir, command)?;
    let mut differences = Vec::new();
    for rpm in first {
        let name = rpm.file_name().unwrap_or_default();
        let again = find(&copy.cache().join("package"), name)?;
        differences.extend(compare(rpm, &again)?);
    }
    if differences.is_empty() {
        remove_folder(&dir)?;
        return Ok(elsewhere.varied());
    }
    let mut failure = Failure::new(Class::Verify, "a second build gave other bytes").help(format!(
        "compare with {}; varied were: {}",
        copy.root.display(),
        elsewhere.varied()
    ));
    failure.last_lines = differences;
    Err(failure)
}

/// Copies the checkout. The files are created in reverse order, are readable for their owner alone, and have another
/// time.
fn copy_checkout(from: &Workspace, to: &Workspace) -> Result<()> {
    let skip = |e: &walkdir::DirEntry| {
        e.depth() == 1 && ["target", "dist", ".git"].iter().any(|n| e.file_name() == *n)
    };
    let backwards = |a: &walkdir::DirEntry, b: &walkdir::DirEntry| b.file_name().cmp(a.file_name());
    let entries =
        walkdir::WalkDir::new(&from.root).sort_by(backwards).into_iter().filter_entry(|e| !skip(e));
    for entry in entries {
        let entry = entry.map_err(std::io::Error::from).class(Class::Source)?;
        let path = to.root.join(entry.path().strip_prefix(&from.root).unwrap_or(entry.path()));
        let kind = entry.file_type();
        if kind.is_dir() {
            let mut private = std::fs::DirBuilder::new();
            private.mode(0o700).recursive(true).create(&path).class(Class::Output)?;
        } else if kind.is_symlink() {
            let target = fs_err::read_link(entry.path()).class(Class::Source)?;
            fs_err::os::unix::fs::symlink(target, path).class(Class::Output)?;
        } else if kind.is_file() {
            copy_file(entry.path(), &path)?;
        }
    }
    share_tools_and_key(&from.state, &to.state)
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let mut source = fs_err::File::open(from).class(Class::Source)?;
    let executable = source.metadata().class(Class::Source)?.permissions().mode() & 0o100;
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    options.options_mut().mode(0o600 | executable);
    let mut copy = options.open(to).class(Class::Output)?;
    std::io::copy(&mut source, &mut copy).class(Class::Output)?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    copy.file().set_modified(time).class(Class::Output)
}

/// Gives the copy the same tools and the same development key.
fn share_tools_and_key(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to.join("keys")).class(Class::Output)?;
    if from.join("tools").is_dir() {
        fs_err::os::unix::fs::symlink(from.join("tools"), to.join("tools")).class(Class::Output)?;
    }
    let key = |state: &Path| {
        keys::development_path(&Workspace { root: state.into(), state: state.into() })
    };
    match key(from).is_file() {
        true => copy_file(&key(from), &key(to)),
        false => Ok(()),
    }
}

fn build(first: &Workspace, copy: &Workspace, dir: &Path, mut command: Program) -> Result<()> {
    let dir = dir.to_owned();
    let _cleanup = Cleanup::register(move || drop(fs_err::remove_dir_all(&dir)));
    // On a signal it removes its own containers.
    let output = command.ends_itself().output().class(Class::Tool)?;
    if output.status.success() {
        return Ok(());
    }
    let mut failure =
        Failure::new(Class::Verify, "the second build failed where the first did not")
            .help(format!("look into {}", copy.logs().display()));
    let said = String::from_utf8_lossy(&output.stderr)
        .replace(&*copy.root.to_string_lossy(), &first.root.to_string_lossy());
    failure.last_lines = said.lines().map(str::to_owned).collect();
    Err(failure)
}

/// The package of this name among the results of the second build.
fn find(cache: &Path, name: &std::ffi::OsStr) -> Result<PathBuf> {
    for entry in fs_err::read_dir(cache).class(Class::Verify)? {
        let path = entry.class(Class::Verify)?.path().join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(Failure::new(
        Class::Verify,
        format!("the second build did not make {}", name.to_string_lossy()),
    ))
}

/// The differences between two packages, one per line.
fn compare(first: &Path, again: &Path) -> Result<Vec<String>> {
    if fs_err::read(first).class(Class::Verify)? == fs_err::read(again).class(Class::Verify)? {
        return Ok(Vec::new());
    }
    let (a, b) = (Rpm::open(first)?, Rpm::open(again)?);
    let name = a.nevra();
    let tags = a.tags_that_differ(&b).into_iter();
    let mut lines: Vec<_> = tags.map(|tag| format!("{name}: header tag {tag} differs")).collect();
    let digests = a.file_digests().into_iter().zip(b.file_digests());
    for (path, (first, again)) in a.paths().iter().zip(digests) {
        if first != again {
            let file = path.rsplit('/').next().unwrap_or(path);
            lines.push(format!("{name}: the file {file} differs"));
        }
    }
    if lines.is_empty() {
        lines.push(format!("{name}: the payload differs"));
    }
    Ok(lines)
}
