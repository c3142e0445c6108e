//! What the agent gets, and hands on to the plugin: mesos-init-wrapper itself says so, started with the environment of the
//! agent's unit. An administrator's shell has other variables.

use std::{collections::HashMap, net::IpAddr, path::Path, time::Duration};

use super::{
    command::{self, Answer},
    report::Finding,
};
use crate::{files, settings::NAMES};

/// As the unit starts it.
const WRAPPER: &str = "/usr/bin/mesos-init-wrapper";

/// Files of defaults are shell, and may ask the network.
const TIME: Duration = Duration::from_secs(30);

const SHOW: &str = "mesos-init-wrapper --print slave shows where each setting comes from";

/// Those of Mesos 0.25.
const CONTAINERIZERS: [&str; 3] = ["mesos", "docker", "external"];

type Pairs = HashMap<String, String>;

/// An agent as it would be started.
pub struct Agent {
    program: String,
    flags: Pairs,
    variables: Pairs,
    warnings: String,
}

/// Where settings come from.
enum Source {
    Agent(Agent),
    /// The wrapper refuses the configuration, in these words.
    Refused(String),
    /// There is no wrapper: the process's own environment.
    Own,
}

/// The settings of the agent.
pub struct Environment {
    source: Source,
    own: Pairs,
}

impl Environment {
    /// Asks the wrapper.
    pub fn find() -> Self {
        let own = |name: &&str| Some(((*name).to_owned(), std::env::var(*name).ok()?));
        let source = match unit().map(|variables| wrapper(&variables)) {
            Ok(source) => source,
            Err(why) => Source::Refused(why),
        };
        Self { source, own: NAMES.iter().filter_map(own).collect() }
    }

    /// One setting.
    pub fn get(&self, name: &str) -> Option<String> {
        match &self.source {
            Source::Agent(agent) => agent.variables.get(name).cloned(),
            Source::Refused(_) => None,
            Source::Own => self.own.get(name).cloned(),
        }
    }

    /// Whether [`Environment::get`] gives what an agent or this shell has.
    pub fn is_known(&self) -> bool {
        !matches!(self.source, Source::Refused(_))
    }

    /// The agent, where it would start.
    pub fn agent(&self) -> Option<&Agent> {
        match &self.source {
            Source::Agent(agent) => Some(agent),
            _ => None,
        }
    }

    /// Whether etcd's address is set, and in the shell to the same.
    pub fn finding(&self) -> Finding {
        let name = "settings";
        let set = |name: &str| self.get(name).is_some_and(|value| !value.trim().is_empty());
        let whose = match &self.source {
            Source::Agent(_) => "for the agent",
            Source::Own => "in this shell",
            Source::Refused(_) => {
                let text = "what the agent would get cannot be known: see the check of agent";
                return Finding::fail(name, text, SHOW);
            }
        };
        if !set("ETCD_AUTHORITY") && !set("ETCD_ENDPOINTS") {
            let help = "set ETCD_AUTHORITY=HOST:4001 in /etc/default/mesos-slave.d/50-calico";
            return Finding::fail(name, format!("ETCD_AUTHORITY is not set {whose}"), help);
        }
        let others: Vec<_> = self.others_in_shell().collect();
        if others.is_empty() {
            return Finding::ok(name, format!("etcd's address is set {whose}"));
        }
        let text = format!("{} of this shell differ from the agent's", others.join(" and "));
        Finding::warn(name, text, "only the agent's count, and these checks use them")
    }

    /// Settings of this shell that the agent has otherwise.
    fn others_in_shell(&self) -> impl Iterator<Item = &str> {
        let differs = |name: &&str| {
            let own = self.own.get(*name).map(|value| value.trim());
            own.is_some_and(|own| {
                !own.is_empty() && self.get(name).is_none_or(|value| value.trim() != own)
            })
        };
        NAMES.into_iter().filter(differs)
    }

