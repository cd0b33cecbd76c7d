/**
 * A driver to be timed: says READY, makes transfers, tells what one takes.
 * Confined or, when the launcher left its layers out, not: for comparison only.
 *
 *     bench_driver.ts LIBRARY TRANSFERS
 */

import { Device } from "../../driver/device.ts";
import { takeLauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { Libc } from "../../ffi/linux/libc.ts";
import { DEVICE_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import { enterStage2, verifyConfined } from "../../ffi/linux/stage2.ts";

const { report, rest } = takeLauncherReport(Deno.args);
const [libraryPath = "", transfers = "0"] = rest;
const isConfined = report?.seccomp === true;
const libc = Libc.open(libraryPath);
if (isConfined) verifyConfined(libc, report);
const port = await LibusbPort.open({
  libraryPath,
  discovery: false,
  checkPermissions: false,
});
const device = new Device(
  await port.openDescriptor(DEVICE_DESCRIPTOR, { kernelDriver: "refuse" }),
);
await device.claimInterface(0);
if (isConfined) await enterStage2(libc, report);
Deno.stdout.writeSync(new TextEncoder().encode("READY\n"));
const packet = new Uint8Array(512);
const startMs = performance.now();
for (let count = 0; count < Number(transfers); count++) {
  await device.transferOut(0x01, packet);
  await device.transferIn(0x81, 512);
}
const tookMs = performance.now() - startMs;
if (Number(transfers) > 0) {
  console.log(`${(tookMs * 1000) / (2 * Number(transfers))} us`);
}
Deno.exit(0);
