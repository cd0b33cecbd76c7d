/** The shell script that a guest runs: what both kinds of guest have in common. */

import type { LabOptions } from "./options.ts";

/** How often, 20 ms apart, to look for the devices that were asked for. */
const DEVICE_LOOKS = 500;

/** Lines of the script, the command last. */
export function guestScript(
  options: LabOptions,
  command: readonly string[],
): string[] {
  return [
    ...options.modprobe.map((module) => `modprobe ${module}`),
    ...waitForDevices(options.device.length),
    "export DENO_DIR=/tmp/deno DENO_NO_UPDATE_CHECK=1 NO_COLOR=1",
    `export LAB=${options.uml ? "uml" : "qemu"}`,
    ...options.env.map((variable) => `export ${quote(variable)}`),
    `cd ${quote(options.workingFolder)}`,
    // An ordinary user cannot use the cache that root began.
    options.user
      ? `DENO_DIR=/tmp/deno-user HOME=/tmp exec busybox su user -s /bin/bash -c ${
        quote(command.map(quote).join(" "))
      }`
      : `exec ${command.map(quote).join(" ")}`,
  ];
}

function waitForDevices(count: number): string[] {
  if (count === 0) return [];
  const seen = "$(ls /sys/bus/usb/devices | grep -cE '^[0-9]+-[0-9.]+$')";
  return [
    `for n in $(seq ${DEVICE_LOOKS}); do [ ${seen} -ge ${count} ] && break; sleep 0.02; done`,
    "udevadm settle",
  ];
}

/** A word of a shell script, whatever is in it. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
