/**
 * The program that makes a device safe when its driver is dead: a process of
 * its own, started as the driver was, that holds the same device and log and
 * bundles none of the driver's code. What it does is data, its one argument.
 *
 * @module
 */

import { DRIVER_EXIT } from "../driver/host/exit_class.ts";
import {
  type OpenedForSafety,
  performOrder,
} from "../driver/host/safe_state_main.ts";
import {
  decodeSafeStateOrder,
  type SafeStateOrder,
} from "../driver/host/safe_state_order.ts";
import { takeLauncherReport } from "../driver/host/sandbox_policy_report.ts";
import { StartClock } from "../driver/host/start_clock.ts";
import { Libc } from "./linux/libc.ts";
import {
  type HeldDevice,
  openDirect,
  openLocked,
  type ProcessStart,
} from "./process_device.ts";
import { once, openLog, sparePipe, writeAll } from "./process_streams.ts";

/** Makes a device safe as this process, from its arguments to its exit. */
async function main(args: readonly string[]): Promise<never> {
  sparePipe();
  // At a terminal Ctrl-C reaches us, too; half a safe state is none.
  Deno.addSignalListener("SIGINT", () => {});
  const { order, start } = read(args);
  const { config } = order;
  const libc = once(() => Libc.open(config.library));
  const clock = new StartClock();
  let held: HeldDevice | undefined;
  const code = await performOrder({
    order,
    clock,
    logSink: openLog(config, libc),
    output: writeAll,
    pid: Deno.pid,
    open: async (): Promise<OpenedForSafety> =>
      held = config.mode === "direct"
        ? await openDirect(config, { kernelDriver: order.kernelDriver })
        : await openLocked(start, { libc, clock }),
  });
  // Interfaces go back to their kernel drivers; in the sandbox the host sees to that.
  if (config.mode === "direct") await held?.device.close();
  Deno.exit(code);
}

function read(
  args: readonly string[],
): { readonly order: SafeStateOrder; readonly start: ProcessStart } {
  try {
    const { report, rest } = takeLauncherReport(args);
    const order = decodeSafeStateOrder(rest[0]);
    return { order, start: { config: order.config, report } };
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(DRIVER_EXIT.config);
  }
}

if (import.meta.main) await main(Deno.args);
