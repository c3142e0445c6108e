//! The folder /etc/mesos-master or /etc/mesos-slave, in which every file is a flag.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::files::{self, Entry};
use crate::flags::{Flag, Origin};
use crate::report::{Note, Problem};
use crate::role::Role;
use crate::values;

/// Switches of the wrapper of 2015, which it did not hand on: Mesos knows none of them.
const WRAPPERS_OWN: &[&str] = &["no-logger"];

/// What was found in the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The flags, in the order of their names.
    pub flags: Vec<Flag>,
    /// What was left alone, and what looks odd.
    pub notes: Vec<Note>,
    /// What cannot be a flag.
    pub problems: Vec<Problem>,
}

/// Reads the folder; `role` says which of its folders hold items.
pub(crate) fn read(folder: &Path, role: Role) -> Found {
    let mut found = Found::default();
    for entry in found.entries(folder) {
        match entry {
            Entry::File(name, path) => {
                let flag = file_flag(&name, &path, &mut found.notes);
                found.add(flag);
            }
            Entry::Folder(name, path) => match name.to_str() {
                Some(name) if role.item_folders().contains(&name) => {
                    let flag = found.items_flag(name, &path);
                    found.flags.extend(flag);
                }
                _ => found.notes.push(skipped(&path, "it is a folder")),
            },
            Entry::Skipped(path, why) => found.notes.push(skipped(&path, why)),
        }
    }
    found
}

impl Found {
    fn entries(&mut self, folder: &Path) -> Vec<Entry> {
        let listed = files::list(folder).unwrap_or_else(|problem| vec![Err(problem)]);
        let mut entries = Vec::with_capacity(listed.len());
        for entry in listed {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(problem) => self.problems.push(problem),
            }
        }
        entries
    }

    fn add(&mut self, flag: Result<Option<Flag>, Problem>) {
        match flag {
            Ok(flag) => self.flags.extend(flag),
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Joins the files of a folder such as `attributes` into one value.
    fn items_flag(&mut self, flag: &str, folder: &Path) -> Option<Flag> {
        let mut items: Vec<Vec<u8>> = Vec::new();
        for entry in self.entries(folder) {
            match entry {
                Entry::File(name, path) => match item(&name, &path) {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => self.notes.push(empty(&path)),
                    Err(problem) => self.problems.push(problem),
                },
                Entry::Folder(_, path) => self.notes.push(skipped(&path, "it is a folder")),
                Entry::Skipped(path, why) => self.notes.push(skipped(&path, why)),
            }
        }
        let value = OsString::from_vec(items.join(&b';'));
        let flag = Flag {
            name: flag.to_owned(),
            value: Some(value),
            origin: Origin::Path(folder.to_owned()),
        };
        (!items.is_empty()).then_some(flag)
    }
}

/// The flag that one file stands for; an empty file stands for none.
fn file_flag(name: &OsStr, path: &Path, notes: &mut Vec<Note>) -> Result<Option<Flag>, Problem> {
    let (name, is_switch) = flag_name(name, path)?;
    let value = value_in(path)?;
    if WRAPPERS_OWN.contains(&name.as_str()) {
        notes.push(Note::Notice(format!(
            "{} is not needed: output goes to the journal, and never through logger",
            path.display()
        )));
        return Ok(None);
    }
    let origin = Origin::Path(path.to_owned());
    if is_switch {
        notes.extend(switch_content(&value, path)?);
        return Ok(Some(Flag { name, value: None, origin }));
    }
    if name.to_ascii_lowercase().starts_with("no-") {
        let what = format!("{} is a switch, and Mesos takes no value for it", path.display());
        let switch = path.with_file_name(format!("?{name}"));
        let hint = format!("mv {} '{}'", path.display(), switch.display());
        return Err(Problem::new(what).hint(hint));
    }
    if value.is_empty() {
        notes.push(empty(path));
        return Ok(None);
    }
    let value = OsString::from_vec(value);
    notes.extend(values::check(&format!("--{name}"), &value, &path.display().to_string())?);
    Ok(Some(Flag { name, value: Some(value), origin }))
}

/// A switch has no value. Content that says the same does no harm, any other means something else.
fn switch_content(value: &[u8], path: &Path) -> Result<Option<Note>, Problem> {
    let path = path.display();
    match value {
        b"" => Ok(None),
        b"true" | b"1" => Ok(Some(Note::Warning(format!(
            "{path}: a switch takes no value, its content is ignored"
        )))),
        _ => Err(Problem::new(format!("{path} has content, but a switch takes no value"))
            .hint("empty the file; or take the ? from its name, and its content is the value")),
    }
}

/// The name of the flag, and whether it is a bare switch.
fn flag_name(name: &OsStr, path: &Path) -> Result<(String, bool), Problem> {
    let bytes = name.as_bytes();
    let (bytes, is_switch) = match bytes.strip_prefix(b"?") {
        Some(rest) => (rest, true),
        None => (bytes, false),
    };
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let name = std::str::from_utf8(bytes)
        .ok()
        .filter(|name| name.bytes().all(|byte| fits(&byte)))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_alphanumeric()));
    match name {
        Some(name) => Ok((name.to_owned(), is_switch)),
        None => Err(Problem::new(format!(
            "{} cannot be a flag: a name has letters, digits, _ and - only",
            path.display()
        ))
        .hint("every file in this folder is a flag: rename it or move it away")),
    }
}

