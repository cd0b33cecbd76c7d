/**
 * Which system calls a sandboxed driver may make, as data with reasons. The
 * filter is assembled from these lists; whatever is not named here fails with
 * EPERM, calls of later kernels included.
 *
 * @module
 */

/** Calls that are allowed for one reason. */
export interface CallGroup {
  readonly name: string;
  readonly reason: string;
  readonly calls: readonly string[];
}

/** Allowed whatever their arguments. The kernel keeps these in a bitmap: they cost nothing. */
export const ALLOWED_CALLS: readonly CallGroup[] = [
  {
    name: "descriptors",
    reason: "the event loops of Deno and libusb on descriptors that are open",
    calls: words(`read write readv writev pread64 lseek close fstat fsync
      fdatasync dup poll ppoll select pselect6 epoll_wait epoll_pwait
      epoll_pwait2 epoll_ctl epoll_create1 eventfd2 pipe2 timerfd_create
      timerfd_settime shutdown`),
  },
  {
    name: "memory",
    reason: "V8 and malloc get and return memory",
    calls: words(`mmap munmap mprotect mremap madvise brk membarrier
      pkey_alloc pkey_free pkey_mprotect`),
  },
  {
    name: "threads",
    reason: "threads of this process, their locks and signals, and its end",
    calls: words(`futex set_robust_list rseq set_tid_address gettid sched_yield
      sched_getaffinity sched_getparam sched_getscheduler exit exit_group
      rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait sigaltstack
      restart_syscall`),
  },
  {
    name: "clocks",
    reason: "time, timers and the process's own usage",
    calls: words(`clock_gettime clock_getres clock_nanosleep nanosleep
      gettimeofday times getrusage`),
  },
  {
    name: "paths",
    reason:
      "loading Deno, libusb and the driver; Landlock says which paths, and stage 2 closes them all",
    calls: words(`open openat stat lstat newfstatat statx readlink readlinkat
      getcwd getdents64 access faccessat faccessat2 statfs fstatfs fadvise64`),
  },
  {
    name: "self",
    reason: "who am I, and random numbers",
    calls: words(`uname sysinfo getpid getppid getuid geteuid getgid getegid
      getresuid getresgid getrandom`),
  },
];

/** Allowed in the `virtual` profile besides, which is weaker for it. */
export const VIRTUAL_CALLS: CallGroup = {
  name: "virtual bus",
  reason:
    "the preload library talks to the virtual bus over Unix sockets, and plays udev's netlink socket with one",
  calls: words(
    "connect bind setsockopt getsockopt getsockname recvmsg sendmsg",
  ),
};

/** A call whose arguments decide. */
export interface CheckedCall {
  readonly call: string;
  readonly rule: string;
  readonly reason: string;
}

/** Allowed with these arguments only. */
export const CHECKED_CALLS: readonly CheckedCall[] = [
  {
    call: "ioctl",
    rule: "listed USB requests on descriptor 100; FIONBIO, FIONREAD, FIOCLEX",
    reason: "transfers on the one device; stdin and stdout without blocking",
  },
  {
    call: "execve",
    rule: "once, from a random address that only the launcher knew; else kill",
    reason: "the launcher becomes the driver inside the filter",
  },
  {
    call: "clone",
    rule: "threads only",
    reason: "Deno's workers; no process, no namespace",
  },
  {
    call: "clone3",
    rule: "answers ENOSYS, so that libc falls back to clone",
    reason: "its flags are behind a pointer, where no filter can look",
  },
  {
    call: "kill",
    rule: "own process only",
    reason: "abort and Deno's self-termination",
  },
  { call: "tgkill", rule: "own process only", reason: "abort and raise" },
  {
    call: "fcntl",
    rule: "DUPFD, GETFD, SETFD, GETFL, DUPFD_CLOEXEC",
    reason: "not SETFL: it could clear O_APPEND on the log",
  },
  {
    call: "prctl",
    rule:
      "names, dumpable, seccomp, no_new_privs, MDWE, names of mappings, SIGKILL as the parent-death signal; else EINVAL",
    reason:
      "a standby binds itself when it becomes the driver; no other signal and not none: a driver must not forget it",
  },
  {
    call: "arch_prctl",
    rule: "ARCH_SET_FS, ARCH_CET_STATUS; else EINVAL",
    reason: "libc's start on x86_64",
  },
  {
    call: "seccomp",
    rule: "strict and filter modes",
    reason: "stage 2: a further filter can only tighten",
  },
  {
    call: "prlimit64",
    rule: "reading",
    reason: "libc asks for the size of the stack",
  },
  {
    call: "socketpair",
    rule: "a stream pair of AF_UNIX",
    reason: "Deno's wake-up for signals; it leads nowhere but here",
  },
  { call: "sendto", rule: "without an address", reason: "as socketpair" },
  { call: "recvfrom", rule: "without an address", reason: "as socketpair" },
];

/** No driver does these by accident: the process is killed, and the supervisor sees SIGSYS. */
export const FATAL_CALLS: readonly string[] = words(`
  execveat ptrace process_vm_readv process_vm_writev process_madvise
  kcmp bpf perf_event_open userfaultfd io_uring_setup io_uring_enter
  io_uring_register keyctl add_key request_key init_module finit_module
  delete_module kexec_load kexec_file_load mount umount2 move_mount open_tree
  fsopen mount_setattr chroot setns unshare personality reboot swapon acct iopl
  ioperm open_by_handle_at pidfd_open pidfd_getfd pidfd_send_signal memfd_create
  memfd_secret setuid setgid setgroups setresuid setresgid capset fork vfork`);

/** What stage 2 takes away: everything that names a path. */
export const STAGE2_PATH_CALLS: readonly string[] = words(`
  open openat openat2 stat lstat readlink readlinkat access faccessat
  faccessat2 statfs getdents64 getcwd`);

// @__NO_SIDE_EFFECTS__
function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
