//! `waive = [{ check = "rpath", file = "/usr/lib64/x.so*", reason = "..." }]`: faults that an author has looked at and
//! accepts.

use globset::{GlobBuilder, GlobMatcher};

use super::{
    check::{Checked, line},
    parse::suggest,
    printable,
    schema::RawWaiver,
    scripts::Scripts,
};

/// A rule of [`crate::lint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintRule {
    /// `rpath`: the folders in which the dynamic linker looks for libraries.
    Rpath,
    /// `build-path`: paths of the build machine.
    BuildPath,
}

impl LintRule {
    const ALL: [Self; 2] = [Self::Rpath, Self::BuildPath];

    /// The name in package.toml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rpath => "rpath",
            Self::BuildPath => "build-path",
        }
    }
}

/// One entry of `waive`.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The rule.
    pub check: LintRule,
    /// The path of a file, a pattern of paths, or the name of a scriptlet, as the author wrote it.
    pub file: String,
    /// Why the fault is accepted.
    pub reason: String,
    matcher: GlobMatcher,
}

impl Waiver {
    /// Whether it covers faults of this rule in `file`: a path, or the name of a scriptlet.
    pub fn covers(&self, check: LintRule, file: &str) -> bool {
        self.check == check && self.matcher.is_match(file)
    }
}

/// Checks one entry.
pub(super) fn waiver(raw: RawWaiver) -> Checked<Waiver> {
    let known: Vec<_> = LintRule::ALL.iter().map(|c| c.as_str()).collect();
    let check = LintRule::ALL.into_iter().find(|c| c.as_str() == raw.check).ok_or_else(|| {
        let guess = suggest(&raw.check, &known).unwrap_or_default();
        format!("waive: `{}` is no check; {guess}", printable(&raw.check))
    })?;
    let file = line("waive: file", raw.file)?;
    if !file.starts_with('/') && !Scripts::NAMES.contains(&file.as_str()) {
        return Err(format!(
            "waive: file: `{file}` is neither an absolute path nor a scriptlet such as `%post`"
        ));
    }
    let glob = GlobBuilder::new(&file).literal_separator(true).build();
    let matcher = glob.map_err(|e| format!("waive: file: {e}"))?.compile_matcher();
    Ok(Waiver { check, matcher, reason: line("waive: reason", raw.reason)?, file })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    fn read(check: &str, file: &str, reason: &str) -> Checked<Waiver> {
        waiver(RawWaiver { check: check.into(), file: file.into(), reason: reason.into() })
    }

    #[test]
    fn a_waiver_needs_check_file_and_reason() {
        let good = read("rpath", "/usr/lib64/x.so*", "looked at").unwrap();
        assert!(good.covers(LintRule::Rpath, "/usr/lib64/x.so.1"));
        assert!(!good.covers(LintRule::BuildPath, "/usr/lib64/x.so.1"));
        assert!(!good.covers(LintRule::Rpath, "/usr/lib64/x.so/y"));
        assert!(read("build-path", "%post", "y").unwrap().covers(LintRule::BuildPath, "%post"));
        assert!(read("rpaths", "/x", "y").unwrap_err().contains("did you mean `rpath`?"));
        for (file, reason) in
            [("x", "y"), ("%posts", "y"), ("/x[", "y"), ("/x", ""), ("/x", " "), ("", "y")]
        {
            assert!(read("rpath", file, reason).is_err(), "{file} {reason}");
        }
    }

    #[test]
    fn waivers_in_common_are_refused() {
        let text = "[common]\nversion = \"1\"\nwaive = []\n[package.a]\narch = \"noarch\"\nsummary = \"s\"\n\
                    license = \"l\"\n[[changelog]]\ndate = 2015-10-21\nauthor = \"a\"\ntext = [\"t\"]\n";
        let error = Spec::parse(text, "package.toml".as_ref(), "/".as_ref()).unwrap_err();
        assert!(error.to_string().contains("common.waive"), "{error}");
    }
}
