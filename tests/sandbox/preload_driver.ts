/**
 * A driver in the `virtual` profile: libusb finds the device by discovery, on
 * the bus that the preload library plays. Prints one JSON object.
 *
 *     preload_driver.ts LIBRARY PATH
 *
 * PATH: a file that it tries to connect to before and after stage 2.
 */

import { Device } from "../../driver/device.ts";
import {
  formatRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import { takeLauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { AT_FDCWD } from "../../ffi/linux/file_status.ts";
import { cstring, Libc } from "../../ffi/linux/libc.ts";
import { enterStage2, verifyConfined } from "../../ffi/linux/stage2.ts";

async function main(): Promise<void> {
  const { report, rest } = takeLauncherReport(Deno.args);
  const [libraryPath = "", elsewhere = ""] = rest;
  const libc = Libc.open(libraryPath);
  verifyConfined(libc, report);
  await using port = await LibusbPort.open({
    libraryPath,
    checkPermissions: false,
  });
  const [info] = await port.devices();
  if (info === undefined) throw new Error("There is no device");
  await using device = new Device(await port.open(info));
  const reachedBefore = connect(libc, elsewhere);
  const sandbox = await enterStage2(libc, report);
  await device.claimInterface(0);
  const text = new TextEncoder().encode("preloaded");
  await device.transferOut(0x01, text);
  const echo = await device.transferIn(0x81, 512, { timeoutMs: 5000 });
  const outside = [AT_FDCWD, cstring("/etc/passwd"), 0, 0];
  console.log(JSON.stringify({
    echo: new TextDecoder().decode(echo),
    canOpen: libc.call("openat", outside) >= 0,
    reached: [reachedBefore, connect(libc, elsewhere)],
    canFork: libc.call("clone", [0x800, 0, 0, 0, 0]) !== -1,
    sandbox,
  }));
}

/** What the kernel says to a Unix socket that wants to connect to a path; ECONNREFUSED says that it looked. */
function connect(libc: Libc, path: string): number {
  const [AF_UNIX, SOCK_STREAM, ADDRESS_BYTES] = [1, 1, 110];
  const socket = libc.call("socket", [AF_UNIX, SOCK_STREAM, 0]);
  if (socket < 0) return socket;
  const address = new Uint8Array(ADDRESS_BYTES); // struct sockaddr_un
  address[0] = AF_UNIX;
  address.set(cstring(path), 2);
  return libc.call("connect", [socket, address, address.length]);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof LaunchRefused)) throw error;
  console.error(formatRefusal(error.refusal, error.message));
  Deno.exit(error.exitCode);
}
