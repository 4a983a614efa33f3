//! Calls of the system that analyses never make and attacks do: refused by a filter in the kernel (seccomp).

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
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

/// The filter.
///
/// # Errors
/// The architecture is none for which filters can be made.
pub(in crate::executor::local) fn program(network: Network) -> Result<BpfProgram, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let compiled = || -> Result<BpfProgram, seccompiler::BackendError> {
        let action = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        SeccompFilter::new(denied(network)?, SeccompAction::Allow, action, arch)?.try_into()
    };
    let mut program = compiled().map_err(|error| error.to_string())?;
    // Entering a filter takes the kernel longer than each of the attempt's files: one filter answers in two ways.
    let number = program.iter().position(loads_number);
    let after = number.ok_or("the filter does not look at the number of the call")? + 1;
    program.splice(after..after, unknown());
    Ok(program)
}

/// Whether the line loads the number of the call, of which everything after it says something.
fn loads_number(line: &sock_filter) -> bool {
    const LOAD_WORD: u16 = 0x20;
    const NUMBER_OFFSET: u32 = 0;
    line.code == LOAD_WORD && line.k == NUMBER_OFFSET
}

/// Lines for calls that this kernel is said not to have.
fn unknown() -> Vec<sock_filter> {
    const IF_EQUAL: u16 = 0x15;
    #[cfg(target_arch = "x86_64")]
    const IF_AT_LEAST: u16 = 0x35;
    const ANSWER: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    let line = |code, k, jf| sock_filter { code, jt: 0, jf, k };
    let no_such_call = line(ANSWER, ERRNO | libc::ENOSYS.unsigned_abs(), 0);
    let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX);
    vec![
        // Its arguments lie in memory, where a filter can't look; libraries then use `clone`.
        line(IF_EQUAL, clone3, 1),
        no_such_call.clone(),
        // The same calls once more, under other numbers, where the kernel has that way of calling (x32).
        #[cfg(target_arch = "x86_64")]
        line(IF_AT_LEAST, 0x4000_0000, 1),
        #[cfg(target_arch = "x86_64")]
        no_such_call,
    ]
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
    let entered = program(network)
        .and_then(|program| seccompiler::apply_filter(&program).map_err(|error| error.to_string()));
    match entered {
        Ok(()) => held(SECCOMP, calls_reason(network)),
        Err(error) => missing(SECCOMP, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers to a call, as the kernel reads it.
    fn answer(program: &[sock_filter], (number, arguments): (u32, [u32; 2])) -> u32 {
        let arch = if cfg!(target_arch = "x86_64") {
            0xC000_003E
        } else {
            0xC000_00B7
        };
        let (mut at, mut value) = (0, 0);
        loop {
            let line = &program[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { line.jt } else { line.jf });
            match line.code {
                0x20 => {
                    value = match line.k {
                        0 => number,
                        4 => arch,
                        16 => arguments[0],
                        24 => arguments[1],
                        _ => 0,
                    }
                }
                0x54 => value &= line.k,
                0x05 => at += usize::try_from(line.k).unwrap(),
                0x15 => at += jump(value == line.k),
                0x25 => at += jump(value > line.k),
                0x35 => at += jump(value >= line.k),
                0x45 => at += jump(value & line.k != 0),
                0x06 => return line.k,
                other => panic!("no such line: {other:#x}"),
            }
        }
    }

    #[test]
    fn each_call_has_its_answer() {
        const ALLOWED: u32 = 0x7fff_0000;
        let errno = |errno: libc::c_int| 0x0005_0000 | errno.unsigned_abs();
        let call = |number: libc::c_long| u32::try_from(number).unwrap();
        let (space, unix, inet) = (libc::CLONE_NEWNET, libc::AF_UNIX, libc::AF_INET);
        for network in [Network::None, Network::Full] {
            let program = program(network).unwrap();
            let reached = match network {
                Network::None => errno(libc::EPERM),
                Network::Full => ALLOWED,
            };
            for (number, argument, wanted) in [
                (call(libc::SYS_read), 0, ALLOWED),
                (call(libc::SYS_execve), 0, ALLOWED),
                (call(libc::SYS_ptrace), 0, errno(libc::EPERM)),
                (call(libc::SYS_vhangup), 0, errno(libc::EPERM)),
                (call(libc::SYS_clone), 17, ALLOWED),
                (call(libc::SYS_clone), space, errno(libc::EPERM)),
                (call(libc::SYS_clone3), 0, errno(libc::ENOSYS)),
                (call(libc::SYS_socket), unix, ALLOWED),
                (call(libc::SYS_socket), inet, reached),
                #[cfg(target_arch = "x86_64")]
                (0x4000_0000 | 521, 0, errno(libc::ENOSYS)),
            ] {
                let asked = (number, [argument.unsigned_abs(), 0]);
                assert_eq!(answer(&program, asked), wanted, "{number} {argument}");
            }
        }
    }
}
