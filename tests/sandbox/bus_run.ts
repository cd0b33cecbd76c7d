/**
 * Runs the sandboxed driver of the loopback device on a virtual bus, transport
 * B, started by the launcher as a client of that bus.
 */

import {
  sandboxPolicy,
  type SandboxPolicyInput,
} from "../../driver/host/sandbox_policy.ts";
import {
  buildLauncherCommand,
  buildReattachCommand,
} from "../../driver/host/sandbox_policy_command.ts";
import type { SandboxReport } from "../../driver/host/sandbox_policy_report.ts";
import {
  type DriverConfig,
  encodeDriverConfig,
} from "../../driver/host/driver_config.ts";
import { deviceIds, deviceStrings } from "../../driver/host/driver_words.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import type { LoopbackOptions } from "../../driver/sim/devices/loopback_descriptors.ts";
import { SimulatedPort } from "../../driver/sim/simulated_port.ts";
import { seededRandom, VirtualBus } from "../../driver/sim/virtual_bus.ts";
import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import { SystemClock } from "../../ffi/linux/virtual_bus_clock.ts";
import { NotifyTransport } from "../../ffi/linux/virtual_bus_notify.ts";
import {
  bundleOf,
  LIBC,
  LIBUSB,
  poorerKernel,
  type Program,
  Scratch,
} from "./harness.ts";
import type { RefusedCall } from "./poorer_kernel.ts";

/** What is different in a run. */
export interface BusRun {
  readonly policy?: Partial<SandboxPolicyInput>;
  /** Given: through the entry that tests may weaken. */
  readonly experiment?: LaunchExperiment;
  readonly device?: LoopbackOptions;
  /** Default `bus_driver`. */
  readonly driver?: Program;
  /** Arguments of the driver after the library's path. */
  readonly extra?: readonly string[];
  /** Gives interfaces back instead of launching. */
  readonly isReattach?: boolean;
  /** Put before the launcher's command, `strace` for instance. */
  readonly prefix?: readonly string[];
  /** What the launcher's kernel refuses, beside what the machine's does. */
  readonly kernelRefuses?: readonly RefusedCall[];
  /** Default TIME_LIMIT_MS. */
  readonly timeLimitMs?: number;
  /** Kept by the caller when it looks at files afterwards. */
  readonly scratch?: Scratch;
}

/** What the driver told, and how it ended. */
export interface BusEnd {
  readonly code: number;
  readonly stderr: string;
  readonly results: Readonly<Record<string, boolean | string>> | undefined;
  readonly sandbox: SandboxReport | undefined;
}

/** A run that hangs ends here. */
const TIME_LIMIT_MS = 60_000;

/** Plugs a loopback device in, launches the driver, and waits for its end. */
export async function runOnBus(run: BusRun = {}): Promise<BusEnd> {
  await using bus = new LoopbackBus(run.device);
  return await bus.launch(run);
}

