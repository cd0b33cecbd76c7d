/**
 * From a plan to a runner: the bus if it is virtual, the library, the way of
 * confinement, and how each process is started.
 *
 * @module
 */

import type { Clock } from "../../loop/clock.ts";
import { deviceLabel } from "../../match.ts";
import type { DeviceInfo, UsbPort } from "../../port.ts";
import { formatIds } from "../../usb.ts";
import { type ClientProcess, spawnClient } from "../client_process.ts";
import type { DriverConfig } from "../driver_config.ts";
import { deviceIds, deviceStrings } from "../driver_words.ts";
import { endTornLine } from "../log_rotation.ts";
import { accessProblem } from "../node_access.ts";
import type { MakeSafe } from "../safe_state_after_end.ts";
import { type FollowOptions, followSafeState } from "../safe_state_process.ts";
import { checkSafeState } from "../safe_state_order.ts";
import { systemClock } from "../system_clock.ts";
import type { ReadyFrame } from "../wire.ts";
import { WireError } from "../wire_check.ts";
import type { VirtualBusAccess } from "../sandbox_policy.ts";
import { busError, chooseBus } from "./bus_choice.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import { pickDevice, type RunPlan } from "./run_plan.ts";
import {
  busEnvironment,
  directWay,
  type DriverCommandLine,
  type ProcessNeeds,
  sandboxedWay,
  type Way,
} from "./run_ways.ts";
import type { FoundLibrary, RunningBus, Toolbox } from "./toolbox.ts";

/** A plan whose parts are at hand. */
export interface StartedRun extends AsyncDisposable {
  /** How it is confined, in one line for people. */
  readonly confinement: string;
  readonly isDirect: boolean;
  /** What must be said aloud of it, on the terminal and in the log. */
  readonly warning: string | undefined;
  /** Options of the driver, with those that a virtual device suggests. */
  readonly options: RunPlan["options"];
  find(): Promise<DeviceInfo | undefined>;
  spawn(device: DeviceInfo): Promise<ClientProcess>;
  /** Starts a process that waits to be the driver; `undefined` where none can. */
  readonly spawnStandby:
    | ((device: DeviceInfo) => Promise<ClientProcess>)
    | undefined;
  /** Makes a device safe when its driver is dead; `undefined` for a driver that declares no safe state. */
  readonly makeSafe: MakeSafe | undefined;
  /** Why a READY does not count, if so. */
  refusal(ready: Pick<ReadyFrame, "sandbox">): string | undefined;
}

/** How a run may differ from what its plan says. */
export interface StartOptions {
  /** Name of the instance in logs. Default: the driver's. */
  readonly instance?: string;
  readonly allowExcess?: boolean;
  readonly logLevel?: DriverConfig["logLevel"];
  /** Default `outline`. */
  readonly journal?: DriverConfig["journal"];
  /** Whether a process may wait beside the driver. Default: none. */
  readonly hasStandby?: boolean;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Id of this boot of the system; default: as we may read it. */
  readonly boot?: string;
  /** For tests. Default SAFE_STATE_TIMEOUT_MS. */
  readonly safeStateTimeoutMs?: number;
}

/**
 * Gets everything a run needs.
 *
 * @throws {UsbError} `library`.
 * @throws {CliError} `permission` when no sandbox can be had, `unavailable` when
 *   no virtual bus can, `config` when the driver declares a safe state that cannot be performed.
 */
