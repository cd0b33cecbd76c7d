/**
 * The two ways a driver process is started: directly, with exact permissions,
 * or through the launcher, which confines it.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { START_TIMEOUT_MS } from "../../limits.ts";
import type { DeviceInfo } from "../../port.ts";
import {
  bundleDriver,
  BundleError,
  bundleModule,
  LateImportError,
} from "../bundle.ts";
import { spawnClient } from "../client_process.ts";
import {
  directCommand,
  driverProgramUrl,
  policyOf,
  type SandboxedStart,
} from "../driver_command.ts";
import type { DriverConfig } from "../driver_config.ts";
import { cacheFolder } from "../own_folders.ts";
import {
  directSafeStateCommand,
  orderFor,
  safeStatePolicy,
} from "../safe_state_command.ts";
import type { SandboxPolicy, VirtualBusAccess } from "../sandbox_policy.ts";
import { VIRTUAL_IS_WEAKER } from "../sandbox_policy_explain.ts";
import { findLibc } from "../sandbox_policy_paths.ts";
import {
  buildLauncherCommand,
  buildReattachCommand,
  type LauncherHost,
} from "../sandbox_policy_command.ts";
import {
  reportShortfall,
  type SandboxReport,
} from "../sandbox_policy_report.ts";
import type { SandboxSummary } from "../wire.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import type { RunPlan } from "./run_plan.ts";
import type { Toolbox } from "./toolbox.ts";

/** A command line with what it is started with. */
export interface DriverCommandLine {
  readonly line: readonly string[];
  readonly stdio: "piped";
  readonly env: Readonly<Record<string, string>>;
}

/** How processes are started. */
export interface Way {
  readonly kind: "direct" | "sandboxed";
  /** For people. */
  readonly note: string;
  /** What must be said aloud of it, if anything. */
  readonly warning?: string;
  command(
    config: DriverConfig,
    device: DeviceInfo,
    bus?: VirtualBusAccess,
  ): DriverCommandLine;
  /** A process that waits beside the driver; `undefined` where none can. */
  readonly standby?: (
    config: DriverConfig,
    device: DeviceInfo,
  ) => DriverCommandLine;
  /** The process that makes the device safe when the driver is dead. */
  readonly safeState: Way["command"];
  /** Why a process does not count: less holds it than the policy demands. */
  refusal(sandbox: SandboxSummary): string | undefined;
  /** Gives interfaces back to their kernel drivers, where a driver could not. */
  giveBack(): Promise<void>;
}

/** libusb opens the node; the runtime is asked first. */
export function directWay(plan: RunPlan, toolbox: Toolbox): Way {
  const programUrl = driverProgramUrl(
    plan.driver.moduleUrl,
    toolbox.driverProcessUrl,
  );
  const { configPath } = plan.driver;
  return {
    kind: "direct",
    note: "direct mode, exact Deno permissions, native code not confined",
    command: (config) => ({
      line: directCommand({
        denoPath: Deno.execPath(),
        programUrl,
        config,
        ...(configPath === undefined ? {} : { configPath }),
      }),
      stdio: "piped",
      env: directEnvironment(),
    }),
    safeState: (config) => ({
      line: directSafeStateCommand({
        denoPath: Deno.execPath(),
        programUrl: toolbox.safeStateUrl,
        order: orderFor(plan.driver.manifest, config),
      }),
      stdio: "piped",
      env: directEnvironment(),
    }),
    refusal: () => undefined,
    giveBack: () => Promise.resolve(),
  };
}

/**
 * The launcher opens node and log, confines itself and becomes the driver.
 *
 * @throws {CliError} `permission` when no bundle can be made here, `config` for
 *   a driver that would import at run time.
 */
export async function sandboxedWay(
  plan: RunPlan,
  toolbox: Toolbox,
  needs: ProcessNeeds = {},
): Promise<Way> {
  const bundles = await makeBundles(plan, toolbox, needs);
  const { driverPath, safeStatePath } = bundles;
  const libcPath = findLibc(
    Deno.build.arch,
    (path) => toolbox.system.fileFacts(path) !== undefined,
  );
  const host: LauncherHost = {
    denoPath: Deno.execPath(),
    launcherPath: bundles.launcherPath,
    ...(libcPath === undefined ? {} : { libcPath }),
  };
  const isReal = plan.choice.kind === "device";
  const isVirtual = plan.profile === "virtual";
  const lineOf = (policy: SandboxPolicy): DriverCommandLine => {
    const { command, args, env } = buildLauncherCommand(policy, host);
    return { line: [command, ...args], stdio: "piped", env };
  };
  let policy: SandboxPolicy | undefined;
  return {
    kind: "sandboxed",
    note: `sandbox profile ${plan.profile}: one device, one log`,
    ...(isVirtual ? { warning: VIRTUAL_IS_WEAKER } : {}),
    command: (config, device, bus) => {
      policy = policyOf(startOf(plan, driverPath, { config, device, bus }));
      return lineOf(policy);
    },
    // One that waits has closed its doors already, and could find no device.
    ...(isVirtual || needs.hasStandby !== true ? {} : {
      standby: (config, device) => {
        const on = { config: { ...config, isStandby: true }, device };
        return lineOf({
          ...policyOf(startOf(plan, driverPath, on)),
          isStandby: true,
        });
      },
    }),
    safeState: (config, device, bus) => {
      assert(safeStatePath !== undefined, "Its driver declares a safe state");
      const on = { config, device, bus };
      const own = safeStatePolicy(startOf(plan, safeStatePath, on));
      // After a supervisor that died it comes before the first driver.
      policy ??= own;
      return lineOf(own);
    },
    refusal: (sandbox) => shortfall(policy, sandbox),
    giveBack: async () => {
      if (isReal && policy?.kernelDriver === "detach") {
        await giveBack(policy, {
          host,
          limitMs: plan.startTimeoutMs ?? START_TIMEOUT_MS,
        });
      }
    },
  };
}

