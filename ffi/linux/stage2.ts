/**
 * What the driver does itself: checks that it is confined before it touches its
 * device, and closes the doors that only start-up needed before it says READY.
 *
 * Runs under `--allow-ffi=<libusb>` alone. Afterwards there works what is bound
 * and open: FFI calls, sync and nonblocking, libusb's event handling; `node:fs`
 * `writeSync` and `fsyncSync` on the log; stdin, stdout, stderr; timers, chance,
 * digests, `Intl`, signal listeners, workers made from a Blob, `node:` built-ins
 * that are in the bundle. There does not work: `dlopen`, opening or looking at
 * any path, `import()` of files, sockets, processes, and `Deno.memoryUsage().rss`,
 * which is 0: ask `process.resourceUsage().maxRSS`.
 *
 * @module
 */

import {
  type LauncherRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import type {
  LauncherReport,
  SandboxReport,
} from "../../driver/host/sandbox_policy_report.ts";
import {
  USB_REQUESTS,
  USB_REQUESTS_OF_THE_LAUNCHER,
} from "../../driver/host/sandbox_policy_requests.ts";
import { ERRNO, errnoName } from "./errno.ts";
import { AT_FDCWD } from "./file_status.ts";
import { cstring, type Libc } from "./libc.ts";
import {
  DEVICE_DESCRIPTOR,
  installFilter,
  lockdownFilter,
  LOG_DESCRIPTOR,
  programAddress,
} from "./seccomp.ts";

/** include/uapi/linux/prctl.h. */
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const PR_GET_SECCOMP = 21;
const PR_GET_NO_NEW_PRIVS = 39;
const PR_SET_MDWE = 65;
const PR_GET_MDWE = 66;
const SECCOMP_MODE_FILTER = 2;
/** errno is wrong once in a hundred thousand calls (libc.ts): what looks wrong is asked again. */
const ATTEMPTS = 3;
const PERMISSIONS = [
  "ffi",
  "read",
  "write",
  "net",
  "env",
  "sys",
  "run",
  "import",
] as const;

/**
 * Checks that the launcher did its work. Call it first of all.
 *
 * @throws {LaunchRefused} `not-confined`; end the process with its exit code.
 */
export function verifyConfined(
  libc: Libc,
  report: LauncherReport | undefined,
): LauncherReport {
  const missing = failedProbes(libc, LAUNCHER_PROBES);
  if (report === undefined) missing.push("no report of a launcher");
  else if (!report.seccomp || report.landlockAbi < 1) {
    missing.push("the launcher left a layer out");
  }
  if (missing.length > 0 || report === undefined) {
    throw new LaunchRefused(
      "not-confined",
      `Cannot run the driver: ${missing.join(", ")}`,
    );
  }
  return report;
}

/**
 * Enters stage 2. Call it after the last dlopen, open and claim, before READY.
 *
 * @throws {LaunchRefused} `seccomp`, `executable-memory`, `internal` when it cannot be entered;
 *   `not-confined` when a probe afterwards is not refused.
 */
export async function enterStage2(
  libc: Libc,
  report: LauncherReport | undefined,
): Promise<SandboxReport> {
  const launcher = verifyConfined(libc, report);
  const noNewCode = launcher.profile === "jitless";
  const filter = lockdownFilter({ noNewCode }, libc.architecture);
  // Memory first: with the filter in force there may be none of the right kind.
  const program = programAddress(libc, filter);
  const undumpable = libc.call("prctl", [PR_SET_DUMPABLE, 0, 0, 0, 0]);
  succeed("internal", "prctl(PR_SET_DUMPABLE)", undumpable);
  if (noNewCode) {
    const denied = libc.call("prctl", [PR_SET_MDWE, 1, 0, 0, 0]);
    succeed("executable-memory", "prctl(PR_SET_MDWE)", denied);
  }
  const installed = installFilter(libc, program, { allThreads: true });
  succeed("seccomp", "seccomp", installed);
  revokePermissions();
  return await selfProbe(libc, launcher, noNewCode);
}

/** Gives up every permission of the runtime; what is bound and open stays usable. */
export function revokePermissions(): void {
  for (const name of PERMISSIONS) Deno.permissions.revokeSync({ name });
}

function succeed(
  refusal: LauncherRefusal,
  step: string,
  result: number,
): void {
  // A positive result of TSYNC is the id of a thread that could not follow.
  if (result === 0) return;
  const why = result < 0 ? errnoName(-result) : `thread ${result}`;
  throw new LaunchRefused(
    refusal,
    `Cannot enter stage 2: ${step}: ${why}`,
  );
}

async function selfProbe(
  libc: Libc,
  launcher: LauncherReport,
  noNewCode: boolean,
): Promise<SandboxReport> {
  const probes = [
    ...LAUNCHER_PROBES,
    ...STAGE2_PROBES,
    ...(noNewCode ? JITLESS_PROBES : []),
  ];
  // First: a pool thread has to start, which takes longer than all the others.
  const onPool = libc.callOnPool("openat", OPEN_PASSWD);
  const failed = failedProbes(libc, probes);
  if (await onPool >= 0) failed.push(POOL_PROBE);
  const granted = PERMISSIONS.filter((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );
  if (granted.length > 0) failed.push(`permissions ${granted.join(", ")}`);
  if (failed.length > 0) {
    throw new LaunchRefused(
      "not-confined",
      `Cannot run the driver: not refused: ${failed.join(", ")}`,
    );
  }
  const verified = [
    ...probes.map(({ name }) => name),
    POOL_PROBE,
    "permissions revoked",
  ];
  return { ...launcher, stage2: true, noNewCode, verified, failed };
}

/** An attempt from inside, and the one answer that is right. */
interface Probe {
  readonly name: string;
  readonly attempt: (libc: Libc) => number;
  readonly wanted: number;
}

const OPEN_PASSWD = [AT_FDCWD, cstring("/etc/passwd"), 0, 0] as const;
const POOL_PROBE = "open a file on a pool thread";

const LAUNCHER_PROBES: readonly Probe[] = [
  {
    name: "seccomp",
    attempt: (libc) => libc.call("prctl", [PR_GET_SECCOMP, 0, 0, 0, 0]),
    wanted: SECCOMP_MODE_FILTER,
  },
  {
    name: "no_new_privs",
    attempt: (libc) => libc.call("prctl", [PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0]),
    wanted: 1,
  },
  {
    name: "open a file",
    attempt: (libc) => libc.call("openat", OPEN_PASSWD),
    wanted: -ERRNO.EACCES,
  },
];

/** Arguments are such that the kernel itself would answer otherwise, without doing harm. */
const STAGE2_PROBES: readonly Probe[] = [
  {
    name: "not dumpable",
    attempt: (libc) => libc.call("prctl", [PR_GET_DUMPABLE, 0, 0, 0, 0]),
    wanted: 0,
  },
  {
    name: "look at a path",
    attempt: (libc) =>
      libc.call("newfstatat", [
        AT_FDCWD,
        cstring("/etc/passwd"),
        new Uint8Array(256),
        0,
      ]),
    wanted: -ERRNO.EACCES,
  },
  {
    name: "make a socket",
    attempt: (libc) => libc.call("socket", [1, 1, 0]),
    wanted: -ERRNO.EPERM,
  },
  {
    name: "make a process",
    // CLONE_SIGHAND without CLONE_VM: the kernel itself says EINVAL.
    attempt: (libc) => libc.call("clone", [0x800, 0, 0, 0, 0]),
    wanted: -ERRNO.EPERM,
  },
  {
    name: "signal another process",
    // No such signal: the kernel itself says EINVAL.
    attempt: (libc) => libc.call("kill", [1, 255]),
    wanted: -ERRNO.EPERM,
  },
  {
    name: "detach a kernel driver",
    attempt: (libc) =>
      libc.call("ioctl", [
        DEVICE_DESCRIPTOR,
        USB_REQUESTS_OF_THE_LAUNCHER.IOCTL,
        new Uint8Array(16),
      ]),
    wanted: -ERRNO.EPERM,
  },
  {
    name: "a USB request on another descriptor",
    attempt: (libc) =>
      libc.call("ioctl", [
        LOG_DESCRIPTOR,
        USB_REQUESTS[0]?.number ?? 0,
        new Uint8Array(8),
      ]),
    wanted: -ERRNO.EPERM,
  },
  {
    name: "make the log writable anywhere",
    attempt: (libc) => libc.call("fcntl", [LOG_DESCRIPTOR, 4, 0]),
    wanted: -ERRNO.EINVAL,
  },
];

const JITLESS_PROBES: readonly Probe[] = [
  {
    name: "make executable memory",
    // PROT_READ|WRITE|EXEC, private and anonymous.
    attempt: (libc) => libc.call("mmap", [0, 4096, 7, 0x22, -1, 0]),
    wanted: -ERRNO.EPERM,
  },
  {
    name: "memory-deny-write-execute",
    attempt: (libc) => libc.call("prctl", [PR_GET_MDWE, 0, 0, 0, 0]),
    wanted: 1,
  },
];

/** Names of the probes that were not answered as they must be. */
function failedProbes(libc: Libc, probes: readonly Probe[]): string[] {
  const isRefused = ({ attempt, wanted }: Probe): boolean => {
    for (let count = 0; count < ATTEMPTS; count++) {
      if (attempt(libc) === wanted) return true;
    }
    return false;
  };
  return probes.filter((probe) => !isRefused(probe)).map(({ name }) => name);
}
