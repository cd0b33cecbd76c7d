/**
 * From a plan to a runner: the bus if it is virtual, the library, the way of
 * confinement, and how each process is started.
 *
 * @module
 */

import type { DeviceInfo, UsbPort } from "../../port.ts";
import { deviceLabel } from "../../match.ts";
import { formatIds } from "../../usb.ts";
import { bundleDriver, BundleError, bundleModule } from "../bundle.ts";
import { type ClientProcess, spawnClient } from "../client_process.ts";
import {
  directCommand,
  driverProgramUrl,
  policyOf,
} from "../driver_command.ts";
import type { DriverConfig } from "../driver_config.ts";
import { accessProblem } from "../node_access.ts";
import { cacheFolder } from "../own_folders.ts";
import { buildLauncherCommand } from "../sandbox_policy_command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import { pickDevice, type RunPlan } from "./run_plan.ts";
import type { FoundLibrary, RunningBus, Toolbox } from "./toolbox.ts";

/** A plan whose parts are at hand. */
export interface StartedRun extends AsyncDisposable {
  /** How it is confined, in one line for people. */
  readonly confinement: string;
  readonly isDirect: boolean;
  /** Options of the driver, with those that a virtual device suggests. */
  readonly options: RunPlan["options"];
  find(): Promise<DeviceInfo | undefined>;
  spawn(device: DeviceInfo): Promise<ClientProcess>;
}

/** How a run may differ from what its plan says. */
export interface StartOptions {
  readonly allowExcess?: boolean;
  readonly logLevel?: DriverConfig["logLevel"];
}

/**
 * Gets everything a run needs.
 *
 * @throws {UsbError} `library`, `notSupported`.
 * @throws {CliError} `permission` when no sandbox can be had for a real device.
 */
export async function startRun(
  plan: RunPlan,
  toolbox: Toolbox,
  options: StartOptions = {},
): Promise<StartedRun> {
  const library = toolbox.findLibrary();
  const source = plan.choice.kind === "virtual"
    ? await openBus(plan, plan.choice.name, toolbox)
    : await openPort(plan, toolbox);
  const { bus, port } = source;
  try {
    const way = source.isDirect
      ? directWay(plan, toolbox)
      : await sandboxedWay(plan, toolbox);
    const isDirect = way.kind === "direct";
    return {
      confinement: [source.note, way.note].filter(Boolean).join("; "),
      isDirect,
      options: plan.options,
      find: async () => pickDevice(plan, await (bus ?? port)?.devices() ?? []),
      spawn: (device) => {
        const config = configFor({ plan, device, library, options, isDirect });
        const command = way.command(config, device);
        checkAccess(plan, device, toolbox);
        return bus === undefined
          ? Promise.resolve(spawnClient(command.line, command))
          : bus.spawn(command.line, { ...command, env: busEnvironment() });
      },
      [Symbol.asyncDispose]: async () => {
        await bus?.[Symbol.asyncDispose]();
        await port?.close();
      },
    };
  } catch (error) {
    await bus?.[Symbol.asyncDispose]();
    await port?.close();
    throw error;
  }
}

/** Where devices come from. */
interface Source {
  readonly bus?: RunningBus;
  readonly port?: UsbPort;
  readonly isDirect: boolean;
  readonly note: string;
}

/** A command line with what it is started with. */
interface DriverCommandLine {
  readonly line: readonly string[];
  readonly stdio: "piped";
  readonly env: Readonly<Record<string, string>>;
}

/** How processes are started. */
interface Way {
  readonly kind: "direct" | "sandboxed";
  readonly note: string;
  command(config: DriverConfig, device: DeviceInfo): DriverCommandLine;
}

async function openPort(plan: RunPlan, toolbox: Toolbox): Promise<Source> {
  const port = await toolbox.openPort();
  return { port, isDirect: plan.isDirect, note: "" };
}

/**
 * The sandbox needs a bus that outlives exec, which the preload's does not. So
 * where there are no user namespaces a virtual device is driven in direct mode.
 */
async function openBus(
  plan: RunPlan,
  name: string,
  toolbox: Toolbox,
): Promise<Source> {
  const { transports } = await toolbox.sandboxFacts();
  const canNotify = transports.notify === "";
  const canPreload = transports.preload === "";
  const isDirect = plan.isDirect || !canNotify;
  const transport = isDirect && canPreload ? "preload" : "notify";
  const bus = await toolbox.startBus([name], transport);
  const where = transport === "preload"
    ? "virtual bus A (umockdev)"
    : "virtual bus B (namespaces)";
  const why = plan.isDirect || !isDirect
    ? ""
    : `, no sandbox: ${transports.notify}`;
  return { bus, isDirect, note: `${where}${why}` };
}