    /// Whether the agent would start, and as one that uses the module.
    pub fn agent_finding(&self) -> Finding {
        let name = "agent";
        let agent = match &self.source {
            Source::Agent(agent) => agent,
            Source::Refused(words) => {
                let help = "the agent does not start with that: correct it, and try mesos-init-wrapper --print slave";
                return Finding::fail(name, words, help);
            }
            Source::Own => {
                let text = format!(
                    "{WRAPPER} is not there: what an agent gets cannot be known, and this shell's settings are taken"
                );
                return Finding::fail(name, text, "yum install mesos-init-wrapper");
            }
        };
        let faults = agent.faults();
        if !faults.is_empty() {
            return Finding::fail(name, faults.join("; "), SHOW);
        }
        let warnings = agent.warnings();
        if warnings.is_empty() {
            return Finding::ok(name, format!("{} would start", agent.program));
        }
        Finding::warn(name, warnings.join("; "), SHOW)
    }
}

impl Agent {
    /// The value of a flag, which may be given as a variable; nothing if it is empty.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// The same, empty as well.
    fn given(&self, name: &str) -> Option<&str> {
        let variable = || self.variables.get(&format!("MESOS_{}", name.to_ascii_uppercase()));
        Some(self.flags.get(name).or_else(variable)?.as_str())
    }

    /// A variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// What keeps it from starting, or from giving containers to the module.
    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            files::executable(Path::new(&self.program)).err().into_iter().collect();
        let unknown = |flag: &str, value: &str| {
            format!("the agent does not start: {flag} names {value:?}, which Mesos does not have")
        };
        if let Some(list) = self.given("containerizers") {
            let mut names = list.split(',');
            if let Some(name) = names.find(|name| !CONTAINERIZERS.contains(name)) {
                faults.push(unknown("containerizers", name));
            } else if !list.split(',').any(|name| name == "mesos") {
                let text =
                    format!("containerizers is {list}: only mesos gives containers to modules");
                faults.push(text);
            }
        }
        match self.given("launcher") {
            None | Some("linux") => {}
            Some("posix") => {
                faults.push("launcher is posix, which makes no network namespaces".to_owned());
            }
            Some(other) => faults.push(unknown("launcher", other)),
        }
        if self.flag("ip").is_some() && self.flag("ip_discovery_command").is_some() {
            faults.push("ip and ip_discovery_command are both set: the agent takes one".to_owned());
        }
        faults
    }

    /// `HOST:PORT` of the masters, or of the ZooKeeper that knows them, with commas.
    fn masters(&self) -> &str {
        let master = self.flag("master").unwrap_or_default();
        let hosts = master.strip_prefix("zk://").unwrap_or(master);
        let hosts = hosts.split('/').next().unwrap_or_default();
        hosts.rsplit('@').next().unwrap_or_default()
    }

    /// Their addresses, as far as they are given as such.
    pub fn master_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let host = |text: &str| {
            text.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']).parse())
        };
        self.masters().split(',').filter_map(move |text| host(text)?.ok())
    }

    /// What works in special cases alone.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let hosts = self.masters();
        let is_local = |host: &str| host.starts_with("localhost:") || host.starts_with("127.");
        if hosts.split(',').all(is_local) {
            let text = format!("the masters are looked for on this host alone ({hosts})");
            warnings.push(text);
        }
        if !self.warnings.is_empty() {
            warnings.push(self.warnings.clone());
        }
        warnings
    }
}

/// The environment that the agent's unit has beyond the usual one; the error is a text.
fn unit() -> Result<Vec<(String, String)>, String> {
    if !fs_err::exists("/run/systemd/system").map_err(|error| error.to_string())? {
        return Ok(Vec::new());
    }
    let answer = command::ask("systemctl", &["show", "mesos-slave.service"], &[], TIME);
    let answer = match answer {
        Ok(answer) if answer.success => answer,
        Ok(answer) => return Err(format!("systemctl show mesos-slave: {}", answer.stderr)),
        Err(why) => return Err(why.unwrap_or_else(|| "systemctl is not there".to_owned())),
    };
    from_unit(&answer.text())
}