/** A bus with a loopback device, for several launches one after another. */
export class LoopbackBus implements AsyncDisposable {
  readonly #bus = new VirtualBus({
    clock: new SystemClock(),
    random: seededRandom(1),
  });
  readonly #transport = new NotifyTransport(this.#bus);
  readonly #nodePath: string;

  constructor(device: LoopbackOptions = {}) {
    this.#nodePath = this.#bus.plug(new Loopback(device)).nodePath;
  }

  /** Launches the driver and waits for its end. */
  async launch(run: BusRun = {}): Promise<BusEnd> {
    await using own = run.scratch === undefined
      ? await Scratch.make()
      : undefined;
    const scratch = run.scratch ?? own;
    if (scratch === undefined) throw new Error("There is one or the other");
    const { program, args } = await commandFor(run, scratch, this.#nodePath);
    await using client = await this.#transport.spawn({
      program,
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    const timer = setTimeout(
      () => client.kill("SIGKILL"),
      run.timeLimitMs ?? TIME_LIMIT_MS,
    );
    const [stdout, stderr, { code }] = await Promise.all([
      new Response(client.child.stdout).text(),
      new Response(client.child.stderr).text(),
      client.status,
    ]);
    clearTimeout(timer);
    return { code, stderr, ...read(stdout) };
  }

  /** Milliseconds from the spawn of a real driver process, through launcher and all layers, to its READY frame. */
  async timeToReady(driverPath: string): Promise<number> {
    await using scratch = await Scratch.make();
    const config = encodeDriverConfig(await this.#config());
    const policy = { driverPath, driverArguments: [config] };
    const { program, args, env } = await commandFor(
      { policy },
      scratch,
      this.#nodePath,
    );
    const variables = Object.entries(env).map(([name, value]) =>
      `${name}=${value}`
    );
    return await this.#timed(
      { program: "env", args: ["-i", ...variables, program, ...args] },
      '"ready"',
    );
  }

  /** Milliseconds from the moment the bus lets a program start to its first words, or its end. */
  async timeProgram(
    program: string,
    args: readonly string[] = [],
  ): Promise<number> {
    return await this.#timed({ program: "env", args: [program, ...args] });
  }

  /** What a driver says a transfer took, in microseconds. */
  async transferUs(run: BusRun): Promise<number> {
    await using scratch = await Scratch.make();
    const { program, args } = await commandFor(run, scratch, this.#nodePath);
    await using client = await this.#transport.spawn({
      program,
      args,
      stdin: "null",
      stdout: "piped",
    });
    const text = await new Response(client.child.stdout).text();
    await client.status;
    return Number(/([\d.]+) us/.exec(text)?.[1] ?? NaN);
  }

  /** What `driverspace run` tells a driver of the device. */
  async #config(): Promise<DriverConfig> {
    await using port = new SimulatedPort(this.#bus);
    const [device] = await port.devices();
    if (device === undefined) throw new Error("The device is plugged in");
    return {
      instance: "bench",
      boot: "bench",
      mode: "sandboxed",
      library: LIBUSB,
      nodePath: this.#nodePath,
      portPath: device.portPath,
      busNumber: device.busNumber,
      device: deviceIds(device, this.#nodePath),
      strings: deviceStrings(device),
      options: {},
    };
  }

  async #timed(
    command: { readonly program: string; readonly args: readonly string[] },
    word = "",
  ): Promise<number> {
    await using client = await this.#transport.spawn({
      ...command,
      stdin: "piped",
      stdout: "piped",
    });
    // Namespaces and the bus's own launching are done: what is left is the
    // program's, from its exec on.
    const startMs = performance.now();
    const limit = setTimeout(() => client.kill("SIGKILL"), TIME_LIMIT_MS);
    const reader = client.child.stdout.getReader();
    const decoder = new TextDecoder();
    for (let text = "";;) {
      const { value, done } = await reader.read();
      text += decoder.decode(value, { stream: true });
      if (text.includes(word)) break;
      if (done) throw new Error(`It ended without ${word}: ${text}`);
    }
    const tookMs = performance.now() - startMs;
    clearTimeout(limit);
    reader.releaseLock();
    client.kill("SIGKILL");
    await client.child.stdout.cancel();
    await client.status;
    return tookMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport.close();
    this.#bus.close();
  }
}

function read(stdout: string): Pick<BusEnd, "results" | "sandbox"> {
  try {
    return JSON.parse(stdout) as Pick<BusEnd, "results" | "sandbox">;
  } catch {
    return { results: undefined, sandbox: undefined };
  }
}

/** A command, and the whole environment the launcher is meant to have. */
interface BusCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function commandFor(
  run: BusRun,
  scratch: Scratch,
  nodePath: string,
): Promise<BusCommand> {
  const policy = sandboxPolicy({
    nodePath,
    expect: { vendorId: 0x1209, productId: 1, serialNumber: "0001" },
    logPath: scratch.log,
    interfaces: [0],
    libraryPath: LIBUSB,
    driverPath: await bundleOf(run.driver ?? "bus_driver"),
    driverArguments: [LIBUSB, ...run.extra ?? []],
    ...run.policy,
  });
  const isWeakened = run.experiment !== undefined;
  const launcherPath = await bundleOf(
    isWeakened ? "launcher_experiment" : "launcher",
  );
  const build = run.isReattach === true
    ? buildReattachCommand
    : buildLauncherCommand;
  const { command, args, env } = build(policy, {
    denoPath: Deno.execPath(),
    launcherPath,
    ...LIBC,
  });
  const at = args.indexOf(launcherPath) + 1;
  const experiment = isWeakened ? [JSON.stringify(run.experiment)] : [];
  const all = [
    ...run.prefix ?? [],
    ...await poorerKernel(Deno.execPath(), run.kernelRefuses),
    command,
    ...args.slice(0, at),
    ...experiment,
    ...args.slice(at),
  ];
  return { program: all[0] ?? "", args: all.slice(1), env };
}
