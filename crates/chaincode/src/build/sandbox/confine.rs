//! Taking rights away from the own process, for good, and becoming a program.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs,
    hash::{BuildHasher, RandomState},
    os::unix::process::CommandExt,
    process::Command,
};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
    path_beneath_rules,
};
use rustix::{
    process::{Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit},
    thread::{
        CapabilitySet, CapabilitySets, CpuSet, remove_capability_from_bounding_set, sched_getaffinity,
        sched_setaffinity, set_capabilities, set_no_new_privs,
    },
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::{policy::Policy, supervisor::PARENT};
use crate::build::spawner::retrying_while_busy;

/// The newest rights that are known here; an older kernel enforces those that it knows.
const NEWEST: ABI = ABI::V6;

/// The kernel's version of Landlock, as far as it is known here.
pub(super) fn landlock_version() -> Option<u32> {
    let versions = [ABI::V6, ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1];
    let is_known = |abi: &ABI| {
        let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let ruleset = ruleset.handle_access(AccessFs::from_all(*abi));
        let ruleset = match Scope::from_all(*abi) {
            none if none.is_empty() => ruleset,
            scopes => ruleset.and_then(|ruleset| ruleset.scope(scopes)),
        };
        // The network's rights tell the fourth version from the third, which has the same for files.
        let ruleset = match landlock::AccessNet::from_all(*abi) {
            none if none.is_empty() => ruleset,
            rights => ruleset.and_then(|ruleset| ruleset.handle_access(rights)),
        };
        ruleset.and_then(Ruleset::create).is_ok()
    };
    versions.into_iter().find(is_known).map(|abi| abi as u32)
}

/// Whether this kernel and this processor filter system calls.
pub(super) fn filters_calls() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.contains("\nSeccomp:") && filter(BTreeMap::new(), libc::EPERM).is_ok()
}

/// Takes away what `policy` does not leave, and becomes the program. Returns only if something fails.
pub(super) fn become_program(policy: &Policy, program: &OsStr, args: &[OsString]) -> Result<(), String> {
    tie_to_supervisor()?;
    // When memory runs out, the peer shall be the last to go. Not to be had everywhere.
    let _ = fs::write("/proc/self/oom_score_adj", "500");
    limit(policy)?;
    drop_capabilities()?;
    set_no_new_privs(true).map_err(|error| format!("cannot give up new privileges: {error}"))?;
    if policy.files {
        restrict_files(policy)?;
    }
    if policy.calls {
        filter_calls(policy)?;
    }
    let mut command = Command::new(program);
    command.args(args).env_remove(PARENT);
    let error = retrying_while_busy(|| Err::<(), _>(command.exec())).expect_err("exec returns only to fail");
    Err(format!("cannot start '{}': {error}", program.display()))
}

/// Has the system end this process when its supervisor ends, however it ends.
fn tie_to_supervisor() -> Result<(), String> {
    let tied = set_parent_process_death_signal(Some(Signal::KILL));
    tied.map_err(|error| format!("cannot tie this process to its supervisor: {error}"))?;
    // It may have ended before.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    match env::var(PARENT) {
        Ok(expected) if parent.as_deref() == Some(expected.as_str()) => Ok(()),
        _ => Err("the supervisor that started this is gone".to_owned()),
    }
}

fn limit(policy: &Policy) -> Result<(), String> {
    let lower = |resource: Resource, to: Option<u64>| {
        let Some(to) = to else { return Ok(()) };
        let most = getrlimit(resource).maximum.map_or(to, |maximum| maximum.min(to));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| format!("cannot limit {resource:?}: {error}"))
    };
    // What a crash would write down may hold keys, and fills disks.
    lower(Resource::Core, Some(0))?;
    lower(Resource::Fsize, policy.limits.disk)?;
    lower(Resource::Nofile, policy.limits.open_files)?;
    let Some(cpus) = policy.limits.cpus else { return Ok(()) };
    let failed = |error| format!("cannot choose processors: {error}");
    let ours = sched_getaffinity(None).map_err(failed)?;
    let mut chosen = CpuSet::new();
    let ours: Vec<_> = (0..CpuSet::MAX_CPU).filter(|cpu| ours.is_set(*cpu)).collect();
    let count = usize::try_from(cpus).unwrap_or(usize::MAX).min(ours.len());
    // Any of them, so that programs do not all share the first ones.
    let first = RandomState::new().hash_one(()) % ours.len().max(1) as u64;
    let from_first = ours.iter().cycle().skip(usize::try_from(first).unwrap_or(0));
    from_first.take(count).for_each(|cpu| chosen.set(*cpu));
    sched_setaffinity(None, &chosen).map_err(failed)
}

