//! Calls of the system that analyses never make and attacks do: refused by a filter in the kernel (seccomp).

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{SECCOMP, calls_reason, held, missing};
use crate::executor::Layer;
use crate::plan::Network;

/// Refused whatever their arguments: other processes' memory, mounts, namespaces, modules of the kernel, keys, clocks.
const DENIED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_open_by_handle_at,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Flags of `clone` that make a namespace.
const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// The filters, to be entered in this order.
///
/// # Errors
/// The architecture is none for which filters can be made.
pub(in crate::executor::local) fn programs(network: Network) -> Result<Vec<BpfProgram>, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let compiled = |rules, errno: libc::c_int| -> Result<BpfProgram, seccompiler::BackendError> {
        let action = SeccompAction::Errno(errno.unsigned_abs());
        SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()
    };
    let rules = denied(network).map_err(|error| error.to_string())?;
    // Its arguments lie in memory, where a filter can't look; libraries then use `clone`.
    let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let filters = [(rules, libc::EPERM), (unknown, libc::ENOSYS)];
    filters
        .into_iter()
        .map(|(rules, errno)| compiled(rules, errno).map_err(|error| error.to_string()))
        .collect()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn denied(network: Network) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let mut spaces = Vec::new();
    for flag in NEW_NAMESPACES {
        let flag = u64::from(flag.unsigned_abs());
        spaces.push(when(0, SeccompCmpOp::MaskedEq(flag), flag)?);
    }
    rules.insert(libc::SYS_clone, spaces);
    match network {
        Network::Full => {}
        Network::None => {
            let unix = u64::from(libc::AF_UNIX.unsigned_abs());
            rules.insert(libc::SYS_socket, vec![when(0, SeccompCmpOp::Ne, unix)?]);
        }
    }
    Ok(rules)
}

fn when(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(vec![condition])
}

pub(super) fn enter(network: Network) -> Layer {
    let entered = programs(network).and_then(|programs| {
        programs
            .iter()
            .try_for_each(|program| seccompiler::apply_filter(program))
            .map_err(|error| error.to_string())
    });
    match entered {
        Ok(()) => held(SECCOMP, calls_reason(network)),
        Err(error) => missing(SECCOMP, &error),
    }
}