function directWay(plan: RunPlan, toolbox: Toolbox): Way {
  const programUrl = driverProgramUrl(
    plan.driver.moduleUrl,
    toolbox.driverProcessUrl,
  );
  return {
    kind: "direct",
    note: "direct mode, exact Deno permissions, native code not confined",
    command: (config) => ({
      line: directCommand({ denoPath: Deno.execPath(), programUrl, config }),
      stdio: "piped",
      env: directEnvironment(),
    }),
  };
}

/** The driver's process needs the module cache, a virtual bus around us, and nothing else. */
function directEnvironment(): Record<string, string> {
  const kept = [
    "DENO_DIR",
    "HOME",
    "XDG_CACHE_HOME",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "UMOCKDEV_DIR",
    "SYSTEMD_DEVICE_VERIFY_SYSFS",
  ];
  const env: Record<string, string> = {
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
  };
  for (const name of kept) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** A bus has programs of its own to find before ours; a launcher passes nothing of it on. */
function busEnvironment(): Record<string, string> {
  return { ...directEnvironment(), PATH: Deno.env.get("PATH") ?? "" };
}

async function sandboxedWay(plan: RunPlan, toolbox: Toolbox): Promise<Way> {
  const folder = cacheFolder();
  const [driver, launcher] = await bundles(plan, toolbox, folder);
  return {
    kind: "sandboxed",
    note: `sandbox profile ${plan.profile}: one device, one log`,
    command: (config, device) => {
      const policy = policyOf({
        manifest: plan.driver.manifest,
        device,
        config,
        bundlePath: driver,
        logPath: plan.logPath,
        profile: plan.profile,
        ...(plan.choice.kind === "device" ? { parentProcessId: Deno.pid } : {}),
      });
      const { command, args, env } = buildLauncherCommand(policy, {
        denoPath: Deno.execPath(),
        launcherPath: launcher,
      });
      return { line: [command, ...args], stdio: "piped", env };
    },
  };
}

async function bundles(
  plan: RunPlan,
  toolbox: Toolbox,
  folder: string,
): Promise<[driver: string, launcher: string]> {
  const options = { cacheFolder: folder };
  try {
    const driver = await bundleDriver({
      driverUrl: plan.driver.moduleUrl,
      processUrl: toolbox.driverProcessUrl,
    }, options);
    const launcher = await bundleModule(toolbox.launcherUrl, options);
    return [driver.path, launcher.path];
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new CliError(
      EXIT.permission,
      error.message,
      "The sandbox starts one file; --direct runs without a sandbox",
    );
  }
}

/** Parts of a configuration. */
export interface ConfigParts {
  readonly plan: RunPlan;
  readonly device: DeviceInfo;
  readonly library: FoundLibrary;
  readonly options: StartOptions;
  readonly isDirect: boolean;
}

/** What a driver process is told. */
export function configFor(parts: ConfigParts): DriverConfig {
  const { plan, device, library, options, isDirect } = parts;
  const { allowExcess, logLevel } = options;
  return {
    instance: plan.driver.manifest.name,
    boot: bootId(),
    mode: isDirect ? "direct" : "sandboxed",
    library: library.path,
    nodePath: device.nodePath ?? "",
    portPath: device.portPath,
    busNumber: device.busNumber,
    options: plan.options,
    ...(isDirect ? { logPath: plan.logPath } : {}),
    ...(allowExcess === undefined ? {} : { allowExcess }),
    ...(logLevel === undefined ? {} : { logLevel }),
  };
}

/** Id of this boot of the system. */
function bootId(): string {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  } catch {
    return "unknown";
  }
}

/** What `doctor` would say, before anything is started: tried, in the way, the fix. */
function checkAccess(
  plan: RunPlan,
  device: DeviceInfo,
  toolbox: Toolbox,
): void {
  if (plan.choice.kind === "virtual" || device.nodePath === undefined) return;
  // On a virtual bus around us a node can be opened and not be looked at.
  if (toolbox.system.fileFacts(device.nodePath) === undefined) return;
  const { vendorId, productId } = device.descriptor;
  const problem = accessProblem(
    toolbox.system,
    device.nodePath,
    formatIds(vendorId, productId),
  );
  if (problem === undefined) return;
  throw new CliError(
    EXIT.permission,
    `Cannot open ${deviceLabel(device)}: ${problem.problem}`,
    `${problem.advice}.`,
  );
}
