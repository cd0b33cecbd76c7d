/**
 * Our own client, under the flags a driver has. Cases as client.c.
 *
 *     client.ts input|fresh LIBRARY CASE...
 *
 * input: a standing input with a sink, data lent; OUT: a standing output, its
 * source resubmits what the buffer holds. Control: `transfer`, for there is no other way.
 * fresh: `transfer` for each, a new buffer each, as WebUSB gives them.
 */

import { interfaceNumber } from "../../driver/usb.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";
import { runCases } from "./client_cases.ts";
import { monotonicClock } from "./client_support.ts";

async function main(): Promise<void> {
  const [design = "", library = "", ...cases] = Deno.args;
  const nowNs = monotonicClock(library);
  const port = await LibusbPort.open({ libraryPath: library });
  const [info] = await port.devices();
  if (info === undefined) throw new Error("no device");
  const device = await port.open(info);
  await device.claimInterface(interfaceNumber(0));
  await runCases(device, cases, { design, nowNs });
  await device.close();
  await port.close();
}

await main();
