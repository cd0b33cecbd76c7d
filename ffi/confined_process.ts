/**
 * The body of a driver process: puts libusb, the loop and the host's frames
 * together. By itself it drives one device in the sandbox, and is what the
 * runtime has to read before it does: what other starts need besides,
 * `driver_process.ts` adds.
 *
 * @module
 */

import type { AnyDriver } from "../driver/driver.ts";
import {
  decodeDriverConfig,
  type DriverConfig,
} from "../driver/host/driver_config.ts";
import { runDriver } from "../driver/host/driver_main.ts";
import type { MakeTeller } from "../driver/host/journal_teller.ts";
import type { LogSink } from "../driver/host/log.ts";
import { DRIVER_EXIT } from "../driver/host/exit_class.ts";
import { LaunchRefused } from "../driver/host/sandbox_policy_failures.ts";
import { takeLauncherReport } from "../driver/host/sandbox_policy_report.ts";
import type { Awakened } from "../driver/host/standby_main.ts";
import { StartClock } from "../driver/host/start_clock.ts";
import { Libc } from "./linux/libc.ts";
import {
  type HeldDevice,
  type LockedParts,
  openLocked,
  type ProcessStart,
} from "./process_device.ts";
import {
  once,
  openLog,
  readInput,
  sparePipe,
  writeAll,
} from "./process_streams.ts";

/** What a process is made of that holds a device, whatever its start. */
export interface ProcessParts extends LockedParts {
  readonly logSink: LogSink;
}

/** What a process can do besides driving a device in the sandbox. */
export interface MoreStarts {
  /** Opens the device itself. */
  readonly direct?: (
    driver: AnyDriver,
    config: DriverConfig,
  ) => Promise<HeldDevice>;
  /** Waits to be the driver: comes back as it, or not at all. */
  readonly standby?: (
    driver: AnyDriver,
    start: ProcessStart,
    parts: ProcessParts,
  ) => Promise<Awakened>;
  readonly fullTeller?: MakeTeller;
}

/** Runs a driver as this process, from its arguments to its exit. */
export async function serveDriver(
  driver: AnyDriver,
  more: MoreStarts = {},
): Promise<never> {
  sparePipe();
  endOnRejection();
  let start: ProcessStart;
  try {
    start = readStart(Deno.args);
    checkStart(start.config, more);
  } catch (error) {
    const code = error instanceof LaunchRefused
      ? error.exitCode
      : DRIVER_EXIT.config;
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(code);
  }
  const { config } = start;
  leaveInterruptToHost();
  const parts = partsOf(start);
  const { direct, standby, fullTeller } = more;
  const awakened = config.isStandby === true
    ? await standby?.(driver, start, parts)
    : undefined;
  const code = await runDriver({
    ...{ driver, config, pid: Deno.pid, output: writeAll },
    clock: parts.clock,
    // Chance for pauses and names, no secret: the runtime would load its
    // cryptography for better.
    seed: Math.floor(Math.random() * 2 ** 32),
    logSink: parts.logSink,
    firstOutput: (bytes) => Deno.stdout.writeSync(bytes),
    input: awakened?.input ?? readInput(),
    open: awakened?.open ??
      (direct !== undefined && config.mode === "direct"
        ? (): Promise<HeldDevice> => direct(driver, config)
        : (): Promise<HeldDevice> => openLocked(start, parts)),
    ...(fullTeller === undefined ? {} : { fullTeller }),
    turn: parts.clock.turn,
    onReady: () => parts.clock.started(),
  });
  Deno.exit(code);
}

/** Whether this process is made for it, before anything is touched. */
function checkStart(config: DriverConfig, more: MoreStarts): void {
  const { mode, isStandby, journal } = config;
  const lacks = [
    ...(mode === "direct" && more.direct === undefined ? ["direct mode"] : []),
    ...(isStandby === true && more.standby === undefined ? ["a standby"] : []),
    ...(journal === "full" && more.fullTeller === undefined
      ? ["a full journal"]
      : []),
  ];
  if (lacks.length === 0) return;
  throw new RangeError(
    `Cannot start the driver: this process is not made for ${
      lacks.join(" and ")
    }. Bundle it with ffi/driver_process.ts`,
  );
}

function partsOf({ config }: ProcessStart): ProcessParts {
  const libc = once(() => Libc.open(config.library));
  return { libc, clock: new StartClock(), logSink: openLog(config, libc) };
}

/**
 * A terminal sends Ctrl-C to the driver as well; only the host decides what it
 * means. The launcher has it ignored, but the runtime, which ends by it, does
 * not keep to that.
 */
function leaveInterruptToHost(): void {
  Deno.addSignalListener("SIGINT", () => {});
}

/** A promise of the driver's own that nobody awaits is a bug of it, and ends it with our code. */
function endOnRejection(): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error("Unhandled rejection:", event.reason);
    Deno.exit(DRIVER_EXIT.fault);
  });
}

function readStart(args: readonly string[]): ProcessStart {
  const { report, rest } = takeLauncherReport(args);
  return { config: decodeDriverConfig(rest[0]), report };
}