/// What root may keep: to handle files whoever owns them, where the policy lets it.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

fn drop_capabilities() -> Result<(), String> {
    let failed = |error| format!("cannot give up capabilities: {error}");
    let had = rustix::thread::capabilities(None).map_err(failed)?;
    for capability in CapabilitySet::all().difference(KEPT).iter() {
        // Only who may change the set can, and the kernel may not know the newest.
        let _ = remove_capability_from_bounding_set(capability);
    }
    let kept = had.permitted & KEPT;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed)
}

fn restrict_files(policy: &Policy) -> Result<(), String> {
    let (all, read) = (AccessFs::from_all(NEWEST), AccessFs::from_read(NEWEST));
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(&policy.read, read)))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(&policy.write, all)))
        .and_then(landlock::RulesetCreated::restrict_self);
    match restricted {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => Ok(()),
        Ok(_) => Err("the kernel does not restrict files (Landlock)".to_owned()),
        Err(error) => Err(format!("cannot restrict files: {error}")),
    }
}

/// Calls that reach into other processes or into the kernel, and that no chaincode and no build needs.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    // Its operations would pass by this filter.
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    // By a path, it changes files that may not be opened where Landlock is too old to know it. Who opened a file can
    // still cut it.
    libc::SYS_truncate,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Calls that change files by their path, which Landlock leaves alone. Builds need them, chaincode does not.
const REFUSED_TO_CHAINCODE: &[i64] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    libc::SYS_fchmodat,
    // `fchmodat2`
    452,
    libc::SYS_fchownat,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_setxattr,
];

/// What would put a new process into a namespace of its own, where it may do more.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

fn filter_calls(policy: &Policy) -> Result<(), String> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    // Sockets of the machine itself lead to services that do not ask who calls: a container engine, the init system.
    let elsewhere = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let conditions = elsewhere.map(|family| family_is(SeccompCmpOp::Ne, family));
    refused.insert(libc::SYS_socket, vec![rule(conditions.into_iter().collect())?]);
    // One of a pair of such sockets can send to every other.
    refused.insert(libc::SYS_socketpair, vec![rule(vec![masked(1, 0xf, libc::SOCK_DGRAM)])?]);
    let namespaces = NAMESPACES.map(|flag| rule(vec![masked(0, flag, flag)]));
    refused.insert(libc::SYS_clone, namespaces.into_iter().collect::<Result<_, _>>()?);
    if policy.run {
        refused.extend(REFUSED_TO_CHAINCODE.iter().map(|call| (*call, Vec::new())));
    }
    if policy.limits.cpus.is_some() {
        refused.insert(libc::SYS_sched_setaffinity, Vec::new());
    }
    apply(refused, libc::EPERM)?;
    // Its flags lie in memory, where no filter sees them. Without it, C libraries use the older call.
    apply([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)?;
    if policy.network {
        return Ok(());
    }
    let families = [libc::AF_INET, libc::AF_INET6];
    let rules = families.map(|family| rule(vec![family_is(SeccompCmpOp::Eq, family)]));
    apply([(libc::SYS_socket, rules.into_iter().collect::<Result<_, _>>()?)].into(), libc::ENETUNREACH)
}

fn family_is(operator: SeccompCmpOp, family: i32) -> SeccompCondition {
    let family = u64::from(family.unsigned_abs());
    SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, family).expect("a call has a first argument")
}

