/**
 * A driver process for every start there is: in the sandbox, directly, as a
 * standby, with a full journal. Nothing imports it; hosts start a program of two
 * lines that calls {@linkcode serveDriver} with a driver.
 *
 * @module
 */

import type { AnyDriver } from "../driver/driver.ts";
import { fullTeller } from "../driver/host/full_journal_teller.ts";
import { type Awakened, standBy } from "../driver/host/standby_main.ts";
import {
  type MoreStarts,
  type ProcessParts,
  serveDriver as serveConfined,
} from "./confined_process.ts";
import { openDirect, parkLocked, type ProcessStart } from "./process_device.ts";
import { readInput, writeAll } from "./process_streams.ts";

/** Runs a driver as this process, from its arguments to its exit. */
export function serveDriver(driver: AnyDriver): Promise<never> {
  const more: MoreStarts = {
    direct: ({ kernelDriver = "detach" }, config) =>
      openDirect(config, { kernelDriver }),
    standby: waitForTurn,
    fullTeller,
  };
  return serveConfined(driver, more);
}

/** As a standby: comes back as the driver, or not at all. */
async function waitForTurn(
  driver: AnyDriver,
  start: ProcessStart,
  parts: ProcessParts,
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
