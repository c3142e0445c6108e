use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::fixture::{KEY, LOCKED_KEY, LOCKED_PASSPHRASE, Recorder, SILENT, TempCheckout};

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// A passphrase in a file that stands for an inherited descriptor.
fn behind_descriptor(checkout: &TempCheckout, text: &str) -> Passphrase {
    checkout.write("passphrase", text);
    Passphrase::Descriptor(9, fs_err::File::open(checkout.workspace.root.join("passphrase")))
}

#[test]
fn a_stored_key_is_for_its_owner_alone_and_replaces_what_a_killed_run_left() {
    let checkout = TempCheckout::new();
    let path = development_path(&checkout.workspace);
    let rest = path.with_extension("tmp");
    checkout.write("target/xtask/keys/development.tmp", "half a key");
    fs_err::set_permissions(&rest, std::fs::Permissions::from_mode(0o644)).unwrap();
    store(&path, KEY).unwrap();
    assert_eq!((mode(&path), rest.exists()), (0o600, false));
    assert_eq!(fs_err::read_to_string(&path).unwrap(), KEY);
}

#[test]
fn the_development_key_that_is_there_is_taken_and_no_other_is_made() {
    let checkout = TempCheckout::new();
    assert_eq!(development_fingerprint(&checkout.workspace).unwrap(), None);
    assert!(!development_path(&checkout.workspace).exists(), "a plan must make no key");
    store(&development_path(&checkout.workspace), KEY).unwrap();
    let recorder = Recorder::default();
    let keys = load(None, &Passphrase::Terminal, &checkout.workspace, &recorder).unwrap();
    let fingerprint = keys.signer.certificate().fingerprint();
    assert_eq!(development_fingerprint(&checkout.workspace).unwrap(), Some(fingerprint));
    assert!(keys.development && keys.is_for_development());
    assert!(recorder.take().is_empty());
}

#[test]
fn an_unreadable_development_key_is_an_error_and_not_replaced() {
    let checkout = TempCheckout::new();
    let path = development_path(&checkout.workspace);
    for text in ["", "not a key", &KEY[..KEY.len() / 2]] {
        checkout.write("target/xtask/keys/development.asc", text);
        let failure = development(&checkout.workspace, &SILENT).unwrap_err();
        assert_eq!(failure.class, Class::Key, "{text}");
        assert!(failure.help.as_ref().unwrap().contains("remove the file"), "{failure}");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
    }
    fs_err::remove_file(&path).unwrap();
    fs_err::create_dir(&path).unwrap();
    assert_eq!(development_fingerprint(&checkout.workspace).unwrap_err().class, Class::Key);
}

#[test]
fn a_key_file_is_not_the_development_key_unless_its_user_id_says_so() {
    let checkout = TempCheckout::new();
    checkout.write("key.asc", KEY);
    let file = Named::File(checkout.workspace.root.join("key.asc"));
    let keys = load(Some(&file), &Passphrase::Terminal, &checkout.workspace, &SILENT).unwrap();
    assert!(!keys.development && !keys.is_for_development());
    assert!(!development_path(&checkout.workspace).exists());
}

#[test]
fn a_missing_key_file_is_an_error_that_names_it() {
    let checkout = TempCheckout::new();
    let file = Named::File(checkout.workspace.root.join("absent.asc"));
    let failure = named(Some(&file), &Passphrase::Terminal, &SILENT).err().unwrap();
    assert_eq!(failure.class, Class::Key);
    assert!(failure.message.contains("absent.asc"), "{failure}");
    assert!(named(None, &Passphrase::Terminal, &SILENT).unwrap().is_none());
}

#[test]
fn a_locked_key_opens_with_the_first_line_behind_the_descriptor_and_with_nothing_else() {
    let checkout = TempCheckout::new();
    checkout.write("locked.asc", LOCKED_KEY);
    let file = Named::File(checkout.workspace.root.join("locked.asc"));
    let open = |passphrase: Passphrase| named(Some(&file), &passphrase, &SILENT);
    let right = behind_descriptor(&checkout, &format!("{LOCKED_PASSPHRASE}\r\nmore\n"));
    open(right).unwrap().unwrap();
    for wrong in ["", "wrong", " fixture"] {
        let failure = open(behind_descriptor(&checkout, wrong)).err().unwrap();
        assert_eq!(failure.class, Class::Key, "{wrong}");
        assert!(!failure.to_string().contains("more"), "{failure}");
    }
}

#[test]
fn a_variable_or_descriptor_without_a_passphrase_is_an_error_that_names_it() {
    let checkout = TempCheckout::new();
    checkout.write("locked.asc", LOCKED_KEY);
    let file = Named::File(checkout.workspace.root.join("locked.asc"));
    let open = |passphrase: Passphrase| named(Some(&file), &passphrase, &SILENT).err().unwrap();
    let failure = open(Passphrase::Variable("NO_SUCH_VARIABLE_HERE".into()));
    assert!(failure.message.contains("NO_SUCH_VARIABLE_HERE holds no passphrase"), "{failure}");
    let closed = std::io::Error::from(std::io::ErrorKind::NotFound);
    let failure = open(Passphrase::Descriptor(9, Err(closed)));
    assert!(failure.message.contains("file descriptor 9"), "{failure}");
    assert!(failure.help.as_ref().unwrap().contains("--passphrase-fd"), "{failure}");
}
