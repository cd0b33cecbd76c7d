/**
 * Starts that must not happen, as a table: what is set up, and the refusal that
 * must follow. What is wrong with a device of a virtual bus: `refusal_bus_rows.ts`.
 */

import type { LauncherRefusal } from "../../driver/host/sandbox_policy_failures.ts";
import type { SandboxPolicyInput } from "../../driver/host/sandbox_policy.ts";
import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import { isRoot, LIBUSB, type Scratch } from "./harness.ts";
import type { RefusedCall } from "./poorer_kernel.ts";

/** What is different in a start. */
export interface Scene {
  readonly policy?: Partial<SandboxPolicyInput>;
  readonly experiment?: LaunchExperiment;
  /** Another libc than the machine's. */
  readonly libcPath?: string;
  /** What the kernel refuses. */
  readonly kernelRefuses?: readonly RefusedCall[];
  /** What was opened for it. */
  readonly opened?: Disposable;
}

/** One start that must be refused. */
export interface Refusal {
  readonly name: string;
  readonly wanted: LauncherRefusal;
  /** Sets the scene and says what is different. */
  readonly scene: (scratch: Scratch) => Promise<Scene>;
}

/** An ordinary file plays the node. */
export const STAND_IN: LaunchExperiment = { standIn: true };

const LOGS: readonly Refusal[] = [
  {
    name: "the log is a symbolic link",
    wanted: "log-symlink",
    async scene({ path }): Promise<Scene> {
      await Deno.symlink(`${path}/writable/secret`, `${path}/log/link`);
      return { policy: { logPath: `${path}/log/link` } };
    },
  },
  {
    name: "the log is a FIFO",
    wanted: "log-not-file",
    async scene({ path }): Promise<Scene> {
      await new Deno.Command("mkfifo", { args: [`${path}/log/fifo`] }).output();
      return { policy: { logPath: `${path}/log/fifo` } };
    },
  },
  {
    name: "the log is a FIFO that somebody reads",
    wanted: "log-not-file",
    async scene({ path }): Promise<Scene> {
      await new Deno.Command("mkfifo", { args: [`${path}/log/fifo`] }).output();
      // Opened for both, a FIFO does not wait.
      const opened = await Deno.open(`${path}/log/fifo`, {
        read: true,
        write: true,
      });
      return { policy: { logPath: `${path}/log/fifo` }, opened };
    },
  },
  {
    name: "the log is a folder",
    wanted: "log-not-file",
    async scene({ path }): Promise<Scene> {
      await Deno.mkdir(`${path}/log/folder`);
      return { policy: { logPath: `${path}/log/folder` } };
    },
  },
  {
    name: "the log's folder is open to all",
    wanted: "log-folder-shared",
    async scene({ path }): Promise<Scene> {
      await Deno.chmod(`${path}/log`, 0o777);
      return {};
    },
  },
  {
    name: "the log's folder is sticky, as /tmp is",
    wanted: "log-folder-shared",
    async scene({ path }): Promise<Scene> {
      await Deno.chmod(`${path}/log`, 0o1777);
      return {};
    },
  },
  {
    name: "a folder above the log is open to all",
    wanted: "log-folder-shared",
    async scene({ path }): Promise<Scene> {
      await Deno.mkdir(`${path}/open/log`, { recursive: true });
      await Deno.chmod(`${path}/open`, 0o777);
      return { policy: { logPath: `${path}/open/log/driver.log` } };
    },
  },
  {
    name: "the log has another name",
    wanted: "log-hard-link",
    async scene({ path, log }): Promise<Scene> {
      await Deno.link(log, `${path}/writable/other-name`);
      return {};
    },
  },
  {
    name: "the log's folder does not exist",
    wanted: "log-missing",
    scene: ({ path }) =>
      Promise.resolve({ policy: { logPath: `${path}/absent/driver.log` } }),
  },
  {
    name: "the log lies beside libusb",
    wanted: "log-overlap",
    async scene({ path }): Promise<Scene> {
      const library = `${path}/log/libusb-1.0.so.0`;
      await Deno.copyFile(LIBUSB, library);
      return { policy: { libraryPath: library } };
    },
  },
  {
    name: "the log is libusb, by another path",
    wanted: "log-overlap",
    async scene({ path }): Promise<Scene> {
      await Deno.copyFile(LIBUSB, `${path}/log/library`);
      await Deno.symlink(`${path}/log/library`, `${path}/writable/libusb.so`);
      return {
        policy: {
          libraryPath: `${path}/writable/libusb.so`,
          logPath: `${path}/log/library`,
        },
      };
    },
  },
];