/// Reads what `systemctl show` prints.
fn from_unit(shown: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for line in shown.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        match name {
            "Environment" => variables = words(value),
            "EnvironmentFile" | "EnvironmentFiles" if !value.is_empty() => {
                return Err(format!(
                    "the unit mesos-slave reads {value}, which this check does not: move it to /etc/default/mesos-slave"
                ));
            }
            "LoadState" if ["masked", "error", "bad-setting"].contains(&value) => {
                return Err(format!(
                    "the unit mesos-slave cannot be started ({value}): systemctl status mesos-slave says why"
                ));
            }
            "User" if !["", "root", "0"].contains(&value) => {
                return Err(format!(
                    "the unit mesos-slave runs the agent as {value}: only root can give containers a network"
                ));
            }
            "ExecStart" if !value.contains(WRAPPER) && value.contains("path=") => {
                return Err(format!("the unit mesos-slave does not start {WRAPPER}"));
            }
            _ => {}
        }
    }
    Ok(variables)
}

/// The assignments of `Environment=`. Newer systemd quotes those with blanks, as a whole; older ones write a blank, and
/// all that is not plain, as `\x20`.
fn words(text: &str) -> Vec<(String, String)> {
    let (mut words, mut quoted) = (vec![Vec::new()], false);
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let (plain, taken) = match (byte, after) {
            (b'\\', [b'x', high, low, ..]) => match code(*high, *low) {
                Some(code) => (Some(code), 4),
                None => (Some(b'x'), 2),
            },
            (b'\\', [escaped, ..]) => (Some(*escaped), 2),
            (b'"', _) => {
                quoted = !quoted;
                (None, 1)
            }
            (b' ', _) if !quoted => {
                words.push(Vec::new());
                (None, 1)
            }
            (byte, _) => (Some(*byte), 1),
        };
        if let Some(last) = words.last_mut() {
            last.extend(plain);
        }
        rest = &rest[taken..];
    }
    words.iter().filter_map(|word| pair(&String::from_utf8_lossy(word))).collect()
}

fn code(high: u8, low: u8) -> Option<u8> {
    let digit = |byte| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// What the wrapper would start.
fn wrapper(variables: &[(String, String)]) -> Source {
    match command::ask(WRAPPER, &["--print0", "slave"], variables, TIME) {
        Ok(answer) if answer.success => match parse(&answer) {
            Some(agent) => Source::Agent(agent),
            None => Source::Refused(format!("{WRAPPER} --print0 slave prints something else")),
        },
        Ok(answer) if answer.stderr.contains("--print0") => Source::Refused(format!(
            "{WRAPPER} is too old to be asked: yum update mesos-init-wrapper"
        )),
        Ok(answer) => Source::Refused(lines(&answer.stderr, "").join("; ")),
        Err(None) => Source::Own,
        Err(Some(why)) => Source::Refused(why),
    }
}

/// Program and flags, an empty string, variables.
fn parse(answer: &Answer) -> Option<Agent> {
    let text = String::from_utf8_lossy(&answer.stdout);
    let mut strings = text.split_terminator('\0');
    let program = strings.next()?.to_owned();
    let flags = strings
        .by_ref()
        .take_while(|string| !string.is_empty())
        .filter_map(|flag| pair(flag.strip_prefix("--")?))
        .collect();
    let warnings = lines(&answer.stderr, "warning: ").join("; ");
    Some(Agent { program, flags, variables: strings.filter_map(pair).collect(), warnings })
}

/// The lines of the wrapper that begin with `start`, without its name.
fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    let lines = text.lines().map(|line| line.trim_start_matches("mesos-init-wrapper: "));
    lines.filter(|line| line.starts_with(start)).collect()
}

