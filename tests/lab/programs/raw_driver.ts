/**
 * A sandboxed program that asks the kernel itself, past libusb: what filter and
 * interface mask say to each request on descriptor 100. Prints one JSON object
 * of results, negative ones being error numbers.
 *
 *     raw_driver.ts LIBRARY PATH...
 */

import { takeLauncherReport } from "../../../driver/host/sandbox_policy_report.ts";
import { USBDEVFS } from "../../../driver/sim/usbfs_constants.ts";
import { cstring, Libc } from "../../../ffi/linux/libc.ts";
import { enterStage2, verifyConfined } from "../../../ffi/linux/stage2.ts";

/** Where launchers put the device. */
const DEVICE = 100;
const AT_FDCWD = -100;

const { report, rest } = takeLauncherReport(Deno.args);
const [library = "", ...paths] = rest;
const libc = Libc.open(library);
verifyConfined(libc, report);

function ask(request: number, ...values: number[]): number {
  const argument = new Uint32Array([...values, 0, 0, 0, 0]);
  return libc.call("ioctl", [DEVICE, request, argument]);
}

const { CLAIMINTERFACE, DISCONNECT, IOCTL, RESET, SETCONFIGURATION } = USBDEVFS;
const results: Record<string, number> = {
  "claim inside the mask": ask(CLAIMINTERFACE, 0),
  "claim outside the mask": ask(CLAIMINTERFACE, 1),
  "set configuration": ask(SETCONFIGURATION, 1),
  "reset": ask(RESET),
  "detach": ask(IOCTL, 0, DISCONNECT),
  "widen the mask": ask(USBDEVFS.DROP_PRIVILEGES, 0b11),
};
for (const path of paths) {
  results[path] = libc.call("openat", [AT_FDCWD, cstring(path), 2, 0]);
}
const sandbox = await enterStage2(libc, report);
console.log(JSON.stringify({ results, sandbox }));