const DEVICES: readonly Refusal[] = [
  {
    name: "the node is an ordinary file",
    wanted: "device-not-usb",
    scene: () => Promise.resolve({ experiment: {} }),
  },
  {
    name: "the node is another character device",
    wanted: "device-not-usb",
    scene: () =>
      Promise.resolve({
        policy: { nodePath: "/dev/null" },
        experiment: {},
      }),
  },
  {
    name: "the node is a symbolic link",
    wanted: "device-symlink",
    async scene({ path, node }): Promise<Scene> {
      await Deno.symlink(node, `${path}/link`);
      return { policy: { nodePath: `${path}/link` }, experiment: {} };
    },
  },
  {
    name: "the node is gone",
    wanted: "device-missing",
    scene: ({ path }) =>
      Promise.resolve({
        policy: { nodePath: `${path}/absent` },
        experiment: {},
      }),
  },
];

const LAYERS: readonly Refusal[] = [
  {
    name: "the kernel has no Landlock",
    wanted: "landlock-missing",
    scene: () =>
      Promise.resolve({ experiment: { ...STAND_IN, pretendAbi: 0 } }),
  },
  {
    name: "the kernel's Landlock is too old",
    wanted: "landlock-old",
    scene: () =>
      Promise.resolve({
        policy: { landlockAbiMinimum: 3 },
        experiment: { ...STAND_IN, pretendAbi: 2 },
      }),
  },
  {
    name: "a version is demanded that no kernel has",
    wanted: "landlock-old",
    scene: () => Promise.resolve({ policy: { landlockAbiMinimum: 1000 } }),
  },
  {
    name: "the driver's code is missing",
    wanted: "landlock-path",
    scene: ({ path }) =>
      Promise.resolve({ policy: { driverPath: `${path}/absent.js` } }),
  },
  {
    name: "the parent is another process",
    wanted: "parent-gone",
    scene: () => Promise.resolve({ policy: { parentProcessId: 1 } }),
  },
  {
    name: "the driver finds itself without Landlock",
    wanted: "not-confined",
    scene: () =>
      Promise.resolve({ experiment: { ...STAND_IN, omitLandlock: true } }),
  },
  {
    name: "the driver finds itself without seccomp",
    wanted: "not-confined",
    scene: () =>
      Promise.resolve({ experiment: { ...STAND_IN, omitSeccomp: true } }),
  },
  {
    name: "libusb is missing",
    wanted: "landlock-path",
    scene: ({ path }) =>
      Promise.resolve({ policy: { libraryPath: `${path}/absent.so` } }),
  },
  {
    name: "libc is missing",
    wanted: "library",
    scene: ({ path }) => Promise.resolve({ libcPath: `${path}/absent.so` }),
  },
  {
    name: "the runtime may not be executed",
    wanted: "execute",
    scene: () =>
      Promise.resolve({
        experiment: { ...STAND_IN, omitPaths: [Deno.execPath()] },
      }),
  },
];

/** `errno` of Linux, include/uapi/asm-generic. */
const [EPERM, EIO, EACCES, EEXIST, EINVAL] = [1, 5, 13, 17, 22];
const [EMFILE, EROFS, ENOSYS, EOPNOTSUPP] = [24, 30, 38, 95];
/** include/uapi/linux/prctl.h. */
const [PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE] = [4, 38, 65];
const [PR_SET_PDEATHSIG, PR_CAPBSET_DROP] = [1, 24];
/** include/uapi/asm-generic/fcntl.h. */
const [O_ACCMODE, O_RDWR, O_CREAT] = [3, 2, 0o100];
/** MAP_PRIVATE, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE. include/uapi/linux/mman.h. */
const AT_A_FREE_ADDRESS = 0x100022;
/** Where the launcher keeps descriptors until they get their numbers. */
const HIGH_DESCRIPTOR = 200;
/** What the address of the secret page is made from. */
const RANDOM_BYTES = 8;
/** SECCOMP_FILTER_FLAG_TSYNC: stage 2. */
const TSYNC = 1;