/// That an argument has this value where `mask` has bits.
fn masked(argument: u8, mask: i32, value: i32) -> SeccompCondition {
    let [mask, value] = [mask, value].map(|number| u64::from(number.cast_unsigned()));
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
        .expect("a call has these arguments")
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule, String> {
    SeccompRule::new(conditions).map_err(|error| format!("cannot filter system calls: {error}"))
}

fn apply(calls: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<(), String> {
    let failed = |error| format!("cannot filter system calls: {error}");
    seccompiler::apply_filter(&filter(calls, error).map_err(failed)?).map_err(failed)
}

/// Lets `calls` fail with `error`, and all others pass.
fn filter(mut calls: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<BpfProgram, seccompiler::Error> {
    if cfg!(target_arch = "x86_64") {
        /// The same calls have further numbers in the x32 ABI.
        const X32: i64 = 0x4000_0000;
        calls.extend(calls.clone().into_iter().map(|(call, rules)| (call | X32, rules)));
    }
    let action = SeccompAction::Errno(error.unsigned_abs());
    let architecture = env::consts::ARCH.try_into()?;
    Ok(SeccompFilter::new(calls, SeccompAction::Allow, action, architecture)?.try_into()?)
}

#[cfg(test)]
mod tests {
    use std::{
        io::ErrorKind,
        os::unix::{
            fs::PermissionsExt,
            net::{UnixDatagram, UnixStream},
        },
        thread,
    };

    use super::*;

    /// Filters the calls of a thread, and of what it starts.
    fn filtered(run: bool, work: impl FnOnce() + Send + 'static) {
        let filtered = move || {
            set_no_new_privs(true).expect("no new privileges");
            filter_calls(&Policy { calls: true, run, network: true, ..Policy::default() }).expect("a filter");
            work();
        };
        thread::spawn(filtered).join().expect("what was expected");
    }

    #[test]
    fn lets_toolchains_and_their_programs_start() {
        for run in [false, true] {
            filtered(run, || {
                thread::spawn(|| ()).join().expect("a thread");
                UnixStream::pair().expect("a pair of streams");
                for (program, args) in [
                    ("sh", &["-c", "(true | cat) && true"][..]),
                    ("go", &["version"]),
                    ("java", &["-version"]),
                    (
                        "node",
                        &[
                            "-e",
                            "require('child_process').execSync('true'); new (require('worker_threads').Worker)('1', {eval: true})",
                        ],
                    ),
                    ("npm", &["--version"]),
                    (
                        "python3",
                        &[
                            "-c",
                            "import subprocess, threading; threading.Thread(target=print).start(); subprocess.run('true')",
                        ],
                    ),
                ] {
                    match Command::new(program).args(args).output() {
                        Ok(output) => assert!(output.status.success(), "{program}: {output:?}"),
                        // What is not installed is not tried.
                        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{program}"),
                    }
                }
            });
        }
    }

    #[test]
    fn refuses_ways_around_the_restrictions_of_files_and_sockets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, "content").expect("a file");
        let mode = || fs::Permissions::from_mode(0o600);
        let in_build = path.clone();
        filtered(false, move || fs::set_permissions(&in_build, mode()).expect("builds may"));
        filtered(true, move || {
            let refused = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            refused(fs::set_permissions(&path, mode()).expect_err("chmod"));
            refused(std::os::unix::fs::lchown(&path, None, None).expect_err("lchown"));
            refused(std::os::unix::fs::chroot("/").expect_err("chroot"));
            refused(UnixDatagram::pair().expect_err("socketpair"));
            fs::File::open(&path).and_then(|file| file.set_permissions(mode())).expect("fchmod");
            let probe = "import os, sys; os.truncate(sys.argv[1], 0)";
            if let Ok(output) = Command::new("python3").args(["-c", probe]).arg(&path).output() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(said.contains("Operation not permitted"), "{said}");
            }
            // `clone` with a flag for a namespace; what it would return in the child never shows.
            let probe = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); \
                         print(libc.syscall(56, 0x10000011, 0, 0, 0, 0), ctypes.get_errno())";
            if cfg!(target_arch = "x86_64")
                && let Ok(output) = Command::new("python3").args(["-c", probe]).output()
            {
                assert_eq!(String::from_utf8_lossy(&output.stdout), "-1 1\n", "{output:?}");
            }
        });
    }
}
