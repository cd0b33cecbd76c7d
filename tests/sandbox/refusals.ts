/**
 * Starts that must not happen: each ends with its exit code and a named reason,
 * and no driver has run.
 */

import {
  type LauncherRefusal,
  parseRefusal,
} from "../../driver/host/sandbox_policy_failures.ts";
import type { SandboxPolicyInput } from "../../driver/host/sandbox_policy.ts";
import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import type { RefusedCall } from "./poorer_kernel.ts";
import {
  bundleOf,
  finish,
  isRoot,
  LIBUSB,
  runLaunch,
  Scratch,
} from "./harness.ts";

/** What is different in a start. */
interface Scene {
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
interface Refusal {
  readonly name: string;
  readonly wanted: LauncherRefusal;
  /** Sets the scene and says what is different. */
  readonly scene: (scratch: Scratch) => Promise<Scene>;
}

/** What came of it. */
export interface RefusalResult {
  readonly name: string;
  readonly isRight: boolean;
  readonly text: string;
}

const STAND_IN: LaunchExperiment = { standIn: true };

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
];

/** `errno` of Linux, include/uapi/asm-generic. */
const [EPERM, EINVAL, EROFS, ENOSYS, EOPNOTSUPP] = [1, 22, 30, 38, 95];
const PR_SET_MDWE = 65;
const O_CREAT = 0o100;

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
];

function kernel(
  name: string,
  wanted: LauncherRefusal,
  scene: Scene,
): Refusal {
  return { name, wanted, scene: () => Promise.resolve(scene) };
}

const UNPRIVILEGED: Refusal = {
  name: "another user is asked for without root",
  wanted: "identity",
  scene: () => Promise.resolve({ policy: { user: { userId: 1, groupId: 1 } } }),
};

/** Tries them all. */
export async function runRefusals(): Promise<readonly RefusalResult[]> {
  const results: RefusalResult[] = [];
  const all = [...LOGS, ...DEVICES, ...LAYERS, ...KERNELS];
  for (const refusal of isRoot ? all : [...all, UNPRIVILEGED]) {
    results.push(await tryRefusal(refusal));
  }
  results.push(await withoutLauncher(), await wrongCommandLine());
  return results;
}

async function tryRefusal(refusal: Refusal): Promise<RefusalResult> {
  await using scratch = await Scratch.make();
  const scene = await refusal.scene(scratch);
  using _opened = scene.opened;
  const { policy = {}, experiment = STAND_IN } = scene;
  const { libcPath, kernelRefuses } = scene;
  const driver = await bundleOf("echo_driver");
  const { code, stdout, stderr } = await runLaunch({
    scratch,
    driver,
    driverArguments: [LIBUSB],
    policy,
    experiment,
    ...(libcPath === undefined ? {} : { libcPath }),
    ...(kernelRefuses === undefined ? {} : { kernelRefuses }),
  });
  const found = parseRefusal(stderr)?.refusal;
  return {
    name: refusal.name,
    isRight: code === 77 && found === refusal.wanted && stdout === "",
    text: `${code}, ${found}, ${stderr.trim()}`,
  };
}

/** A driver that is simply run. */
async function withoutLauncher(): Promise<RefusalResult> {
  const driver = await bundleOf("echo_driver");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--allow-ffi=${LIBUSB}`,
      driver,
      LIBUSB,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { code, stdout, stderr } = await finish(child);
  return {
    name: "the driver is started without a launcher",
    isRight: code === 77 && stdout === "" &&
      parseRefusal(stderr)?.refusal === "not-confined",
    text: `${code}, ${stderr.trim()}`,
  };
}

/** The real entry, which has no option that weakens. */
async function wrongCommandLine(): Promise<RefusalResult> {
  const launcher = await bundleOf("launcher");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--allow-ffi=${LIBUSB}`,
      launcher,
      "--no-landlock",
      "--",
      "/driver.js",
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { code, stderr } = await finish(child);
  return {
    name: "the launcher is asked to leave a layer out",
    isRight: code === 78 && parseRefusal(stderr)?.refusal === "configuration",
    text: `${code}, ${stderr.trim()}`,
  };
}