/** What a kernel answers that was built or booted without a layer, or does not let us have it. */
const KERNELS: readonly Refusal[] = [
  kernel("the kernel was built without seccomp filters", "seccomp", {
    kernelRefuses: [{ call: "seccomp", errno: EINVAL }],
  }),
  kernel("the kernel was built without Landlock", "landlock-missing", {
    kernelRefuses: [{ call: "landlock_create_ruleset", errno: ENOSYS }],
  }),
  kernel("Landlock was not chosen at boot", "landlock-missing", {
    kernelRefuses: [{ call: "landlock_create_ruleset", errno: EOPNOTSUPP }],
  }),
  kernel("Landlock cannot be entered", "landlock-missing", {
    kernelRefuses: [{ call: "landlock_restrict_self", errno: EPERM }],
  }),
  kernel("namespaces are asked for and refused", "namespaces", {
    policy: { isolate: true },
    kernelRefuses: [{ call: "unshare", errno: EPERM }],
  }),
  kernel("limits cannot be set", "limits", {
    kernelRefuses: [{ call: "prlimit64", errno: EPERM, unlessZero: 2 }],
  }),
  kernel("executable memory cannot be denied", "executable-memory", {
    policy: { profile: "jitless" },
    kernelRefuses: [{
      call: "prctl",
      errno: EINVAL,
      only: { argument: 0, value: PR_SET_MDWE },
    }],
  }),
  kernel("the log's file system is read-only", "log-access", {
    kernelRefuses: [{
      call: "openat",
      errno: EROFS,
      only: { argument: 2, value: O_CREAT, mask: O_CREAT },
    }],
  }),
  kernel("new privileges cannot be given up", "seccomp", {
    kernelRefuses: [prctl(PR_SET_NO_NEW_PRIVS)],
  }),
  kernel("the filter of stage 2 is refused", "seccomp", {
    kernelRefuses: [{
      call: "seccomp",
      errno: EINVAL,
      only: { argument: 1, value: TSYNC },
    }],
  }),
  kernel("the process stays dumpable", "internal", {
    kernelRefuses: [prctl(PR_SET_DUMPABLE)],
  }),
  kernel("the node may not be opened", "device-access", {
    kernelRefuses: [openOfNode(EACCES)],
  }),
  kernel("the device does not answer when it is opened", "device-io", {
    kernelRefuses: [openOfNode(EIO)],
  }),
  kernel("too many files are open for the node", "limits", {
    kernelRefuses: [openOfNode(EMFILE)],
  }),
  kernel("every address for the secret page is taken", "memory", {
    kernelRefuses: [{
      call: "mmap",
      errno: EEXIST,
      only: { argument: 3, value: AT_A_FREE_ADDRESS },
    }],
  }),
  kernel("there is no room for a descriptor", "internal", {
    kernelRefuses: [{
      call: "fcntl",
      errno: EMFILE,
      only: { argument: 2, value: HIGH_DESCRIPTOR },
    }],
  }),
  // As containers did whose runtime had not heard of the call, and do.
  kernel("a container refuses close_range", "descriptors", {
    kernelRefuses: [{ call: "close_range", errno: EPERM }],
  }),
  kernel("a container does not know close_range", "descriptors", {
    kernelRefuses: [{ call: "close_range", errno: ENOSYS }],
  }),
  kernel("Landlock takes no rules", "landlock-missing", {
    kernelRefuses: [{ call: "landlock_add_rule", errno: EINVAL }],
  }),
  kernel("a call fails that nobody expects to", "internal", {
    kernelRefuses: [{
      call: "getrandom",
      errno: ENOSYS,
      only: { argument: 1, value: RANDOM_BYTES },
    }],
  }),
  kernel("the user cannot be changed", "identity", {
    policy: { user: { userId: 1, groupId: 1 } },
    kernelRefuses: [{ call: "setgroups", errno: EPERM }],
  }),
  kernel("no signal comes at the parent's death", "parent-gone", {
    policy: { parentProcessId: Deno.pid },
    kernelRefuses: [prctl(PR_SET_PDEATHSIG)],
  }),
];

/** The one open of a launcher that reads and writes. */
function openOfNode(errno: number): RefusedCall {
  const only = { argument: 2, value: O_RDWR, mask: O_ACCMODE };
  return { call: "openat", errno, only };
}

function prctl(option: number): RefusedCall {
  const only = { argument: 0, value: option };
  return { call: "prctl", errno: EINVAL, only };
}

function kernel(
  name: string,
  wanted: LauncherRefusal,
  scene: Scene,
): Refusal {
  return { name, wanted, scene: () => Promise.resolve(scene) };
}

const OF_ROOT: readonly Refusal[] = [
  kernel("capabilities cannot be dropped for good", "identity", {
    kernelRefuses: [prctl(PR_CAPBSET_DROP)],
  }),
  kernel("capabilities cannot be dropped", "identity", {
    kernelRefuses: [{ call: "capset", errno: EPERM }],
  }),
];

const UNPRIVILEGED: readonly Refusal[] = [
  kernel("another user is asked for without root", "identity", {
    policy: { user: { userId: 1, groupId: 1 } },
  }),
];

/** All that can be tried by this user. */
export const REFUSAL_ROWS: readonly Refusal[] = [
  ...LOGS,
  ...DEVICES,
  ...LAYERS,
  ...KERNELS,
  ...(isRoot ? OF_ROOT : UNPRIVILEGED),
];
