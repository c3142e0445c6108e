//! Users, groups and capabilities of a sandbox.

use nix::{
    sched::{CloneFlags, unshare},
    sys::prctl,
    unistd::{self, Gid, Uid},
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use super::{parent::failed, request::As};
use base::failure::{Class, Classify, Result};

impl As {
    /// The user id and the group id inside.
    pub(super) fn id(self) -> u32 {
        match self {
            Self::Builder => 1000,
            Self::Owner => 0,
        }
    }

    /// The capabilities that the command keeps, in the sandbox' own user namespace. They reach only files of the one user
    /// who is known there.
    pub(super) fn keeps(self) -> CapabilitySet {
        match self {
            Self::Builder => CapabilitySet::empty(),
            // Folders of a distribution may not even be written to by their owner.
            Self::Owner => CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER,
        }
    }
}

/// Whether this process is root and may become uid 1000: not if it is root in a user namespace that has no such user.
pub(super) fn can_become_builder() -> bool {
    let is_known = |file: &str| {
        let text = fs_err::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| has(line, As::Builder.id()))
    };
    unistd::geteuid().is_root()
        && capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
        && is_known("/proc/self/uid_map")
        && is_known("/proc/self/gid_map")
}

/// Whether a line of a map, `FIRST OUTSIDE COUNT`, has this id.
fn has(line: &str, id: u32) -> bool {
    let numbers: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    matches!(numbers[..], [first, _, count] if id >= first && id - first < count)
}

/// Makes the id `inside` of this process' new user namespace that of this user and group outside.
pub(super) fn map_ids(inside: u32, (uid, gid): (Uid, Gid)) -> Result<()> {
    // Without this, an ordinary user may not map the group.
    fs_err::write("/proc/self/setgroups", "deny").class(Class::Tool)?;
    fs_err::write("/proc/self/uid_map", format!("{inside} {uid} 1\n")).class(Class::Tool)?;
    fs_err::write("/proc/self/gid_map", format!("{inside} {gid} 1\n")).class(Class::Tool)
}

/// Turns root into uid 1000, and that into the only user of a new user namespace.
pub(super) fn become_builder() -> Result<()> {
    let id = As::Builder.id();
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    unistd::setgroups(&[])
        .and_then(|()| unistd::setresgid(gid, gid, gid))
        .and_then(|()| unistd::setresuid(uid, uid, uid))
        .and_then(|()| unshare(CloneFlags::CLONE_NEWUSER))
        // After a change of user, the files under /proc/self are root's until this.
        .and_then(|()| prctl::set_dumpable(true))
        .map_err(|e| failed("root cannot become an ordinary user", e))?;
    map_ids(id, (uid, gid))
}

/// Lets process 1 have the rights of this process in its new user namespace, though its user is not root.
pub(super) fn hand_on() -> Result<()> {
    let io = |e: rustix::io::Errno| std::io::Error::from(e);
    let has = capabilities(None).map_err(io).class(Class::Tool)?;
    let sets = CapabilitySets { inheritable: has.permitted, ..has };
    set_capabilities(None, sets).map_err(io).class(Class::Tool)?;
    for capability in has.permitted.iter() {
        configure_capability_in_ambient_set(capability, true).map_err(io).class(Class::Tool)?;
    }
    Ok(())
}

/// Gives up all capabilities but these, for this process and all that it starts, and hides it from them.
pub(super) fn give_up_all_but(kept: CapabilitySet) -> Result<()> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // There are no more.
            Err(rustix::io::Errno::INVAL) => break,
            other => other.map_err(std::io::Error::from).class(Class::Tool)?,
        }
    }
    let sets =
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(std::io::Error::from).class(Class::Tool)?;
    prctl::set_no_new_privs().map_err(|e| failed("new rights cannot be refused", e))?;
    // /proc/1 has the path of this program, and files that it has open.
    prctl::set_dumpable(false).map_err(|e| failed("process 1 cannot be hidden", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_says_which_ids_there_are() {
        assert!(has("         0          0 4294967295", 1000));
        assert!(has("1000 0 1", 1000));
        assert!(!has("0 1000 1", 1000));
        assert!(!has("1001 0 5", 1000));
        assert!(!has("", 1000));
    }
}
