/**
 * Our own client as a driver process is: started by the launcher behind
 * Landlock and the filter, with one descriptor, and behind stage 2 before the
 * first case. Cases as client.c.
 *
 *     client_confined.ts input|fresh LIBRARY CASE... --sandbox=REPORT
 */

import { takeLauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { interfaceNumber } from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { Libc } from "../../ffi/linux/libc.ts";
import { DEVICE_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import { enterStage2, verifyConfined } from "../../ffi/linux/stage2.ts";
import { runCases } from "./client_cases.ts";
import { monotonicClock } from "./client_support.ts";

async function main(): Promise<void> {
  const { report, rest } = takeLauncherReport(Deno.args);
  const [design = "", library = "", ...cases] = rest;
  const libc = Libc.open(library);
  verifyConfined(libc, report);
  const nowNs = monotonicClock(library);
  const port = await LibusbPort.open({
    libraryPath: library,
    discovery: false,
    checkPermissions: false,
  });
  const device = await port.openDescriptor(DEVICE_DESCRIPTOR, {
    kernelDriver: "refuse",
  });
  await device.claimInterface(interfaceNumber(0));
  // Throws unless every probe from inside is refused.
  await enterStage2(libc, report);
  await runCases(device, cases, { design, nowNs });
  await device.close();
  await port.close();
}

await main();
