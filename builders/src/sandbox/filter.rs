//! System calls that no build needs and that have been ways out of sandboxes: the kernel refuses them.
//!
//! The list follows the default of container engines. It is a second wall: without capabilities most of these calls fail
//! anyway.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use base::failure::{Class, Failure, Result};

/// Calls that are refused whatever their arguments.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_sethostname,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// A program of the x32 ABI calls by the same numbers with this bit.
const X32: i64 = 0x4000_0000;

/// Installs the filters for this process and all that it starts.
pub(super) fn apply() -> Result<()> {
    let refused = filters().and_then(|filters| {
        filters.iter().try_for_each(|filter| seccompiler::apply_filter(filter))?;
        Ok(())
    });
    refused.map_err(|e: Box<dyn std::error::Error>| {
        Failure::new(Class::Tool, format!("system calls cannot be refused: {e}"))
    })
}

fn filters() -> Result<[BpfProgram; 2], Box<dyn std::error::Error>> {
    let mut refused: Vec<_> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    // A new user namespace, by the old call. The arguments of the new one are out of reach of a filter.
    refused.push((libc::SYS_clone, vec![has_bits(0, libc::CLONE_NEWUSER as u64)?]));
    // Typing on the terminal, for a shell after a failed phase.
    refused.push((libc::SYS_ioctl, vec![equals(1, libc::TIOCSTI)?, equals(1, libc::TIOCLINUX)?]));
    // Sockets that no network namespace holds: those to the machine that runs this virtual machine, and the kernel's ciphers.
    let families = [equals(0, libc::AF_VSOCK as u64)?, equals(0, libc::AF_ALG as u64)?];
    refused.push((libc::SYS_socket, families.into()));
    let refused = filter(refused, libc::EPERM)?;
    // libc then takes the old call.
    Ok([refused, filter(vec![(libc::SYS_clone3, Vec::new())], libc::ENOSYS)?])
}

fn filter(
    calls: Vec<(i64, Vec<SeccompRule>)>,
    error: i32,
) -> Result<BpfProgram, Box<dyn std::error::Error>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (call, conditions) in calls {
        if cfg!(target_arch = "x86_64") {
            rules.insert(call | X32, conditions.clone());
        }
        rules.insert(call, conditions);
    }
    let error = SeccompAction::Errno(error.cast_unsigned());
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, error, arch)?.try_into()?)
}

fn has_bits(argument: u8, bits: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let operator = SeccompCmpOp::MaskedEq(bits);
    let length = SeccompCmpArgLen::Qword;
    SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, bits)?])
}

/// The kernel looks at the lower half of this argument only.
fn equals(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let (length, operator) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
    SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, value)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_can_be_compiled() {
        assert!(filters().unwrap().iter().all(|filter| !filter.is_empty()));
    }
}
