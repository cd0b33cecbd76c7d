/**
 * A sandboxed driver of the loopback device: everything a driver does, through
 * the filter, on descriptor 100, after stage 2. Prints one JSON object.
 *
 *     bus_driver.ts LIBRARY
 */

import { Device } from "../../driver/device.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  formatRefusal,
  LaunchRefused,
} from "../../driver/host/sandbox_policy_failures.ts";
import { takeLauncherReport } from "../../driver/host/sandbox_policy_report.ts";
import { endpointAddress, interfaceNumber } from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { AT_FDCWD } from "../../ffi/linux/file_status.ts";
import { cstring, Libc } from "../../ffi/linux/libc.ts";
import { DEVICE_DESCRIPTOR } from "../../ffi/linux/seccomp.ts";
import { enterStage2, verifyConfined } from "../../ffi/linux/stage2.ts";

/** Vendor requests of the loopback device. */
const MEMORY = 1;
const PERIODIC_REPORTS = 3;
const LEAVE = 4;
const HALT = 5;
const SEND = 10;
const UNKNOWN = 99;

/** What was done, and how it came out. */
type Results = Record<string, boolean | string>;

async function main(): Promise<void> {
  const { report, rest } = takeLauncherReport(Deno.args);
  const [library = ""] = rest;
  const libc = Libc.open(library);
  verifyConfined(libc, report);
  const port = await LibusbPort.open({
    libraryPath: library,
    discovery: false,
    checkPermissions: false,
  });
  const opened = await port.openDescriptor(DEVICE_DESCRIPTOR, {
    kernelDriver: "refuse",
  });
  const sandbox = await enterStage2(libc, report);
  const device = new Device(opened);
  const results: Results = {};
  results["speed"] = device.info.speed;
  results["configuration"] = String(device.info.configurationValue);
  await device.claimInterface(0);
  await transfers(device, results);
  await settings(device, results);
  await refusals(device, libc, results);
  await unplug(device, results);
  await port.close();
  console.log(JSON.stringify({ results, sandbox }));
}

function vendor(
  request: number,
  value = 0,
  index = 0,
): Parameters<Device["controlIn"]>[0] {
  return { requestType: "vendor", recipient: "device", request, value, index };
}

async function transfers(device: Device, results: Results): Promise<void> {
  const text = new TextEncoder().encode("sandbox!");
  await device.controlOut(vendor(MEMORY), text);
  const back = await device.controlIn(vendor(MEMORY), text.length);
  results["control out, then in"] = new TextDecoder().decode(back) ===
    "sandbox!";
  results["stall"] = await codeOf(device.controlIn(vendor(UNKNOWN), 8));
  const packet = new Uint8Array(512).map((_, index) => index);
  let echoes = 0;
  for (let round = 0; round < 100; round++) {
    packet[0] = round;
    await device.transferOut(0x01, packet);
    const echo = await device.transferIn(0x81, 512);
    if (echo.length === 512 && echo[0] === round && echo[511] === 255) echoes++;
  }
  results["bulk echo"] = echoes === 100;
  results["zero-length packet"] = await codeOf(
    device.transferOut(0x03, packet, { zeroLengthPacket: true }),
  );
  await device.controlOut(vendor(PERIODIC_REPORTS, 5));
  let reports = 0;
  for (let round = 0; round < 10; round++) {
    if ((await device.transferIn(0x82, 8)).length === 8) reports++;
  }
  results["interrupt reports"] = reports === 10;
  await device.controlOut(vendor(PERIODIC_REPORTS, 0));
}

async function settings(device: Device, results: Results): Promise<void> {
  results["time limit"] = await codeOf(
    device.transferIn(0x81, 512, { timeoutMs: 50 }),
  );
  const signal = AbortSignal.timeout(50);
  results["cancel"] = await codeOf(device.transferIn(0x81, 512, { signal }));
  await device.controlOut(vendor(HALT, 0, 0x81));
  results["halt"] = await codeOf(device.transferIn(0x81, 512));
  await device.port.clearHalt(endpointAddress(0x81));
  await device.controlOut(vendor(SEND, 0, 0x81), new Uint8Array([7]));
  const [after] = await device.transferIn(0x81, 512);
  results["after the halt"] = after === 7;
  results["kernel driver"] = await device.port.kernelDriverActive(
    interfaceNumber(0),
  ).then(String);
  await device.setAlternateSetting(0, 1);
  await device.transferOut(0x05, new Uint8Array([1, 2, 3]));
  const echo = await device.transferIn(0x85, 64);
  results["alternate setting"] = echo.join() === "1,2,3";
  await device.releaseInterface(0);
  await device.claimInterface(0);
  await device.setAlternateSetting(0, 0);
}

async function refusals(
  device: Device,
  libc: Libc,
  results: Results,
): Promise<void> {
  results["claim outside the mask"] = await codeOf(device.claimInterface(1));
  results["reset"] = await codeOf(device.reset());
  results["set configuration"] = await codeOf(device.setConfiguration(2));
  const NODE = "/dev/bus/usb/001/002";
  for (const path of [NODE, "/etc/passwd", "/sys/bus/usb/devices"]) {
    const args = [AT_FDCWD, cstring(path), 0, 0];
    results[`open ${path}`] = libc.call("openat", args) < 0 &&
      await libc.callOnPool("openat", args) < 0;
  }
}

async function unplug(device: Device, results: Results): Promise<void> {
  const pending = codeOf(device.transferIn(0x81, 512));
  await device.controlOut(vendor(LEAVE, 1));
  results["pending at unplug"] = await pending;
  results["later"] = await codeOf(device.controlIn(vendor(MEMORY), 8));
}

/** The code a promise fails with; `none` if it does not. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof UsbError ? error.code : String(error);
  }
}

try {
  await main();
} catch (error) {
  if (error instanceof LaunchRefused) {
    console.error(formatRefusal(error.refusal, error.message));
    Deno.exit(error.exitCode);
  }
  throw error;
}
