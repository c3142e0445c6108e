//! Checks RPATH and RUNPATH. Each is a fault, and what rpm's check-rpaths-worker refuses is told by the path. Its rules are
//! followed with two corrections: `$LIB` and `$PLATFORM` are expanded
//! first (the script accepts every path with one of them), and `${ORIGIN}` is the same as `$ORIGIN` (the
//! script misspells it).

/// The dynamic linker searches these folders anyway. Their subfolders may be in an RPATH.
const STANDARD: [&str; 8] = [
    "/lib",
    "/usr/lib",
    "/usr/X11R6/lib",
    "/usr/local/lib",
    "/lib64",
    "/usr/lib64",
    "/usr/X11R6/lib64",
    "/usr/local/lib64",
];
/// Another folder whose subfolders may be in an RPATH.
const PROGRAMS: &str = "/usr/libexec/";

/// Replaces `$LIB` and `$PLATFORM` as the dynamic linker does on x86_64.
pub(super) fn expanded(path: &str) -> String {
    path.replace("${ORIGIN}", "$ORIGIN")
        .replace("${LIB}", "$LIB")
        .replace("$LIB", "lib64")
        .replace("${PLATFORM}", "$PLATFORM")
        .replace("$PLATFORM", "x86_64")
}

/// The faults of an RPATH: a list of paths, divided by `:`. There is one at least.
pub(super) fn faults(list: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut only_origin_so_far = true;
    for path in list.split(':') {
        let path = expanded(path);
        let is_origin = path == "$ORIGIN" || path.starts_with("$ORIGIN/");
        let fault = if is_origin && !leads_up(&path) && !only_origin_so_far {
            Some("has $ORIGIN behind other paths".to_owned())
        } else {
            fault(&path, is_origin)
        };
        faults.extend(fault.map(|fault| format!("{fault} in its RPATH `{list}`")));
        only_origin_so_far &= is_origin;
    }
    if faults.is_empty() {
        faults.push(format!(
            "has the RPATH `{list}`, which only packages with private libraries need"
        ));
    }
    faults
}

fn fault(path: &str, is_origin: bool) -> Option<String> {
    let below = |dir: &str| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
    if path.is_empty() {
        return Some("has an empty path, the working directory,".into());
    }
    if leads_up(path) {
        return Some(format!("has `{path}`, which goes up from a folder that may be a link,"));
    }
    let plain = path.trim_end_matches('/');
    if STANDARD.contains(&plain) {
        return Some(format!("has `{path}`, which is searched anyway,"));
    }
    if is_origin || path.starts_with(PROGRAMS) || STANDARD.iter().any(|dir| below(dir)) {
        return None;
    }
    Some(match path.starts_with('/') {
        true => format!("has `{path}`, which is no folder for libraries of packages,"),
        false => format!("has `{path}`, which depends on the working directory,"),
    })
}

/// Whether `..` comes after the name of a folder, and not at the beginning of an absolute path.
fn leads_up(path: &str) -> bool {
    let inner = match path.strip_prefix('$') {
        Some(rest) => rest.split_once('/').map(|(_, inner)| inner),
        None => path.strip_prefix('/'),
    };
    let mut in_folder = false;
    for part in inner.unwrap_or_default().split('/') {
        match part {
            ".." if in_folder => return true,
            "" | "." | ".." => {}
            _ => in_folder = true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rpath_is_a_fault_and_what_check_rpaths_refuses_is_told() {
        for (good, list) in [
            (true, "/usr/lib64/mesos"),
            (true, "/usr/libexec/x"),
            (true, "$ORIGIN"),
            (true, "$ORIGIN/../lib64"),
            (true, "${ORIGIN}/x:$ORIGIN/y:/usr/lib64/z"),
            (true, "/usr/$LIB/x"),
            (false, "/usr/lib64"),
            (false, "/usr/$LIB"),
            (false, "/lib"),
            (false, "/usr/lib64/"),
            (false, ""),
            (false, "/usr/lib64/x:"),
            (false, ".:/usr/lib64/x"),
            (false, "lib"),
            (false, "$ORIGINS/x"),
            (false, "../lib"),
            (false, "/tmp/evil"),
            (false, "/tmp/$LIB"),
            (false, "/opt/x"),
            (false, "/build/libevent/sdk/usr/lib64"),
            (false, "/usr/lib64/x/../../../tmp"),
            (false, "$ORIGIN/x/../../y"),
            (false, "/usr/lib64/x:$ORIGIN"),
        ] {
            let general =
                format!("has the RPATH `{list}`, which only packages with private libraries need");
            assert_eq!(faults(list) == [general], good, "{list} {:?}", faults(list));
            assert!(!faults(list).is_empty(), "{list}");
        }
        assert_eq!(faults("/tmp/evil:.").len(), 2);
    }
}