fn pair(text: &str) -> Option<(String, String)> {
    text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(strings: &[&str]) -> Agent {
        let stdout = strings.iter().flat_map(|string| [string.as_bytes(), b"\0"].concat());
        let answer = Answer { success: true, stdout: stdout.collect(), stderr: String::new() };
        parse(&answer).unwrap()
    }

    #[test]
    fn flags_win_over_variables_and_secrets_arrive() {
        let strings = [
            "/bin/sh",
            "--hooks=a",
            "--no-switch_user",
            "",
            "MESOS_HOOKS=b",
            "MESOS_ISOLATION=c",
            "ETCD_ENDPOINTS=http://u:p@a:1/?x=y",
        ];
        let agent = agent(&strings);
        assert_eq!((agent.flag("hooks"), agent.flag("isolation")), (Some("a"), Some("c")));
        assert_eq!(agent.variable("ETCD_ENDPOINTS"), Some("http://u:p@a:1/?x=y"));
        assert_eq!(agent.faults(), Vec::<String>::new());
    }

    #[test]
    fn agents_that_give_no_container_to_a_module() {
        for (flag, word) in [
            ("--containerizers=docker", "docker"),
            ("--containerizers=mesos,dcoker", "dcoker"),
            ("--containerizers=mesos, docker", "\" docker\""),
            ("--containerizers=", "\"\""),
            ("--launcher=posix", "posix"),
            ("--launcher=Linux", "Linux"),
        ] {
            let faults = agent(&["/bin/sh", flag, ""]).faults();
            assert!(faults.len() == 1 && faults[0].contains(word), "{faults:?}");
        }
        let good = ["/bin/sh", "--containerizers=docker,mesos", "--launcher=linux", ""];
        assert!(agent(&good).faults().is_empty());
        let both = ["/bin/sh", "--ip=10.0.0.1", "", "MESOS_IP_DISCOVERY_COMMAND=hostname -i"];
        assert!(agent(&both).faults()[0].contains("ip_discovery_command"));
        assert!(agent(&["/no/mesos-slave", ""]).faults()[0].contains("/no/mesos-slave"));
        assert!(agent(&["/etc/passwd", ""]).faults()[0].contains("/etc/passwd"));
    }

    #[test]
    fn masters_on_this_host_alone_are_a_warning() {
        for (master, count) in [
            ("zk://localhost:2181/mesos", 1),
            ("zk://u:p@127.0.0.1:2181/mesos", 1),
            ("127.0.0.1:5050", 1),
            ("zk://10.0.0.1:2181/localhost:", 0),
            ("zk://localhost:2181,10.0.0.1:2181/mesos", 0),
        ] {
            let agent = agent(&["/bin/sh", &format!("--master={master}"), ""]);
            assert_eq!(agent.warnings().len(), count, "{master}");
            assert!(!agent.warnings().concat().contains("u:p"));
        }
        for (master, addresses) in [
            ("zk://u:p@10.0.0.1:2181,zk-2:2181,[fd00::1]:2181/mesos", &["10.0.0.1", "fd00::1"][..]),
            ("10.0.0.1:5050", &["10.0.0.1"]),
            ("file:///etc/mesos/zk-url", &[]),
        ] {
            let agent = agent(&["/bin/sh", &format!("--master={master}"), ""]);
            let found: Vec<_> = agent.master_addresses().map(|ip| ip.to_string()).collect();
            assert_eq!(found, addresses, "{master}");
        }
    }

    #[test]
    fn the_environment_of_a_unit() {
        let exec = "ExecStart={ path=/usr/bin/mesos-init-wrapper ; argv[]=x }";
        let shown = format!("Id=mesos-slave.service\nEnvironment=A=b \"C=d \\\"e\" F=\n{exec}");
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(from_unit(&shown).unwrap(), pairs(&[("A", "b"), ("C", "d \"e"), ("F", "")]));
        // As systemd 220 to 232 writes it: each blank and backslash by its number.
        let shown = r"Environment=A=b\x20c\x5cx20 D=\xc3\xa9";
        assert_eq!(from_unit(shown).unwrap(), pairs(&[("A", r"b c\x20"), ("D", "é")]));
        assert_eq!(from_unit(r#"Environment="A=\\x20""#).unwrap(), pairs(&[("A", r"\x20")]));
        for fine in ["LoadState=loaded\nUser=", "LoadState=not-found\nUser=root"] {
            assert!(from_unit(fine).is_ok());
        }
        assert!(from_unit("LoadState=masked").is_err() && from_unit("User=mesos").is_err());
        assert!(from_unit("EnvironmentFile=/etc/x (ignore_errors=no)").is_err());
        assert!(from_unit("ExecStart={ path=/usr/sbin/mesos-slave ; argv[]=x }").is_err());
    }
}
