/**
 * The command lines: how a supervisor (or systemd) starts the launcher, and
 * what the launcher becomes.
 *
 * @module
 */

import { DRIVER_HEAP_MEBIBYTES } from "../limits.ts";
import { launcherArguments } from "./sandbox_policy_arguments.ts";
import type { SandboxPolicy } from "./sandbox_policy.ts";

/** What the machine gives: nothing here is read from it. */
export interface LauncherHost {
  /** `Deno.execPath()`. */
  readonly denoPath: string;
  /** The launcher's module, `ffi/linux/launcher_main.ts` or a bundle of it. */
  readonly launcherPath: string;
  /** libc, for a launcher that loads nothing else; default: reached through the policy's library. */
  readonly libcPath?: string;
  /** Folder of compiled modules, for a launcher that is not bundled. */
  readonly denoFolder?: string;
}

/** A process to start: exactly this, with nothing inherited. */
export interface LauncherCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment: start it with `clearEnv`. */
  readonly env: Readonly<Record<string, string>>;
  readonly clearEnv: true;
}

/** Descriptors the runtime lets `node:fs` use: the log's. */
export const LOG_DESCRIPTOR_TEXT = "101";

/** Flags of every Deno process here: no question, no file and no network beside the command line. */
const CLOSED = [
  "run",
  "--quiet",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
] as const;

/**
 * For the launcher: it is over before V8's other threads could be of use, and
 * starting and stopping them takes longer than what it does.
 */
const SHORT_LIVED = "--v8-flags=--single-threaded";

/**
 * For the driver. V8 keeps its built-in functions close to compiled code by
 * mapping them once more from the runtime's file. Behind Landlock it cannot,
 * and copies 2 MB instead, which takes a sixth of the start. Called where they
 * are, they serve transfers as fast.
 */
const BUILT_INS_IN_PLACE = "--no-short-builtin-calls";

/** For the driver without new code. It has no code that built-ins could be close to. */
const NO_NEW_CODE = "--jitless";

/**
 * How glibc's malloc gets and returns memory. By default each thread has a heap
 * of its own, a heap grows by 132 KB, and what V8's parser frees goes back to
 * the kernel, to be asked for again a moment later: 400 page faults of a start,
 * each dearer than what the memory is for. One heap that grows by 1 MiB and
 * keeps up to 16 MiB of what was freed has none of them. Blocks of 4 MiB and
 * more still go back at once, so a driver that runs for months keeps no more
 * than that. Other C libraries do not know the name.
 */
export const MALLOC_TUNABLES: string = tunables(["top_pad=1048576"]);

/**
 * For the launcher besides: memory in huge pages, where the kernel leaves that
 * to programs, so that what its start touches comes in a few faults instead of
 * hundreds. A heap has one only if it grows by more than its 2 MiB. The C
 * library looks in `/sys` whether there are any, which a driver may not.
 */
export const LAUNCHER_TUNABLES: string = tunables([
  "top_pad=8388608",
  "hugetlb=1",
]);

function tunables(words: readonly string[]): string {
  return [
    "arena_max=1",
    "trim_threshold=16777216",
    "mmap_threshold=4194304",
    ...words,
  ].map((word) => `glibc.malloc.${word}`).join(":");
}

/** A folder that cannot be made, whoever asks: Deno does without its cache. */
const NO_FOLDER = "/proc/nonexistent";

/** How to start the launcher. */
export function buildLauncherCommand(
  policy: SandboxPolicy,
  host: LauncherHost,
): LauncherCommand {
  return command(policy, host, []);
}

/**
 * How to give the policy's interfaces back to their kernel drivers when the
 * driver has ended: it gave that right up itself.
 */
export function buildReattachCommand(
  policy: SandboxPolicy,
  host: LauncherHost,
): LauncherCommand {
  return command(policy, host, ["--reattach"]);
}

function command(
  policy: SandboxPolicy,
  host: LauncherHost,
  mode: readonly string[],
): LauncherCommand {
  const library = host.libcPath ?? policy.libraryPath;
  return {
    command: host.denoPath,
    args: [
      ...CLOSED,
      SHORT_LIVED,
      `--allow-ffi=${library}`,
      host.launcherPath,
      `--libc=${library}`,
      ...mode,
      ...launcherArguments(policy),
    ],
    env: {
      PATH: "/nonexistent",
      HOME: "/nonexistent",
      LANG: "C.UTF-8",
      TZ: "UTC",
      NO_COLOR: "1",
      DENO_DIR: host.denoFolder ?? NO_FOLDER,
      DENO_NO_PACKAGE_JSON: "1",
      DENO_NO_UPDATE_CHECK: "1",
      DENO_NO_PROMPT: "1",
      GLIBC_TUNABLES: LAUNCHER_TUNABLES,
    },
    clearEnv: true,
  };
}

/** What the launcher executes. `report` is what it did, for the driver to check and pass on. */
export function driverCommandLine(
  policy: SandboxPolicy,
  runtime: { readonly denoPath: string; readonly report: string },
): readonly string[] {
  return [
    runtime.denoPath,
    ...CLOSED,
    heapFlag([policy.profile === "jitless" ? NO_NEW_CODE : BUILT_INS_IN_PLACE]),
    `--allow-ffi=${ffiPaths(policy).join(",")}`,
    policy.driverPath,
    ...policy.driverArguments,
    `--sandbox=${runtime.report}`,
  ];
}

/**
 * For a driver. V8 makes objects of a kind that outlived its first collections
 * among the old ones right away. What belongs to a transfer outlives those of a
 * busy start only; made old, it keeps its young neighbours alive after it, and
 * each collection copies megabytes of them: pauses of 10 to 30 ms instead of 1.
 */
const BORN_YOUNG = "--no-allocation-site-pretenuring";

/** Bounds the memory of a driver's JavaScript, beside other flags of V8. */
export function heapFlag(others: readonly string[] = []): string {
  const bound = `--max-old-space-size=${DRIVER_HEAP_MEBIBYTES}`;
  return `--v8-flags=${[bound, BORN_YOUNG, ...others].join(",")}`;
}

/** The driver's whole environment, as `NAME=value`. */
export function driverEnvironment(policy: SandboxPolicy): readonly string[] {
  const { virtualBus } = policy;
  return [
    "PATH=/nonexistent",
    "HOME=/nonexistent",
    "LANG=C.UTF-8",
    "TZ=UTC",
    "NO_COLOR=1",
    `DENO_DIR=${NO_FOLDER}`,
    "DENO_NO_PACKAGE_JSON=1",
    "DENO_NO_UPDATE_CHECK=1",
    "DENO_NO_PROMPT=1",
    `GLIBC_TUNABLES=${MALLOC_TUNABLES}`,
    `DENO_EXTRA_STDIO_FDS=${LOG_DESCRIPTOR_TEXT}`,
    ...(virtualBus === undefined ? [] : [
      `LD_PRELOAD=${virtualBus.preloadPath}`,
      `UMOCKDEV_DIR=${virtualBus.rootPath}`,
    ]),
  ];
}

function ffiPaths(policy: SandboxPolicy): readonly string[] {
  const preload = policy.virtualBus?.preloadPath;
  return preload === undefined
    ? [policy.libraryPath]
    : [policy.libraryPath, preload];
}
