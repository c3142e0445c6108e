//! Finds the names of failed tests in the output of the usual test drivers.

/// Names of the tests that failed, in order.
#[derive(Debug, Default)]
pub(super) struct Tests {
    names: Vec<String>,
    /// Whether more tests failed than are kept.
    more: usize,
    /// Whether the current lines are ctest's list of failed tests.
    listed: bool,
}

/// How many names are kept and shown.
const KEPT: usize = 1000;
const SHOWN: usize = 5;
const LONGEST: usize = 120;

impl Tests {
    pub(super) fn read_line(&mut self, line: &str) {
        self.listed |= line.trim_start().starts_with("The following tests FAILED:");
        let Some(name) = failed(line).or_else(|| self.listed.then(|| in_list(line)).flatten())
        else {
            return;
        };
        let name: String = name.chars().take(LONGEST).collect();
        if self.names.contains(&name) {
            return;
        }
        match self.names.len() < KEPT {
            true => self.names.push(name),
            false => self.more += 1,
        }
    }

    /// `the test a failed`, `the tests a and b failed`; `None` if none was seen.
    pub(super) fn failed(&self) -> Option<String> {
        let shown = &self.names[..self.names.len().min(SHOWN)];
        let more = self.names.len() - shown.len() + self.more;
        Some(match (shown, more) {
            ([], _) => return None,
            ([one], 0) => format!("the test {one} failed"),
            (shown, 0) => format!("the tests {} failed", shown.join(", ")),
            (shown, more) => format!("the tests {} and {more} more failed", shown.join(", ")),
        })
    }
}

/// The test that a line says to have failed.
fn failed(line: &str) -> Option<&str> {
    let line = line.trim();
    // automake, dejagnu, Python's unittest. XPASS, a test that passed but should have failed, counts, too.
    for word in ["FAIL: ", "XPASS: ", "ERROR: "] {
        if let Some(name) = line.strip_prefix(word) {
            // Errors of Python and of other programs are sentences, not names.
            let is_name = word == "FAIL: " || !name.trim().contains(' ');
            // test-suite.log adds how each test ended.
            let name = name.split(" (exit status: ").next().unwrap_or(name).trim();
            return is_name.then_some(name).filter(|name| is_test(name));
        }
    }
    // googletest: `[  FAILED  ] Suite.name (3 ms)`, and at the end `[  FAILED  ] 2 tests, ...`.
    if let Some(name) = line.strip_prefix("[  FAILED  ]") {
        let name = name.trim().split([' ', ',']).next()?;
        return name.contains('.').then_some(name);
    }
    // Go.
    if let Some(rest) = line.strip_prefix("--- FAIL: ") {
        return rest.split(' ').next();
    }
    // pytest.
    if let Some(rest) = line.strip_prefix("FAILED ").filter(|rest| rest.contains("::")) {
        return rest.split(" - ").next();
    }
    // Rust: `test a::b ... FAILED`.
    if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
    {
        return Some(name);
    }
    // TAP: `not ok 3 - name`; a `# TODO` may fail.
    if let Some(rest) = line.strip_prefix("not ok ") {
        let may = rest.contains("# TODO") || rest.contains("# SKIP");
        let name = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let name = name.strip_prefix("- ").unwrap_or(name);
        return (!may).then_some(if name.is_empty() { rest } else { name });
    }
    ctest(line)
}

/// A number, as in `FAIL: 0`, is not a name.
fn is_test(name: &str) -> bool {
    !name.is_empty() && !name.chars().all(|c| c.is_ascii_digit())
}

/// `3/9 Test #3: name ..........***Failed    0.01 sec`
fn ctest(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" Test ").filter(|(count, _)| count.contains('/'))?;
    let (_, rest) = rest.split_once(": ")?;
    let (name, _) = rest.split_once("***").filter(|(_, end)| !end.starts_with("Skipped"))?;
    let name = name.trim().trim_end_matches('.').trim_end();
    (!name.is_empty() && !line.contains("***Not Run (Disabled)")).then_some(name)
}

/// A line of ctest's list: `  3 - name (Failed)`.
fn in_list(line: &str) -> Option<&str> {
    let (number, rest) = line.trim().split_once(" - ")?;
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    let (name, _) = rest.rsplit_once(" (")?;
    is_number.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(output: &str) -> Option<String> {
        let mut tests = Tests::default();
        output.lines().for_each(|line| tests.read_line(line));
        tests.failed()
    }

    #[test]
    fn names_in_the_words_of_usual_drivers() {
        for (output, name) in [
            ("PASS: a\nFAIL: src/b.sh\n# FAIL:  1\n", "src/b.sh"),
            ("FAIL: b\n1 of 3 tests failed\nFAIL: b (exit status: 1)\n", "b"),
            ("ERROR: b.log\n# ERROR: 1", "b.log"),
            ("XPASS: b", "b"),
            ("2/3 Test #2: b c ......***Failed    0.01 sec", "b c"),
            ("2/3 Test  #2: b .....***Exception: SegFault  0.01 sec", "b"),
            ("2/3 Test #2: b .....***Timeout  9.01 sec", "b"),
            ("1 - a (Failed)\nThe following tests FAILED:\n\t  2 - b (Failed)\nErrors while", "b"),
            (
                "[  FAILED  ] S.b (12 ms)\n[  FAILED  ] 1 test, listed below:\n[  FAILED  ] S.b",
                "S.b",
            ),
            ("[  FAILED  ] S/0.b, where TypeParam = int (0 ms)", "S/0.b"),
            ("--- FAIL: TestB (0.00s)", "TestB"),
            ("FAILED tests/test_b.py::test_c - assert 1 == 2", "tests/test_b.py::test_c"),
            ("FAIL: test_b (mod.Class)", "test_b (mod.Class)"),
            ("test a ... ok\ntest b::c ... FAILED", "b::c"),
            ("ok 1 - a\nnot ok 2 - b c\nnot ok 3 - d # TODO later", "b c"),
        ] {
            assert_eq!(seen(output), Some(format!("the test {name} failed")), "{output}");
        }
    }

    #[test]
    fn other_output_names_no_test() {
        for output in [
            "# FAIL: 0",
            "FAIL: 0",
            "ERROR: could not open the file",
            "checking whether tests FAIL: no",
            "1/2 Test #1: a ......   Passed    0.01 sec",
            "1/2 Test #1: a ......***Skipped   0.01 sec",
            "  1 - a (b)",
            "make: *** [check] Error 2",
        ] {
            assert_eq!(seen(output), None, "{output}");
        }
    }

    #[test]
    fn a_crowd_is_counted() {
        let output: String = (0..2000).map(|n| format!("FAIL: t{n}\n")).collect();
        let expected = "the tests t0, t1, t2, t3, t4 and 1995 more failed";
        assert_eq!(seen(&output).as_deref(), Some(expected));
    }
}
