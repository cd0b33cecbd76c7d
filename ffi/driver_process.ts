/**
 * The body of a driver process: puts libusb, the loop and the host's frames
 * together. Nothing imports it; hosts start a program of two lines that calls
 * {@linkcode serveDriver} with a driver.
 *
 * @module
 */

import type { AnyDriver } from "../driver/driver.ts";
import { decodeDriverConfig } from "../driver/host/driver_config.ts";
import { runDriver } from "../driver/host/driver_main.ts";
import type { LogSink } from "../driver/host/log.ts";
import { DRIVER_EXIT } from "../driver/host/exit_class.ts";
import { LaunchRefused } from "../driver/host/sandbox_policy_failures.ts";
import { takeLauncherReport } from "../driver/host/sandbox_policy_report.ts";
import { type Awakened, standBy } from "../driver/host/standby_main.ts";
import { StartClock } from "../driver/host/start_clock.ts";
import { Libc } from "./linux/libc.ts";
import {
  type LockedParts,
  openDirect,
  openLocked,
  parkLocked,
  type ProcessStart,
} from "./process_device.ts";
import {
  once,
  openLog,
  readInput,
  sparePipe,
  writeAll,
} from "./process_streams.ts";

/** Runs a driver as this process, from its arguments to its exit. */
export async function serveDriver(driver: AnyDriver): Promise<never> {
  sparePipe();
  endOnRejection();
  let start: ProcessStart;
  try {
    start = readStart(Deno.args);
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
  const awakened = config.isStandby === true
    ? await waitForTurn(driver, start, parts)
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
      (() =>
        config.mode === "direct"
          ? openDirect(config, {
            kernelDriver: driver.kernelDriver ?? "detach",
          })
          : openLocked(start, parts)),
    turn: parts.clock.turn,
    onReady: () => parts.clock.started(),
  });
  Deno.exit(code);
}

interface Parts extends LockedParts {
  readonly logSink: LogSink;
}

function partsOf({ config }: ProcessStart): Parts {
  const libc = once(() => Libc.open(config.library));
  return { libc, clock: new StartClock(), logSink: openLog(config, libc) };
}

/** As a standby: comes back as the driver, or not at all. */
async function waitForTurn(
  driver: AnyDriver,
  start: ProcessStart,
  parts: Parts,
): Promise<Awakened> {
  const { clock, logSink } = parts;
  const outcome = await standBy({
    ...{ driver, config: start.config, clock, logSink, pid: Deno.pid },
    input: readInput(),
    output: writeAll,
    park: () => parkLocked(start, parts),
    // What the runtime loads late it loads now, while nobody waits for it.
    onParked: () => clock.started(),
  });
  if ("code" in outcome) Deno.exit(outcome.code);
  return outcome;
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