/// One `name:value` of a folder of items; an empty file is none.
fn item(name: &OsStr, path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    let value = value_in(path)?;
    let breaks = |byte: &u8| *byte == b';' || byte.is_ascii_control();
    let name = name.as_bytes();
    if name.iter().any(|byte| breaks(byte) || b": ".contains(byte)) {
        let what =
            format!("{}: the name of an item cannot have a blank, a : or a ;", path.display());
        return Err(Problem::new(what).hint("rename the file"));
    }
    if value.iter().any(breaks) {
        let what = format!("{} must be a single line without a ;", path.display());
        return Err(Problem::new(what).hint("give every item a file of its own"));
    }
    Ok((!value.is_empty()).then(|| [name, &value].join(&b':')))
}

/// The content of a file without the white space at its end.
fn value_in(path: &Path) -> Result<Vec<u8>, Problem> {
    let content = files::read(path)?;
    let value = content.trim_ascii_end().to_vec();
    if value.contains(&0) {
        let what = format!("{} has a NUL byte in it", path.display());
        return Err(Problem::new(what).hint("it must be text"));
    }
    Ok(value)
}

fn skipped(path: &Path, why: &str) -> Note {
    Note::Warning(format!("{} is skipped: {why}", path.display()))
}

fn empty(path: &Path) -> Note {
    Note::Notice(format!("{} is skipped: it is empty", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().expect("temporary folder");
            for (name, content) in files {
                let path = folder.path().join(name);
                fs_err::create_dir_all(path.parent().expect("a parent")).expect("folder");
                fs_err::write(path, content).expect("file");
            }
            Self(folder)
        }

        fn read(&self, role: Role) -> (Vec<String>, Vec<Note>, Vec<String>) {
            let found = read(self.0.path(), role);
            let argument = |flag: &Flag| flag.argument().to_string_lossy().into_owned();
            (
                found.flags.iter().map(argument).collect(),
                found.notes,
                found.problems.iter().map(Problem::to_string).collect(),
            )
        }
    }

    fn flags_of(files: &[(&str, &str)]) -> Vec<String> {
        let (flags, notes, problems) = Folder::with(files).read(Role::Slave);
        assert_eq!((notes, problems), (vec![], vec![]));
        flags
    }

    fn problem_of(name: &str, content: &str) -> String {
        let (flags, _, mut problems) = Folder::with(&[(name, content)]).read(Role::Slave);
        assert_eq!(flags, [""; 0]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn files_become_flags_and_only_the_end_is_trimmed() {
        let files = [("work_dir", "/var/lib/mesos \t\r\n\n"), ("hooks", " a b\n")];
        assert_eq!(flags_of(&files), ["--hooks= a b", "--work_dir=/var/lib/mesos"]);
    }

    #[test]
    fn a_question_mark_makes_a_switch() {
        let files = [("?no-switch_user", ""), ("?quiet", "\n")];
        assert_eq!(flags_of(&files), ["--no-switch_user", "--quiet"]);
    }

    #[test]
    fn a_switch_ignores_its_content_aloud() {
        let (flags, notes, _) = Folder::with(&[("?quiet", "true\n")]).read(Role::Slave);
        assert_eq!(flags, ["--quiet"]);
        assert!(matches!(&notes[..], [Note::Warning(_)]), "{notes:?}");
    }

    #[test]
    fn a_switch_whose_content_says_otherwise_is_refused() {
        for content in ["false", "0", "no", "off", "x"] {
            let problem = problem_of("?switch_user", content);
            assert!(problem.contains("?switch_user has content"), "{problem}");
        }
    }

    #[test]
    fn a_switch_without_its_question_mark_is_refused() {
        for content in ["", "\n", "true", "false"] {
            for name in ["no-switch_user", "NO-strict"] {
                let problem = problem_of(name, content);
                assert!(problem.contains(&format!("/?{name}'")), "{problem}");
            }
        }
    }

    #[test]
    fn the_wrappers_own_switch_of_2015_is_not_handed_on() {
        for (name, content) in [("?no-logger", ""), ("?no-logger", "x"), ("no-logger", "1")] {
            for role in [Role::Master, Role::Slave] {
                let (flags, notes, problems) = Folder::with(&[(name, content)]).read(role);
                assert_eq!((flags, problems), (vec![], vec![]));
                assert!(matches!(&notes[..], [Note::Notice(_)]), "{notes:?}");
            }
        }
    }

    #[test]
    fn items_are_joined_in_the_order_of_their_names() {
        let files = [
            ("attributes/zone", "eu;\n".trim_end_matches(";\n")),
            ("attributes/rack", "r 1\n"),
            ("resources/ports(*)", "[31000-31100]\n"),
        ];
        assert_eq!(
            flags_of(&files),
            ["--attributes=rack:r 1;zone:eu", "--resources=ports(*):[31000-31100]"]
        );
    }

    #[test]
    fn a_master_has_no_items() {
        let (flags, notes, problems) =
            Folder::with(&[("attributes/rack", "r1")]).read(Role::Master);
        assert_eq!((flags, problems), (vec![], vec![]));
        assert!(matches!(&notes[..], [Note::Warning(_)]), "{notes:?}");
    }

    #[test]
    fn an_item_that_would_become_two_is_refused() {
        for (name, content) in [
            ("attributes/rack", "r1;zone:eu"),
            ("attributes/rack", "r1\nr2"),
            ("attributes/ra:ck", "r1"),
            ("attributes/ra ck", "r1"),
        ] {
            assert!(problem_of(name, content).contains("attributes/ra"));
        }
    }

    #[test]
    fn names_that_cannot_be_flags_are_refused() {
        for name in ["README.md", "a b", "?", "-v", "--x", "é", "a=b", "??x"] {
            let problem = problem_of(name, "1");
            assert!(problem.contains("cannot be a flag"), "{problem}");
        }
    }

    #[test]
    fn a_nul_byte_is_refused() {
        assert!(problem_of("quorum", "1\x002").contains("NUL"));
        assert!(problem_of("attributes/a", "1\x002").contains("NUL"));
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused_first() {
        let longest = 128 * 1024 - 1 - "--acls=".len();
        assert_eq!(flags_of(&[("acls", &"x".repeat(longest))]).len(), 1);
        let problem = problem_of("acls", &"x".repeat(longest + 1));
        assert!(problem.contains("file://"), "{problem}");
    }

    #[test]
    fn json_may_have_lines_and_nothing_else_should() {
        let json = "{\n  \"a\": [\n  1]\n}\n";
        assert_eq!(flags_of(&[("acls", json)]), [format!("--acls={}", json.trim_end())]);
        let (flags, notes, _) = Folder::with(&[("quorum", "# half\n2\n")]).read(Role::Master);
        assert_eq!(flags, ["--quorum=# half\n2"]);
        assert!(matches!(&notes[..], [Note::Warning(_)]), "{notes:?}");
    }

    #[test]
    fn empty_files_are_skipped_with_a_notice() {
        let files = [("quorum", ""), ("attributes/a", " \n")];
        let (flags, notes, problems) = Folder::with(&files).read(Role::Slave);
        assert_eq!((flags, problems), (vec![], vec![]));
        assert!(matches!(&notes[..], [Note::Notice(_), Note::Notice(_)]), "{notes:?}");
    }
}
