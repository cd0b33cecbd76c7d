/**
 * From an entry of a configuration to a driver that can be started: the same
 * plan and the same confinement as `driverspace run`.
 *
 * @module
 */

import { UsbError } from "../../errors.ts";
import { checkParameters } from "../../loop/parameters.ts";
import { deviceLabel } from "../../match.ts";
import type { DeviceInfo } from "../../port.ts";
import { productId, vendorId } from "../../usb.ts";
import type { ClientProcess } from "../client_process.ts";
import { LogKeeper } from "../log_keeper.ts";
import { checkLogPlace } from "../log_place.ts";
import { prepareLogFile } from "../log_rotation.ts";
import type { DriverEntry } from "../supervisor/configuration.ts";
import type { StandbyWays } from "../supervisor/standby.ts";
import type { PreparedDriver } from "../supervisor/supervisor_words.ts";
import type { CliIo } from "./command.ts";
import { CliError, EXIT } from "./exit_codes.ts";
import { codeFiles } from "./log_choice.ts";
import { openRunLog } from "./run_log.ts";
import {
  checkVirtualName,
  chooseDriver,
  type ChosenDriver,
  type DeviceChoice,
  type RunPlan,
} from "./run_plan.ts";
import { type StartedRun, type StartOptions, startRun } from "./run_start.ts";
import type { Toolbox } from "./toolbox.ts";

/** What drivers are prepared with. */
export interface PrepareParts {
  readonly toolbox: Toolbox;
  readonly io: Pick<CliIo, "clock">;
  /** Where logs go that were given no place. */
  readonly logFolder: string;
  /** For tests and for machines without a sandbox; said in the log. */
  readonly isDirect: boolean;
  /** What else a run may be told. */
  readonly start?: Pick<StartOptions, "boot" | "safeStateTimeoutMs">;
}

/**
 * Prepares a driver.
 *
 * @throws {CliError} {UsbError} {LogFileError} {TypeError} {RangeError} With one sentence.
 */
export async function prepareEntry(
  entry: DriverEntry,
  parts: PrepareParts,
): Promise<PreparedDriver> {
  const { toolbox, io, logFolder, isDirect, start = {} } = parts;
  const { choice, driver } = await checkEntry(entry, toolbox);
  const { manifest } = driver;
  const plan: RunPlan = {
    driver,
    choice,
    options: entry.options,
    isDirect,
    profile: entry.profile ?? manifest.profile ?? "default",
    isProfileNamed: entry.profile !== undefined,
    logPath: entry.logPath ?? `${logFolder}/${entry.name}.log`,
  };
  if (!isDirect) checkLogPlace(plan.logPath, { code: codeFiles(toolbox) });
  prepareLogFile(plan.logPath);
  const { logLevel } = entry;
  const started = await startRun(
    plan,
    toolbox,
    {
      ...start,
      instance: entry.name,
      clock: io.clock,
      ...(logLevel === undefined ? {} : { logLevel }),
      ...(entry.recordsPayloads ? { journal: "full" as const } : {}),
      hasStandby: entry.hasStandby,
    },
  );
  if (started.warning !== undefined) {
    using log = openRunLog(plan, io.clock);
    log.warning(started.warning);
  }
  const keeper = new LogKeeper(plan.logPath, { clock: io.clock });
  return {
    manifest,
    logPath: plan.logPath,
    ...(choice.kind === "virtual" ? { devices: () => devicesOf(started) } : {}),
    syncLog: () => keeper.sync(),
    logProblem: () => keeper.problem,
    spawn: async (device) => {
      const process = await spawn(started, device);
      keeper.begin();
      return process;
    },
    makeSafe: started.makeSafe,
    standby: entry.hasStandby ? standbyOf(started, keeper) : undefined,
    refusal: (ready) => started.refusal(ready),
    dispose: async () => {
      keeper[Symbol.dispose]();
      await started[Symbol.asyncDispose]();
    },
  };
}

/**
 * Whether an entry names a driver that is there, with options it has. Starts
 * nothing.
 *
 * @throws {CliError} {TypeError} {RangeError} With one sentence.
 */
export async function checkEntry(
  entry: DriverEntry,
  toolbox: Toolbox,
): Promise<{ readonly choice: DeviceChoice; readonly driver: ChosenDriver }> {
  const choice = choiceOf(entry, toolbox);
  const driver = await chooseDriver(toolbox, entry.driver);
  const { options } = driver.manifest;
  checkParameters(entry.options, options, { what: entry.name });
  return { choice, driver };
}

/** For a real device the supervisor identifies it; the plan's own search is not used. */
function choiceOf(entry: DriverEntry, toolbox: Toolbox): DeviceChoice {
  const { device } = entry;
  if ("virtual" in device) {
    checkVirtualName(toolbox, device.virtual);
    return { kind: "virtual", name: device.virtual };
  }
  return {
    kind: "device",
    selector: {
      vendorId: vendorId(device.vendorId ?? 0),
      productId: productId(device.productId ?? 0),
    },
  };
}

async function devicesOf(started: StartedRun): Promise<DeviceInfo[]> {
  const device = await started.find();
  return device === undefined ? [] : [device];
}

/** One that was started with a log that is gone since would write where nobody reads. */
function standbyOf(
  started: StartedRun,
  keeper: LogKeeper,
): StandbyWays | undefined {
  const { spawnStandby } = started;
  if (spawnStandby === undefined) return undefined;
  return {
    spawn: async (device) => {
      const { file } = keeper;
      return {
        client: await spawnStandby(device),
        isStale: () => keeper.file !== file,
        taken: () => keeper.begin(file),
      };
    },
    refusal: (sandbox) => started.refusal({ sandbox }),
  };
}

/** A permission problem is told as the world's, which the policy of restarts knows. */
async function spawn(
  started: StartedRun,
  device: DeviceInfo,
): Promise<ClientProcess> {
  try {
    return await started.spawn(device);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== EXIT.permission) {
      throw error;
    }
    throw new UsbError({
      code: "access",
      operation: "start a driver",
      device: deviceLabel(device),
      reason: error.message,
      ...(error.advice === undefined ? {} : { advice: error.advice }),
    });
  }
}
