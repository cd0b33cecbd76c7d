/** The part of the checklist that is run with the real libusb as well, in a process of its own. */

import { fail } from "../../driver/std.ts";
import { CdcAcmEcho, Loopback } from "../../ffi/linux/testing.ts";
import { shownBus } from "../linux/shown_bus.ts";
import {
  bulkPair,
  DescribedDevice,
  noSettingZero,
  sparseDevice,
} from "./devices/described_device.ts";

/** A check, and why it failed. */
export interface LibusbResult {
  readonly name: string;
  readonly failure?: string;
}

/** Runs all of them. */
export async function runLibusbRows(): Promise<readonly LibusbResult[]> {
  await using shown = await shownBus(
    { transport: "preload" },
    new Loopback(),
    sparseDevice(),
    noSettingZero(),
    new DescribedDevice({
      productId: 0xf1,
      texts: ["Driver Space", "Named", "N-1", "Main", "Control"],
      configurations: [{
        value: 1,
        stringIndex: 4,
        faces: [{ number: 0, stringIndex: 5, endpoints: bulkPair(1) }],
      }],
    }),
    new CdcAcmEcho({ kernelDrivers: { 0: "cdc_acm", 1: "cdc_acm" } }),
  );
  const script = new URL("./clients/rows_on_libusb.ts", import.meta.url).href;
  await using client = await shown.transport.spawn({
    program: Deno.execPath(),
    args: ["run", "--quiet", "--no-check", "--allow-all", script],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { status, text } = await client.output();
  if (!status.success) fail(text);
  return text.trim().split("\n").map((line) => JSON.parse(line));
}
