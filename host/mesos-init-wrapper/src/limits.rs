//! ULIMIT: limits on resources, written as for the `ulimit` command of bash.

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};

/// One letter of `ulimit`: what it limits, and in which unit.
struct Kind {
    letter: char,
    name: &'static str,
    unit: rlim_t,
    resource: Resource,
}

const KINDS: &[Kind] = &[
    kind('c', "size of core files", 1024, Resource::RLIMIT_CORE),
    kind('d', "size of the data segment", 1024, Resource::RLIMIT_DATA),
    kind('e', "scheduling priority", 1, Resource::RLIMIT_NICE),
    kind('f', "size of files", 1024, Resource::RLIMIT_FSIZE),
    kind('i', "pending signals", 1, Resource::RLIMIT_SIGPENDING),
    kind('l', "locked memory", 1024, Resource::RLIMIT_MEMLOCK),
    kind('m', "resident memory", 1024, Resource::RLIMIT_RSS),
    kind('n', "open files", 1, Resource::RLIMIT_NOFILE),
    kind('q', "bytes in message queues", 1, Resource::RLIMIT_MSGQUEUE),
    kind('r', "real-time priority", 1, Resource::RLIMIT_RTPRIO),
    kind('s', "size of the stack", 1024, Resource::RLIMIT_STACK),
    kind('t', "seconds of processor time", 1, Resource::RLIMIT_CPU),
    kind('u', "processes", 1, Resource::RLIMIT_NPROC),
    kind('v', "virtual memory", 1024, Resource::RLIMIT_AS),
    kind('x', "file locks", 1, Resource::RLIMIT_LOCKS),
];

const fn kind(letter: char, name: &'static str, unit: rlim_t, resource: Resource) -> Kind {
    Kind { letter, name, unit, resource }
}

/// A limit to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    letter: char,
    name: &'static str,
    resource: Resource,
    soft: bool,
    hard: bool,
    value: rlim_t,
}

/// Reads a text such as `-n 8192 -Sc unlimited`.
pub(crate) fn parse(text: &str) -> Result<Vec<Limit>, String> {
    let mut limits = Vec::new();
    let mut words = text.split_whitespace();
    let mut for_all = "";
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-').filter(|it| !it.is_empty()) else {
            return Err(format!("{word:?} stands where an option such as -n is expected"));
        };
        let option = letters.trim_start_matches(['S', 'H']);
        let chosen = &letters[..letters.len() - option.len()];
        let mut rest = option.chars();
        let Some(letter) = rest.next() else {
            for_all = chosen; // -S or -H alone is about all that follow
            continue;
        };
        let kind = KINDS
            .iter()
            .find(|kind| kind.letter == letter)
            .ok_or_else(|| format!("-{letter} is not known"))?;
        let value = Some(rest.as_str())
            .filter(|attached| !attached.is_empty())
            .or_else(|| words.next())
            .ok_or_else(|| format!("-{letter} lacks a value"))?;
        let chosen = if chosen.is_empty() { for_all } else { chosen };
        limits.push(Limit {
            letter,
            name: kind.name,
            resource: kind.resource,
            soft: chosen.is_empty() || chosen.contains('S'),
            hard: chosen.is_empty() || chosen.contains('H'),
            value: number(value, kind)?,
        });
    }
    if limits.is_empty() {
        return Err("there is no limit in it".to_owned());
    }
    Ok(limits)
}

fn number(text: &str, kind: &Kind) -> Result<rlim_t, String> {
    if text == "unlimited" {
        return Ok(RLIM_INFINITY);
    }
    text.parse::<rlim_t>()
        .ok()
        .and_then(|number| number.checked_mul(kind.unit))
        .filter(|&number| number < RLIM_INFINITY)
        .ok_or_else(|| format!("-{} takes a number or unlimited, not {text:?}", kind.letter))
}

impl Limit {
    /// Sets the limit for this process, and so for the daemon that it becomes.
    pub(crate) fn apply(&self) -> Result<(), String> {
        let refused = |errno: Errno, why: String| {
            let errno = errno.desc();
            format!("cannot set the limit of {self}: {errno}{why}")
        };
        let (soft, hard) =
            getrlimit(self.resource).map_err(|errno| refused(errno, String::new()))?;
        let new_soft = if self.soft { self.value } else { soft };
        let new_hard = if self.hard { self.value } else { hard };
        setrlimit(self.resource, new_soft, new_hard).map_err(|errno| {
            let why = match errno {
                Errno::EINVAL if new_soft > new_hard => {
                    let (soft, hard) = (show(new_soft), show(new_hard));
                    format!(": the soft limit {soft} would be above the hard limit {hard}")
                }
                Errno::EPERM if new_hard > hard => self.why_not_above(hard),
                _ => String::new(),
            };
            refused(errno, why)
        })
    }

    fn why_not_above(&self, hard: rlim_t) -> String {
        let end = match self.resource {
            Resource::RLIMIT_NOFILE => ", up to /proc/sys/fs/nr_open",
            _ => "",
        };
        let hard = show(hard);
        format!(": the hard limit is {hard} now, and only root can raise it{end}")
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let which = match (self.soft, self.hard) {
            (true, false) => "soft",
            (false, true) => "hard",
            _ => "soft and hard",
        };
        let (name, letter) = (self.name, self.letter);
        write!(f, "{name} (-{letter}) to {}, {which}", show(self.value))
    }
}

fn show(value: rlim_t) -> String {
    match value {
        RLIM_INFINITY => "unlimited".to_owned(),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<String> {
        let limits = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        limits.iter().map(Limit::to_string).collect()
    }

    #[test]
    fn both_limits_are_set_unless_one_is_chosen() {
        let rows = [
            ("-n 8192", "open files (-n) to 8192, soft and hard"),
            ("-Sn 8192", "open files (-n) to 8192, soft"),
            ("-Hn 8192", "open files (-n) to 8192, hard"),
            ("-S -n 8192", "open files (-n) to 8192, soft"),
            ("-SHn8192", "open files (-n) to 8192, soft and hard"),
            ("-c unlimited", "size of core files (-c) to unlimited, soft and hard"),
        ];
        for (text, expected) in rows {
            assert_eq!(parsed(text), [expected], "{text}");
        }
    }

    #[test]
    fn several_limits_may_stand_together() {
        let text = "-Sn 1 -Hn 2  -u\t3 -S -c unlimited";
        let expected = [
            "open files (-n) to 1, soft",
            "open files (-n) to 2, hard",
            "processes (-u) to 3, soft and hard",
            "size of core files (-c) to unlimited, soft",
        ];
        assert_eq!(parsed(text), expected);
    }

    #[test]
    fn sizes_are_in_kibibytes() {
        assert_eq!(parse("-l 64").map(|limits| limits[0].value), Ok(65536));
        assert_eq!(parse("-u 64").map(|limits| limits[0].value), Ok(64));
    }

    #[test]
    fn what_is_no_limit_is_told() {
        for (text, expected) in [
            ("8192", "where an option"),
            ("-n 1 2", "where an option"),
            ("-", "where an option"),
            ("-n", "lacks a value"),
            ("-Z 1", "-Z is not known"),
            ("-n many", "not \"many\""),
            ("-n -1", "not \"-1\""),
            ("-l 18446744073709551615", "takes a number"),
            ("-n 18446744073709551615", "takes a number"),
            ("-S", "no limit"),
            (" ", "no limit"),
        ] {
            let why = parse(text).expect_err(text);
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
