//! The flags with which CentOS 7 compiles its own packages.

use std::collections::BTreeMap;

/// `rpm --eval %{optflags}` with redhat-rpm-config of CentOS 7.9 on x86_64.
const COMPILER: &str = "-O2 -g -pipe -Wall -Wp,-D_FORTIFY_SOURCE=2 -fexceptions -fstack-protector-strong \
     --param=ssp-buffer-size=4 -grecord-gcc-switches -m64 -mtune=generic";
/// `rpm --eval %{__global_ldflags}`.
const LINKER: &str = "-Wl,-z,relro";

/// The variables that configure scripts of autoconf and CMake read.
const FLAGS: [(&str, &str); 3] =
    [("CFLAGS", COMPILER), ("CXXFLAGS", COMPILER), ("LDFLAGS", LINKER)];

/// Puts the flags before those of the description: of two that contradict each other the last one counts.
pub(super) fn add_flags(env: &mut BTreeMap<String, String>) {
    for (name, flags) in FLAGS {
        let own = env.entry(name.to_owned()).or_default();
        *own = match own.is_empty() {
            true => flags.to_owned(),
            false => format!("{flags} {own}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_the_description_come_last() {
        let own = [("CFLAGS", "-O3"), ("CC", "gcc"), ("CXXFLAGS", "")];
        let mut env = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        add_flags(&mut env);
        assert_eq!(env["CFLAGS"], format!("{COMPILER} -O3"));
        assert_eq!((&*env["CXXFLAGS"], &*env["LDFLAGS"]), (COMPILER, LINKER));
        assert_eq!((&*env["CC"], env.len()), ("gcc", 4));
        assert!(!COMPILER.contains("  "));
    }
}
