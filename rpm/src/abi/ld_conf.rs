//! Where ldconfig and the dynamic linker look for libraries: four folders, and those that files of /etc/ld.so.conf.d name.

/// The folders that need no file.
pub(super) const ALWAYS: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
/// The folder of the files.
pub(super) const FILES: &str = "/etc/ld.so.conf.d";

/// The folders that the text of such a file names. Source: ldconfig(8), glibc's elf/ldconfig.c.
pub(super) fn folders(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words = lines.flat_map(|line| line.split([' ', '\t', ':', ',']));
    words.filter(|word| word.starts_with('/')).map(|word| word.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    #[test]
    fn folders_are_divided_by_blanks_colons_and_commas() {
        let text = "# none\n/opt/a/ # one\ninclude x\n/b:/c,/d\t/e\nrelative\n";
        assert_eq!(super::folders(text).collect::<Vec<_>>(), ["/opt/a", "/b", "/c", "/d", "/e"]);
    }
}
