/**
 * The program that watches the bus for a supervisor, which has no native code:
 * finds libusb, lists devices and follows them. Opens none. Ends when the
 * supervisor does.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import { failureOf } from "../driver/host/driver_words.ts";
import { DRIVER_EXIT } from "../driver/host/exit_class.ts";
import { systemClock } from "../driver/host/system_clock.ts";
import {
  encodeWatchFrame,
  WATCH_VERSION,
} from "../driver/host/watch_frames.ts";
import { watchBus } from "../driver/host/watch_main.ts";
import { LibusbPort } from "./libusb_port.ts";
import { revokePermissions } from "./linux/stage2.ts";
import { readInput, sparePipe, writeAll } from "./process_streams.ts";

/** Watches as this process, from its start to its exit. */
async function main(): Promise<never> {
  sparePipe();
  // A terminal sends Ctrl-C to us as well; the supervisor decides when we end.
  Deno.addSignalListener("SIGINT", () => {});
  try {
    const port = await LibusbPort.open({ checkPermissions: false });
    const { library } = port;
    revokePermissions();
    await watchBus({
      port,
      hello: {
        type: "hello",
        watch: WATCH_VERSION,
        pid: Deno.pid,
        libraryPath: library.path,
        libraryVersion: library.version.text,
        boot: port.systemText("/proc/sys/kernel/random/boot_id") ?? "unknown",
      },
      clock: systemClock(),
      input: readInput(),
      output: writeAll,
    });
  } catch (error) {
    const { code, message, advice } = failureOf(error);
    const more = advice === undefined ? {} : { advice };
    await writeAll(encodeWatchFrame({ type: "failed", code, message, ...more }))
      .catch(() => {});
    Deno.exit(error instanceof UsbError ? DRIVER_EXIT.config : 1);
  }
  // Not a word more: whoever would read it is gone.
  Deno.exit(DRIVER_EXIT.clean);
}

if (import.meta.main) await main();
