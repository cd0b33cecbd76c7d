/**
 * Attempts on files. In a run without a sandbox they succeed: each puts
 * back what it changed, so that rows do not depend on one another.
 */

import { AT_FDCWD } from "../../ffi/linux/file_status.ts";
import { cstring } from "../../ffi/linux/libc.ts";
import { DEVICE_DESCRIPTOR, LOG_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import type { ProbeContext, ProbeRow, ProbeTargets } from "./probe_rows.ts";

const RDONLY = 0;
const WRONLY = 1;
const RDWR = 2;
const CREAT = 0o100;
const APPEND = 0o2000;
const O_PATH = 0o10000000;
const DIRECTORY = Deno.build.arch === "aarch64" ? 0o40000 : 0o200000;
const TMPFILE = 0o20000000 | DIRECTORY;
const AT_REMOVEDIR = 0x200;

/** What a row does. */
export type Attempt = ProbeRow["attempt"];
type Where = (targets: ProbeTargets) => string;
/** What a row says besides. */
export type More = Partial<Omit<ProbeRow, "name" | "attempt">>;

/** Opens a path; what was made or opened is put away. */
function opening(path: Where, flags: number, isNew = false): Attempt {
  return async ({ call, libc, targets }) => {
    const args = [AT_FDCWD, cstring(path(targets)), flags, 0o600];
    const descriptor = await call("openat", args);
    if (descriptor >= 0) {
      libc.call("close", [descriptor]);
      if (isNew) remove(libc, path(targets));
    }
    return descriptor;
  };
}

function remove(libc: ProbeContext["libc"], path: string, flags = 0): void {
  libc.call("unlinkat", [AT_FDCWD, cstring(path), flags]);
}

/** A path that must be closed; Landlock alone does it. */
function path(name: string, attempt: Attempt, more: More = {}): ProbeRow {
  return {
    name,
    attempt,
    refusedBy: ["landlock"],
    refusal: ["EACCES"],
    ...more,
  };
}

/** A call the filter refuses. */
export function filtered(
  name: string,
  attempt: Attempt,
  more: More = {},
): ProbeRow {
  return {
    name,
    attempt,
    refusedBy: ["seccomp"],
    refusal: ["EPERM"],
    ...more,
  };
}

/** Refused by either layer. */
export const BOTH: More = {
  refusedBy: ["landlock", "seccomp"],
  refusal: ["EACCES", "EPERM"],
};
/** /dev entries that a machine or a container may lack. */
const MAYBE_ABSENT: More = {
  control: ["ENOENT", "ENXIO", "EPERM", "EACCES"],
  refusal: ["EACCES", "ENOENT"],
  needsRoot: true,
  isMainOnly: true,
};

const inScratch = (name: string): Where => ({ scratch }) =>
  `${scratch}/${name}`;
const fixed = (text: string): Where => () => text;

const READS: readonly ProbeRow[] = [
  path("open /etc/passwd", opening(fixed("/etc/passwd"), RDONLY)),
  path("open /etc/shadow", opening(fixed("/etc/shadow"), RDONLY), {
    needsRoot: true,
  }),
  path("open a private file", opening(inScratch("secret"), RDONLY)),
  path("open own code for writing", opening(({ script }) => script, WRONLY)),
  path("open libusb for writing", opening(({ library }) => library, RDWR), {
    needsRoot: true,
  }),
  path("open the device node by path", opening(({ node }) => node, RDWR)),
  path(
    "open another device's node",
    opening(({ otherNode }) => otherNode, RDWR),
  ),
  path("open /dev/urandom", opening(fixed("/dev/urandom"), RDONLY)),
  path("open /dev/null", opening(fixed("/dev/null"), RDWR)),
  path("open /dev/zero", opening(fixed("/dev/zero"), RDONLY)),
  path("open a disk", opening(fixed("/dev/loop0"), RDONLY), MAYBE_ABSENT),
  path("open /dev/kvm", opening(fixed("/dev/kvm"), RDWR), MAYBE_ABSENT),
  path("open /dev/kmsg", opening(fixed("/dev/kmsg"), RDONLY), {
    ...MAYBE_ABSENT,
    // Without capabilities the kernel itself may refuse.
    control: ["EPERM", "EACCES", "ENOENT"],
  }),
  path("open the log by path", opening(({ log }) => log, WRONLY | APPEND)),
  path(
    "create a file next to the log",
    opening(({ log }) => `${log}.x`, WRONLY | CREAT, true),
  ),
  path(
    "create a file in a writable folder",
    opening(inScratch("escape"), WRONLY | CREAT, true),
  ),
  path(
    "make a nameless file in a writable folder",
    opening(({ scratch }) => scratch, TMPFILE | RDWR),
    { control: ["EOPNOTSUPP"] },
  ),
  path(
    "open the device again through /proc/self/fd",
    opening(fixed(`/proc/self/fd/${DEVICE_DESCRIPTOR}`), RDWR),
  ),
  path("open own memory", opening(fixed("/proc/self/mem"), RDWR)),
  path(
    "open the environment of another process",
    opening(({ otherProcess }) => `/proc/${otherProcess}/environ`, RDONLY),
    // Without capabilities the kernel itself may refuse.
    { control: ["EACCES"] },
  ),
  path("list /", opening(fixed("/"), RDONLY | DIRECTORY)),
  path("list /dev", opening(fixed("/dev"), RDONLY | DIRECTORY)),
  path("open by O_PATH", opening(fixed("/etc/passwd"), O_PATH), {
    leaksUntilStage2: true,
  }),
  path(
    "look at /etc/passwd",
    ({ call, space }) =>
      call("newfstatat", [AT_FDCWD, cstring("/etc/passwd"), space, 0]),
    {
      leaksUntilStage2: true,
    },
  ),
  path(
    "read a symbolic link",
    ({ call, space }) =>
      call("readlinkat", [AT_FDCWD, cstring("/proc/self/exe"), space, 256]),
    {
      leaksUntilStage2: true,
    },
  ),
];

const WRITES: readonly ProbeRow[] = [
  filtered(
    "truncate the log by path",
    ({ call, targets }) => call("truncate", [cstring(targets.log), 0]),
    BOTH,
  ),
  filtered(
    "truncate the log's descriptor",
    ({ call }) => call("ftruncate", [LOG_DESCRIPTOR, 0]),
  ),
  filtered(
    "write into the log at its beginning",
    ({ call }) => call("pwrite64", [LOG_DESCRIPTOR, cstring("X"), 1, 0]),
  ),
  filtered("clear O_APPEND on the log", async ({ call, libc }) => {
    const F_SETFL = 4;
    const result = await call("fcntl", [LOG_DESCRIPTOR, F_SETFL, 0]);
    if (result >= 0) libc.call("fcntl", [LOG_DESCRIPTOR, F_SETFL, APPEND]);
    return result;
  }, { refusal: ["EINVAL"] }),
  filtered("make a folder", async ({ call, libc, targets }) => {
    const name = `${targets.scratch}/folder`;
    const result = await call("mkdirat", [AT_FDCWD, cstring(name), 0o700]);
    if (result >= 0) remove(libc, name, AT_REMOVEDIR);
    return result;
  }, BOTH),
  filtered("unlink the log", async ({ call, libc, targets }) => {
    const name = cstring(targets.log);
    const result = await call("unlinkat", [AT_FDCWD, name, 0]);
    if (result >= 0) {
      const made = libc.call("openat", [AT_FDCWD, name, WRONLY | CREAT, 0o640]);
      libc.call("close", [made]);
    }
    return result;
  }, BOTH),
  filtered("rename the log", async ({ call, libc, targets }) => {
    const from = cstring(targets.log);
    const to = cstring(`${targets.log}.moved`);
    const result = await call("renameat2", [AT_FDCWD, from, AT_FDCWD, to, 0]);
    if (result >= 0) {
      libc.call("renameat2", [AT_FDCWD, to, AT_FDCWD, from, 0]);
    }
    return result;
  }, BOTH),
  filtered("give the log another name", async ({ call, libc, targets }) => {
    const to = `${targets.log}.link`;
    const args = [AT_FDCWD, cstring(targets.log), AT_FDCWD, cstring(to), 0];
    const result = await call("linkat", args);
    if (result >= 0) remove(libc, to);
    return result;
  }, BOTH),
  filtered("make a symbolic link", async ({ call, libc, targets }) => {
    const name = `${targets.scratch}/link`;
    const args = [cstring("/etc/passwd"), AT_FDCWD, cstring(name)];
    const result = await call("symlinkat", args);
    if (result >= 0) remove(libc, name);
    return result;
  }, BOTH),
  filtered("chmod a file by path", ({ call, targets }) =>
    call("fchmodat", [
      AT_FDCWD,
      cstring(`${targets.scratch}/secret`),
      0o600,
    ])),
  filtered(
    "chmod the log's descriptor",
    ({ call }) => call("fchmod", [LOG_DESCRIPTOR, 0o640]),
  ),
  filtered(
    "allocate room in the log",
    ({ call }) => call("fallocate", [LOG_DESCRIPTOR, 0, 0, 4096]),
  ),
  filtered("openat2, which is on no list", async ({ call, libc }) => {
    const how = new Uint8Array(24);
    const args = [AT_FDCWD, cstring("/etc/passwd"), how, how.length];
    const descriptor = await call("openat2", args);
    if (descriptor >= 0) libc.call("close", [descriptor]);
    return descriptor;
  }, BOTH),
];

/** Files and metadata. */
export const FILE_ATTEMPTS: readonly ProbeRow[] = [...READS, ...WRITES];
