//! Folders of `--local` that somebody works in meanwhile: what is compiled is what the key of the
//! step says, or nothing.

use super::{
    stopped::{build_folder, until},
    yard::{Yard, have},
};

/// Puts what is in the source into the package, by the names of the files.
const LIST: &str = "mkdir -p $STAGE/usr/share/$NAME\nls $SRC > $STAGE/usr/share/$NAME/list";

/// `tiny`, which waits for a word in the file `go`, and `more`, which needs it.
fn waiting() -> Yard {
    let wait = format!("mkfifo go; echo ready; cat go; {LIST}");
    let yard = Yard::new(&[("make", &wait)]);
    yard.spec("more", "needs = [\"tiny\"]", &[("make", LIST)]);
    for name in ["tiny", "more"] {
        yard.checkout.write(&format!("local/{name}/first"), "1\n");
    }
    yard
}

/// Adds a file to the local folder of `name` while `tiny` compiles. Exit code and events.
fn added_meanwhile(yard: &Yard, args: &[&str], name: &str) -> (Option<i32>, String) {
    let mut run = yard.xtask(&["rpm", "--json"]);
    let run = until(run.args(args), "\"line\":\"ready\"");
    yard.checkout.write(&format!("local/{name}/second"), "2\n");
    fs_err::write(build_folder(yard, "go").unwrap(), "").unwrap();
    let output = run.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Names of the packages in the repository.
fn published(yard: &Yard) -> Vec<String> {
    let files = fs_err::read_dir(yard.checkout.path("dist/el7")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let name = |file: String| Some(file.strip_suffix(".rpm")?.split('-').next()?.to_owned());
    names.filter_map(name).collect()
}

#[test]
fn a_local_folder_that_changes_before_it_is_copied_is_refused() {
    if !have("changed before the copy", &[]) {
        return;
    }
    let yard = waiting();
    let path = yard.checkout.path("local/more");
    let local = format!("more={}", path.display());
    let (code, said) = added_meanwhile(&yard, &["--local", &local], "more");
    assert_eq!(code, Some(4), "{said}");
    let path = fs_err::canonicalize(path).unwrap();
    let message = format!("{} was changed while it was being built from", path.display());
    assert!(said.contains(&message), "{said}");
    assert!(said.contains("\"step\":\"compile more\""), "{said}");
    assert_eq!(published(&yard), ["tiny"], "the other package does not need the changed folder");
    // What did not change is kept; the next run builds from what is there now.
    let events = yard.events(&["--local", &local]);
    let built = crate::checkout::built(&events);
    assert!(!built.contains(&"compile tiny".into()), "{built:?}");
    assert_eq!(yard.text("stage/usr/share/more/list"), "first\nsecond\n");
}

#[test]
fn a_local_folder_that_changes_after_it_was_copied_is_built_as_it_was() {
    if !have("changed after the copy", &[]) {
        return;
    }
    let yard = waiting();
    let local = format!("tiny={}", yard.checkout.path("local/tiny").display());
    let args = ["--local", &local, "tiny"];
    let (code, said) = added_meanwhile(&yard, &args, "tiny");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(yard.text("stage/usr/share/tiny/list"), "first\n");
    // It is something else now, and what was built is still what the folder was.
    assert_eq!(added_meanwhile(&yard, &args, "tiny").0, Some(0));
    assert_eq!(yard.text("stage/usr/share/tiny/list"), "first\nsecond\n");
    fs_err::remove_file(yard.checkout.path("local/tiny/second")).unwrap();
    let built = crate::checkout::built(&yard.events(&args));
    assert!(!built.contains(&"compile tiny".into()), "{built:?}");
}
