//! Checks whether git can reach its host. git itself waits minutes for a host that drops packets, and has
//! no setting for it.

use std::{
    ffi::OsString,
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    sync::mpsc,
};

use super::{
    Fetcher, address,
    git::Git,
    hosts::{LocationProblem, Patience},
};

/// Connects to the host of a web address, and closes the connection. It does nothing if the user's settings have
/// a proxy or another address, because only git knows which host it will use then.
pub(super) fn probe(fetcher: &Fetcher<'_>, git: &Git, url: &str) -> Result<(), LocationProblem> {
    let (Some(host), true) = (address::host(url), url.starts_with("http")) else { return Ok(()) };
    if has_proxy() || is_led_elsewhere(git, &fetcher.workspace.root) {
        return Ok(());
    }
    let port = if url.starts_with("https://") { 443 } else { 80 };
    let has_port = host.rsplit(':').next().is_some_and(|p| p.parse::<u16>().is_ok());
    let name = if has_port { host.clone() } else { format!("{host}:{port}") };
    connect(&name, fetcher.patience).map_err(|why| {
        fetcher.hosts.add_unreachable(&host, &why);
        LocationProblem::Unreachable { host, why }
    })
}

fn has_proxy() -> bool {
    let names =
        ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    names.iter().any(|n| std::env::var_os(n).is_some_and(|v| !v.is_empty()))
}

fn is_led_elsewhere(git: &Git, dir: &Path) -> bool {
    let pattern = r"^(url\..*\.insteadof|http\.(.*\.)?proxy)$";
    git.read(dir, ["config", "--get-regexp", pattern]).is_ok_and(|found| !found.is_empty())
}

fn connect(name: &str, patience: Patience) -> Result<(), String> {
    let late = || format!("no connection within {} s", patience.connect.as_secs());
    let (send, receive) = mpsc::channel();
    let asked = name.to_owned();
    // The system's resolver has its own time limits. The thread ends when it does.
    std::thread::spawn(move || send.send(asked.to_socket_addrs()));
    let addresses = match receive.recv_timeout(patience.connect) {
        Ok(found) => found.map_err(|e| e.to_string())?,
        Err(_) => return Err("its name could not be resolved in time".into()),
    };
    let mut why = "its name is not known".to_owned();
    for address in addresses.take(3) {
        match TcpStream::connect_timeout(&address, patience.connect) {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => why = late(),
            Err(e) => why = e.to_string(),
        }
    }
    Err(why)
}

/// The ssh command for git: it asks no questions, and has a limit of time. A command that the user has set is kept.
pub(super) fn ssh(
    git: &Git,
    repository: &Path,
    patience: Patience,
) -> Option<(OsString, OsString)> {
    let set = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|n| std::env::var_os(n).is_some());
    if set || git.read(repository, ["config", "core.sshCommand"]).is_ok() {
        return None;
    }
    let seconds = patience.connect.as_secs().max(1);
    let command =
        format!("ssh -o BatchMode=yes -o ConnectTimeout={seconds} -o ServerAliveInterval=15");
    Some(("GIT_SSH_COMMAND".into(), command.into()))
}
