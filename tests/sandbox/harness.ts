/**
 * What the sandbox tests share: bundles of launcher, probe and drivers, a
 * scratch folder with an ordinary file in place of the node, and launches.
 */

import { bundleModule } from "../../driver/host/bundle.ts";
import {
  sandboxPolicy,
  type SandboxPolicyInput,
} from "../../driver/host/sandbox_policy.ts";
import { buildLauncherCommand } from "../../driver/host/sandbox_policy_command.ts";
import { findLibc } from "../../driver/host/sandbox_policy_paths.ts";
import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import type { RefusedCall } from "./poorer_kernel.ts";

/** Where Debian has it; other distributions: the next. */
const LIBUSB_PATHS = [
  `/usr/lib/${Deno.build.arch}-linux-gnu/libusb-1.0.so.0`,
  "/usr/lib64/libusb-1.0.so.0",
  "/usr/lib/libusb-1.0.so.0",
];

/** libusb of this machine; empty where there is none. */
export const LIBUSB = LIBUSB_PATHS.find(exists) ?? "";

/** libc as the command finds it, for the launcher. */
export const LIBC: { readonly libcPath?: string } = ((): {
  readonly libcPath?: string;
} => {
  const libcPath = findLibc(Deno.build.arch, exists);
  return libcPath === undefined ? {} : { libcPath };
})();

/** Whether the sandbox can be tried here at all. */
export const canSandbox = Deno.build.os === "linux" && LIBUSB !== "";
/** Behind the name of a test that needs it: why it is not run, if so. */
export const noSandbox = canSandbox ? "" : " [not run: needs Linux and libusb]";

/** Whether we are root: some controls need it. */
export const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;

/** Whether a path leads to something. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Programs of these tests, as files that stand alone. */
export type Program =
  | "launcher"
  | "launcher_experiment"
  | "bench_driver"
  | "bus_driver"
  | "echo_driver"
  | "poorer_kernel"
  | "preload_driver"
  | "probe"
  | "tools_driver"
  | "client_confined"
  | "canary";

/** Bundles are kept between runs, by content, where caches are kept. */
export function cacheFolder(): string {
  const caches = Deno.env.get("XDG_CACHE_HOME") ??
    `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${caches}/driverspace/test-bundles`;
}

/** Programs that stand elsewhere. */
const ELSEWHERE: ReadonlyMap<Program, string> = new Map([
  ["launcher", "../../ffi/linux/launcher_main.ts"],
  ["client_confined", "../bench/client_confined.ts"],
]);

/** The path of a program's bundle. */
export async function bundleOf(program: Program): Promise<string> {
  const module = ELSEWHERE.get(program) ?? `./${program}.ts`;
  const { href } = new URL(module, import.meta.url);
  const options = { cacheFolder: cacheFolder() };
  return (await bundleModule(href, options)).path;
}

/** A folder of one test: node, log, a secret; gone afterwards. */
export class Scratch implements AsyncDisposable {
  /** The folder: ours alone, like all in it. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a folder with what a driver and a probe need. */
  static async make(): Promise<Scratch> {
    const path = await Deno.makeTempDir({ prefix: "driverspace-sandbox-" });
    await Deno.mkdir(`${path}/log`);
    await Deno.mkdir(`${path}/writable`);
    for (const name of ["node", "other-node", "log/driver.log"]) {
      await Deno.writeTextFile(`${path}/${name}`, "");
    }
    const secret = `${path}/writable/secret`;
    await Deno.writeTextFile(secret, "secret\n", { mode: 0o600 });
    return new Scratch(path);
  }

  /** One that somebody else made. */
  static at(path: string): Scratch {
    return new Scratch(path);
  }

  get node(): string {
    return `${this.path}/node`;
  }

  get log(): string {
    return `${this.path}/log/driver.log`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** A launch to make. */
export interface Launch {
  readonly scratch: Scratch;
  /** Path of the driver's bundle. */
  readonly driver: string;
  readonly driverArguments?: readonly string[];
  readonly policy?: Partial<SandboxPolicyInput>;
  /** Default: an ordinary file plays the node. `undefined` through the real entry. */
  readonly experiment?: LaunchExperiment;
  /** A copy of the runtime that others may execute. */
  readonly denoPath?: string;
  /** Default: the machine's. */
  readonly libcPath?: string;
  /** What the launcher's kernel refuses, beside what the machine's does. */
  readonly kernelRefuses?: readonly RefusedCall[];
}

/** The command of a launch, through the entry that tests may weaken. */
export async function launchCommand(launch: Launch): Promise<Deno.Command> {
  const { scratch, experiment = { standIn: true } } = launch;
  const { denoPath = Deno.execPath(), libcPath } = launch;
  const policy = sandboxPolicy({
    nodePath: scratch.node,
    expect: { vendorId: 0x1209, productId: 1 },
    logPath: scratch.log,
    interfaces: [0],
    libraryPath: LIBUSB,
    driverPath: launch.driver,
    driverArguments: launch.driverArguments ?? [],
    ...launch.policy,
  });
  const launcherPath = await bundleOf("launcher_experiment");
  const libc = libcPath === undefined ? LIBC : { libcPath };
  const host = { denoPath, launcherPath, ...libc };
  const command = buildLauncherCommand(policy, host);
  const at = command.args.indexOf(launcherPath) + 1;
  const [program = "", ...args] = [
    ...await poorerKernel(denoPath, launch.kernelRefuses),
    command.command,
    ...command.args.slice(0, at),
    JSON.stringify(experiment),
    ...command.args.slice(at),
  ];
  return new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { ...command.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** What stands before a command that shall find a poorer kernel. */
export async function poorerKernel(
  denoPath: string,
  refused: readonly RefusedCall[] | undefined,
): Promise<readonly string[]> {
  if (refused === undefined) return [];
  const library = LIBC.libcPath ?? LIBUSB;
  const flags = ["--quiet", "--no-prompt", "--allow-env"];
  return [
    denoPath,
    "run",
    ...flags,
    `--allow-ffi=${library}`,
    await bundleOf("poorer_kernel"),
    library,
    JSON.stringify(refused),
  ];
}

/** How a launch ended, and what it wrote. */
export interface LaunchEnd {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A launch that hangs is ended after this. */
const TIME_LIMIT_MS = 60_000;

/** Launches, gives it its input, and waits for the end. */
export async function runLaunch(
  launch: Launch,
  input = "",
): Promise<LaunchEnd> {
  const child = (await launchCommand(launch)).spawn();
  return await settle(child, { input, timeLimitMs: TIME_LIMIT_MS });
}

/** As {@linkcode finish}, but ends a process that hangs. */
export async function settle(
  child: Deno.ChildProcess,
  options: { readonly input: string; readonly timeLimitMs: number },
): Promise<LaunchEnd> {
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeLimitMs);
  try {
    return await finish(child, options.input);
  } finally {
    clearTimeout(timer);
  }
}

/** Gives a process its input and waits for its end. */
export async function finish(
  child: Deno.ChildProcess,
  input = "",
): Promise<LaunchEnd> {
  const writer = child.stdin.getWriter();
  try {
    if (input !== "") await writer.write(new TextEncoder().encode(input));
    await writer.close();
  } catch {
    // It may have ended already; its exit code says why.
  }
  const { code, signal, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    signal,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}
