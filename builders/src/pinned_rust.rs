//! The Rust that releases are compiled with: which version the checkout names, and whether it is installed.

use el7rpm::input;

use crate::{
    rust::Rust,
    toolchain::{Toolchain, steers_the_build},
};
use base::{
    failure::{Class, Classify, Failure, Result},
    process::{Program, on_path},
    workspace::Workspace,
};

/// The toolchain that releases of this checkout are compiled with.
///
/// # Errors
/// If the checkout names no version, or another version is on PATH.
pub fn of_release(workspace: &Workspace) -> Result<Toolchain> {
    let version = version_in_manifest(workspace)?;
    let help = format!("`rustup toolchain install {version} --profile minimal`");
    let failed = |message: String| {
        Failure::new(Class::Tool, format!("a release is compiled with Rust {version}: {message}"))
    };
    let Some(rustup) = on_path("rustup") else {
        return Err(failed("there is no rustup on PATH to choose it with".into())
            .help(format!("install rustup, then {help}")));
    };
    if !is_installed(&rustup, &version).map_err(failed)? {
        return Err(failed("it is not installed".into()).help(help));
    }
    let own = Toolchain { version: Some(version.clone()) };
    // If rustup did not install the rustc on PATH, RUSTUP_TOOLCHAIN has no effect on it.
    let rustc = Rust::ask(&workspace.root, &own)?.release().to_owned();
    for (name, is) in [("rustc", rustc), ("cargo", cargo(workspace, &own)?)] {
        if is != version {
            let path = on_path(name).unwrap_or_else(|| name.into());
            let message = format!("{}, the first {name} on PATH, is {is}", path.display());
            return Err(failed(message).help("put the folder of rustup's programs first on PATH"));
        }
    }
    Ok(own)
}

/// The version of the cargo on PATH.
fn cargo(workspace: &Workspace, toolchain: &Toolchain) -> Result<String> {
    let mut cargo = Program::new("cargo");
    cargo.arg("-V").current_dir(&workspace.root).without(steers_the_build);
    toolchain.choose(&mut cargo);
    let output = cargo.output().class(Class::Tool)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(said.split_whitespace().nth(1).unwrap_or("none").to_owned())
}

/// The version in the checkout's Cargo.toml.
fn version_in_manifest(workspace: &Workspace) -> Result<String> {
    let manifest = workspace.root.join("Cargo.toml");
    let text = input::read_text(&manifest, input::MAX_TEXT).class(Class::Tool)?;
    let failed = |message: String| {
        Failure::new(Class::Tool, format!("{} {message}", manifest.display()))
            .help("[workspace.metadata.release] rust = \"X.Y.Z\" names one Rust for all releases")
    };
    let table: toml_edit::DocumentMut =
        text.parse().map_err(|e| failed(format!("is no TOML: {e}")))?;
    let value = ["metadata", "release", "rust"]
        .iter()
        .try_fold(table.get("workspace"), |item, key| Some(item?.get(key)))
        .flatten();
    let Some(version) = value.and_then(toml_edit::Item::as_str) else {
        return Err(failed("does not say which Rust a release is compiled with".into()));
    };
    match is_exact(version) {
        true => Ok(version.to_owned()),
        false => {
            Err(failed(format!("names `{version}` as the Rust of a release, not one version")))
        }
    }
}

/// Whether the version is three numbers: `stable` and `1.95` mean another compiler as time passes.
fn is_exact(version: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    version.split('.').count() == 3 && version.split('.').all(is_number)
}

/// Whether rustup has installed this version. rustup's proxies (rustc, cargo) are not used to find out: they may
/// download a missing toolchain.
fn is_installed(rustup: &std::path::Path, version: &str) -> std::result::Result<bool, String> {
    let output = Program::new(rustup).args(["toolchain", "list"]).output();
    let output = output.map_err(|e| format!("rustup cannot be run: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default();
        return Err(format!("`rustup toolchain list` ended with {}: {said}", output.status));
    }
    // A line is a name, with the machine that it is for, and remarks.
    let is_it = |name: &str| {
        name.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(list.lines().filter_map(|line| line.split_whitespace().next()).any(is_it))
}
