/**
 * Runs the probe in each mode and judges its answers row by row.
 */

import { errnoName } from "../../ffi/linux/errno.ts";
import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import {
  bundleOf,
  exists,
  finish,
  isRoot,
  launchCommand,
  LIBUSB,
  Scratch,
} from "./harness.ts";
import type { ProbeAnswer } from "./probe.ts";
import {
  isRefusedIn,
  type KillingCall,
  PROBE_ROWS,
  type ProbeMode,
  type ProbeRow,
  type ProbeTargets,
} from "./probe_rows.ts";

/** One answer, judged. */
export interface Cell {
  readonly row: ProbeRow;
  readonly mode: ProbeMode;
  readonly thread: "main" | "pool";
  /** `yes`, or what the kernel said; `denied` on a pool thread. */
  readonly text: string;
  readonly isRefused: boolean;
  readonly isRight: boolean;
}

const EXPERIMENTS: Readonly<
  Record<Exclude<ProbeMode, "none">, LaunchExperiment>
> = {
  landlock: { standIn: true, omitSeccomp: true },
  seccomp: { standIn: true, omitLandlock: true },
  both: { standIn: true },
  stage2: { standIn: true },
};

/** How to run it besides the mode. */
export interface ProbeRunOptions {
  /** Runs as this user, with a runtime that it may execute. */
  readonly user?: { readonly userId: number; readonly groupId: number };
  readonly denoPath?: string;
  readonly driver?: string;
  /** The Landlock version to take the kernel for. */
  readonly pretendAbi?: number;
  readonly profile?: "default" | "jitless";
}

/**
 * Runs all rows in a mode.
 *
 * @throws {Error} When the probe did not come to its end.
 */
export async function runProbe(
  mode: ProbeMode,
  options: ProbeRunOptions = {},
): Promise<readonly Cell[]> {
  await using scratch = await Scratch.make();
  if (options.user !== undefined) await giveTo(scratch, options.user);
  await using other = new Sleeper();
  await using sibling = await Sibling.start(scratch.path);
  const targets: ProbeTargets = {
    node: scratch.node,
    otherNode: `${scratch.path}/other-node`,
    log: scratch.log,
    scratch: `${scratch.path}/writable`,
    script: options.driver ?? await bundleOf("probe"),
    library: LIBUSB,
    otherProcess: other.pid,
    sibling: sibling.pid,
  };
  const child = mode === "none"
    ? await startUnconfined(scratch, targets)
    : await startConfined(scratch, targets, { mode, options });
  const { code, stdout, stderr } = await finish(child);
  const answers = stdout.trim().split("\n").map((line) =>
    JSON.parse(line === "" ? "{}" : line) as ProbeAnswer
  );
  const wanted = PROBE_ROWS.length +
    PROBE_ROWS.filter(({ isMainOnly }) => isMainOnly !== true).length;
  if (code !== 0 || answers.length !== wanted) {
    throw new Error(
      `The probe ended with ${code} after ${answers.length} of ${wanted} answers: ${stderr}`,
    );
  }
  const isControlRoot = isRoot && options.user === undefined;
  return answers.map((answer) => judge(answer, mode, isControlRoot));
}

/** Runs one call that must kill; gives how the process ended. */
export async function runKill(
  call: KillingCall,
): Promise<{ readonly isKilled: boolean; readonly text: string }> {
  await using scratch = await Scratch.make();
  const driver = await bundleOf("probe");
  const child = (await launchCommand({
    scratch,
    driver,
    driverArguments: [LIBUSB, "{}", `--kill=${call}`],
  })).spawn();
  const { code, signal, stdout } = await finish(child);
  const SIGSYS = 31;
  return {
    isKilled: signal === "SIGSYS" && code === 128 + SIGSYS,
    text: signal ?? `${code} ${stdout.trim()}`,
  };
}