export async function startRun(
  plan: RunPlan,
  toolbox: Toolbox,
  options: StartOptions = {},
): Promise<StartedRun> {
  const steps = countSafeSteps(plan);
  const library = toolbox.findLibrary(plan.libraryPath);
  const source = plan.choice.kind === "virtual"
    ? await openBus(plan, plan.choice.name, toolbox)
    : await openPort(plan, toolbox);
  const { bus, port } = source;
  try {
    const way = await chooseWay(plan, toolbox, {
      source,
      hasStandby: options.hasStandby === true,
      hasFullJournal: options.journal === "full",
    });
    const isDirect = way.kind === "direct";
    const { standby } = way;
    const begin = async (lineOn: LineOn): Promise<ClientProcess> => {
      const client = await beginOn(source, way, lineOn);
      // One that was killed may have left a line torn; what is written next, by whomever, begins anew.
      const end = (): void => endTornLine(plan.logPath);
      client.status.then(end, end);
      return client;
    };
    const configOf = (device: DeviceInfo): DriverConfig =>
      configFor({ plan, device, library, options, isDirect });
    return {
      confinement: [source.note, way.note].filter(Boolean).join("; "),
      isDirect,
      warning: way.warning,
      options: plan.options,
      find: async () => pickDevice(plan, await (bus ?? port)?.devices() ?? []),
      spawn: (device) =>
        begin((access) => {
          const command = way.command(configOf(device), device, access);
          checkAccess(plan, device, toolbox);
          return command;
        }),
      spawnStandby: standby === undefined
        ? undefined
        : (device) => begin(() => standby(configOf(device), device)),
      makeSafe: safetyOf({
        steps,
        begin: (device) =>
          begin((access) => way.safeState(configOf(device), device, access)),
        clock: options.clock ?? systemClock(),
        refusal: (sandbox) => way.refusal(sandbox),
        ...(options.safeStateTimeoutMs === undefined
          ? {}
          : { timeoutMs: options.safeStateTimeoutMs }),
      }),
      refusal: ({ sandbox }) => way.refusal(sandbox),
      [Symbol.asyncDispose]: async () => {
        await way.giveBack();
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

/**
 * How many steps a driver declares.
 *
 * @throws {CliError} `config` when what it declares cannot be performed.
 */
function countSafeSteps({ driver: { manifest } }: RunPlan): number {
  try {
    return checkSafeState(manifest.safeState).length;
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new CliError(
      EXIT.config,
      `Cannot run ${manifest.name}: what it declares as its safe state cannot be performed. ${error.message}`,
    );
  }
}

/** How a driver's devices are made safe when it is dead. */
function safetyOf(
  parts: FollowOptions & {
    readonly begin: (device: DeviceInfo) => Promise<ClientProcess>;
  },
): MakeSafe | undefined {
  const { begin, ...options } = parts;
  if (options.steps === 0) return undefined;
  return async (device) => await followSafeState(await begin(device), options);
}

/** Where devices come from. */
interface Source {
  readonly bus?: RunningBus;
  readonly port?: UsbPort;
  readonly isDirect: boolean;
  readonly profile: RunPlan["profile"];
  readonly note: string;
}

/** The command line of a process, once it is known what it needs of a virtual bus. */
type LineOn = (access?: VirtualBusAccess) => DriverCommandLine;

/** Starts a process where its device is. */
async function beginOn(
  { bus, profile }: Source,
  way: Way,
  lineOn: LineOn,
): Promise<ClientProcess> {
  if (bus !== undefined && way.kind === "sandboxed" && profile === "virtual") {
    if (bus.spawnVirtual !== undefined) return await bus.spawnVirtual(lineOn);
    throw new CliError(
      EXIT.permission,
      "Cannot confine a driver on virtual bus A: umockdev's library is in " +
        "none of the usual folders",
      "Install the package umockdev, or run with --direct",
    );
  }
  const line = lineOn();
  if (bus === undefined) return spawnClient(line.line, line);
  try {
    return await bus.spawn(line.line, { ...line, env: busEnvironment() });
  } catch (error) {
    throw busError(error);
  }
}

/**
 * A bundle may be impossible to make, without a network at the first start for
 * instance. Then a virtual device, which cannot be harmed, is driven all the
 * same; a real one is not.
 */
async function chooseWay(
  plan: RunPlan,
  toolbox: Toolbox,
  { source, ...needs }: ProcessNeeds & { readonly source: Source },
): Promise<Way> {
  if (source.isDirect) return directWay(plan, toolbox);
  try {
    const own = { ...plan, profile: source.profile };
    return await sandboxedWay(own, toolbox, needs);
  } catch (error) {
    const isBundle = error instanceof CliError && source.bus !== undefined &&
      error.code === EXIT.permission;
    if (!isBundle) throw error;
    const way = directWay(plan, toolbox);
    return { ...way, note: `${way.note}, no sandbox: ${error.message}` };
  }
}

async function openPort(plan: RunPlan, toolbox: Toolbox): Promise<Source> {
  if (!plan.isDirect && Deno.env.get("UMOCKDEV_DIR") !== undefined) {
    throw new CliError(
      EXIT.permission,
      "Cannot confine a driver on this virtual bus: it is shown by a preload " +
        "library, which the launcher is without",
      "Run with --direct, or simulate with --transport notify",
    );
  }
  const port = await toolbox.openPort(plan.libraryPath);
  const { isDirect, profile } = plan;
  return { port, isDirect, profile, note: "" };
}

async function openBus(
  plan: RunPlan,
  name: string,
  toolbox: Toolbox,
): Promise<Source> {
  const { transport, profile, why } = chooseBus(
    plan,
    await toolbox.sandboxFacts(),
  );
  const bus = await toolbox.startBus([name], transport).catch((error) => {
    throw busError(error);
  });
  const where = transport === "preload"
    ? "virtual bus A (umockdev)"
    : "virtual bus B (namespaces)";
  const instead = why === "" ? "" : `, since B cannot be had: ${why}`;
  const { isDirect } = plan;
  return { bus, isDirect, profile, note: `${where}${instead}` };
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
  const { allowExcess, logLevel, journal } = options;
  return {
    instance: options.instance ?? plan.driver.manifest.name,
    boot: options.boot ?? bootId(),
    mode: isDirect ? "direct" : "sandboxed",
    library: library.path,
    nodePath: device.nodePath ?? "",
    portPath: device.portPath,
    busNumber: device.busNumber,
    device: deviceIds(device, device.nodePath ?? ""),
    strings: deviceStrings(device),
    options: plan.options,
    ...(isDirect ? { logPath: plan.logPath } : {}),
    ...(allowExcess === undefined ? {} : { allowExcess }),
    ...(logLevel === undefined ? {} : { logLevel }),
    ...(journal === undefined ? {} : { journal }),
  };
}

/** Id of this boot of the system, for log lines. */
export function bootId(): string {
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