/** What a process of a plan is started with, on a device and perhaps a virtual bus. */
function startOf(
  plan: RunPlan,
  bundlePath: string,
  on: Pick<SandboxedStart, "config" | "device"> & {
    readonly bus?: VirtualBusAccess | undefined;
  },
): SandboxedStart {
  const { choice, driver, logPath, profile } = plan;
  const { config, device, bus } = on;
  // On bus B the parent is another: that which made the namespaces.
  const isParent = choice.kind === "device" || profile === "virtual";
  return {
    ...{ manifest: driver.manifest, device, config, bundlePath },
    ...{ logPath, profile },
    ...(bus === undefined ? {} : { virtualBus: bus }),
    ...(isParent ? { parentProcessId: Deno.pid } : {}),
  };
}

/** A bus has programs of its own to find before ours; a launcher passes nothing of it on. */
export function busEnvironment(): Record<string, string> {
  return { ...directEnvironment(), PATH: Deno.env.get("PATH") ?? "" };
}

/** A process of ours needs the module cache, a virtual bus around us, and nothing else. */
export function directEnvironment(): Record<string, string> {
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

interface Bundles {
  readonly driverPath: string;
  /** `undefined` for a driver that declares no safe state. */
  readonly safeStatePath: string | undefined;
  readonly launcherPath: string;
}

/** What a driver's process must be able to do, for which it has more to read at its start. */
export interface ProcessNeeds {
  readonly hasStandby?: boolean;
  readonly hasFullJournal?: boolean;
}

async function makeBundles(
  plan: RunPlan,
  toolbox: Toolbox,
  needs: ProcessNeeds,
): Promise<Bundles> {
  const { bundles } = toolbox;
  const ready = bundles?.driverPaths[plan.driver.manifest.name];
  if (bundles !== undefined && ready !== undefined) {
    const { launcherPath, safeStatePath } = bundles;
    return { driverPath: ready, safeStatePath, launcherPath };
  }
  const options = { cacheFolder: cacheFolder() };
  const hasSafeState = plan.driver.manifest.safeState.length > 0;
  try {
    const [driver, safeState, launcher] = await Promise.all([
      bundleDriver({
        driverUrl: plan.driver.moduleUrl,
        processUrl: needs.hasStandby === true || needs.hasFullJournal === true
          ? toolbox.driverProcessUrl
          : toolbox.confinedProcessUrl,
      }, options),
      hasSafeState ? bundleModule(toolbox.safeStateUrl, options) : undefined,
      bundleModule(toolbox.launcherUrl, options),
    ]);
    return {
      driverPath: driver.path,
      safeStatePath: safeState?.path,
      launcherPath: launcher.path,
    };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    // A driver that cannot be confined is its author's affair, not this machine's.
    throw new CliError(
      error instanceof LateImportError ? EXIT.config : EXIT.permission,
      error.message,
      "The sandbox starts one file; --direct runs without a sandbox",
    );
  }
}

function shortfall(
  policy: SandboxPolicy | undefined,
  { mode, report }: SandboxSummary,
): string | undefined {
  if (policy === undefined) return "No policy was demanded";
  if (mode !== "sandboxed" || !isReport(report)) {
    return "The driver does not say how it is confined";
  }
  const [first] = reportShortfall(policy, report);
  return first === undefined
    ? undefined
    : `The driver is confined less than demanded: ${first}`;
}

/** What the shortfall looks at, checked: it came over the wire. */
function isReport(report: unknown): report is SandboxReport {
  if (typeof report !== "object" || report === null) return false;
  const { landlockAbi, seccomp, stage2, noNewCode, failed } =
    report as SandboxReport;
  return typeof landlockAbi === "number" && typeof seccomp === "boolean" &&
    typeof stage2 === "boolean" && typeof noNewCode === "boolean" &&
    Array.isArray(failed);
}

/** A driver that gave up the right to attach kernel drivers needs somebody who has it. */
async function giveBack(
  policy: SandboxPolicy,
  options: { readonly host: LauncherHost; readonly limitMs: number },
): Promise<void> {
  const { host, limitMs } = options;
  const { command, args, env } = buildReattachCommand(policy, host);
  const child = spawnClient([command, ...args], { stdio: "piped", env });
  const limit = setTimeout(() => child.kill("SIGKILL"), limitMs);
  // A device that left has nothing to give back; there is nobody to tell.
  await Promise.all([
    child.status,
    child.stdin?.close(),
    child.stdout?.cancel(),
    child.stderr?.cancel(),
  ]);
  clearTimeout(limit);
}