function judge(
  answer: ProbeAnswer,
  mode: ProbeMode,
  isControlRoot: boolean,
): Cell {
  const row = PROBE_ROWS.find(({ name }) => name === answer.name);
  if (row === undefined) throw new Error(`No row ${answer.name}`);
  const { thread, result } = answer;
  const name = result < 0 ? errnoName(-result) : "yes";
  const isPool = thread === "pool";
  const isRefused = result < 0 &&
    (isPool || row.refusal.some((refusal) => refusal === name));
  const mustRefuse = isRefusedIn(row, mode);
  // A refusal that a control may show too (an absent node) counts for both.
  const isControl = result >= 0 ||
    row.control?.some((control) => control === name) === true ||
    (isPool && row.control !== undefined) ||
    (row.needsRoot === true && !isControlRoot);
  return {
    row,
    mode,
    thread,
    text: isPool && result < 0 ? "denied" : name,
    isRefused,
    isRight: mustRefuse ? isRefused : isControl,
  };
}

async function startConfined(
  scratch: Scratch,
  targets: ProbeTargets,
  how: {
    readonly mode: Exclude<ProbeMode, "none">;
    readonly options: ProbeRunOptions;
  },
): Promise<Deno.ChildProcess> {
  const { mode, options } = how;
  const { user, profile = "default", pretendAbi } = options;
  const command = await launchCommand({
    scratch,
    driver: targets.script,
    driverArguments: [
      LIBUSB,
      JSON.stringify(targets),
      ...(mode === "stage2" ? ["--stage2"] : []),
    ],
    policy: { profile, ...(user === undefined ? {} : { user }) },
    experiment: {
      ...EXPERIMENTS[mode],
      ...(pretendAbi === undefined ? {} : { pretendAbi }),
    },
    ...(options.denoPath === undefined ? {} : { denoPath: options.denoPath }),
  });
  return command.spawn();
}

/** The positive control: only the scoped flag, descriptors 100 and 101 from a shell. */
async function startUnconfined(
  scratch: Scratch,
  targets: ProbeTargets,
): Promise<Deno.ChildProcess> {
  const { script } = targets;
  return await Promise.resolve(
    new Deno.Command("/bin/bash", {
      args: [
        "-c",
        'node=$1 log=$2; shift 2; exec "$@" 100<>"$node" 101>>"$log"',
        "bash",
        scratch.node,
        scratch.log,
        Deno.execPath(),
        "run",
        "--quiet",
        "--no-prompt",
        "--no-config",
        "--no-lock",
        "--no-remote",
        "--no-npm",
        `--allow-ffi=${LIBUSB}`,
        script,
        LIBUSB,
        JSON.stringify(targets),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn(),
  );
}

async function giveTo(
  scratch: Scratch,
  user: { readonly userId: number; readonly groupId: number },
): Promise<void> {
  await Deno.chmod(scratch.path, 0o755);
  for (const name of ["", "/log", "/writable", "/writable/secret", "/node"]) {
    const path = `${scratch.path}${name}`;
    if (exists(path) && name !== "") {
      await Deno.chown(path, user.userId, user.groupId);
    }
  }
}

/** A process that does nothing, to be a target. */
class Sleeper implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  constructor() {
    this.#child = new Deno.Command("sleep", { args: ["600"] }).spawn();
  }

  get pid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** Another sandboxed driver, ready. */
export class Sibling implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #scratch: Scratch;

  private constructor(child: Deno.ChildProcess, scratch: Scratch) {
    this.#child = child;
    this.#scratch = scratch;
  }

  /** Starts it and waits for READY. */
  static async start(_near: string): Promise<Sibling> {
    const scratch = await Scratch.make();
    const driver = await bundleOf("echo_driver");
    const child = (await launchCommand({
      scratch,
      driver,
      driverArguments: [LIBUSB],
    })).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (value === undefined) throw new Error("The other driver did not start");
    return new Sibling(child, scratch);
  }

  get pid(): number {
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await finish(this.#child);
    await this.#scratch[Symbol.asyncDispose]();
  }
}
