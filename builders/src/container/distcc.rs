//! Machines that take part in a compile by distcc: `--distcc HOSTS`.

use std::str::FromStr;

/// The hosts, in the format of distcc's DISTCC_HOSTS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farm(String);

/// distcc's own default for a host without a limit.
const PER_HOST: usize = 4;

impl Farm {
    pub(super) fn hosts(&self) -> &str {
        &self.0
    }

    /// How many jobs all hosts together run at once, by the limits in the list.
    pub(super) fn jobs(&self) -> usize {
        let limit = |host: &str| {
            let host = host.split(',').next().unwrap_or(host);
            let limit = host.split_once('/').and_then(|(_, limit)| limit.parse().ok());
            limit.unwrap_or(PER_HOST)
        };
        // A word that begins with `--` is an option, not a host.
        self.0.split_whitespace().filter(|h| !h.starts_with("--")).map(limit).sum()
    }
}

impl FromStr for Farm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "@.,:/_-+=[] ".contains(c);
        let farm = Self(text.split_whitespace().collect::<Vec<_>>().join(" "));
        match farm.jobs() > 0 && text.chars().all(legal) {
            true => Ok(farm),
            false => {
                Err("give hosts as distcc takes them, like `\"build1/8 build2:3632/4\"`".into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let farm: Farm = "a/8 b:3632/2,lzo  [::1]  --randomize".parse().unwrap();
        assert_eq!((farm.jobs(), farm.hosts()), (14, "a/8 b:3632/2,lzo [::1] --randomize"));
        assert!(Farm::from_str("").is_err());
        assert!(Farm::from_str("a;rm").is_err());
    }
}
