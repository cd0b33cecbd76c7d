/**
 * A supervisor to be killed: starts a driver that spins and must die with it,
 * and tells its process id.
 *
 *     supervisor.ts SCRATCH-FOLDER DRIVER
 */

import { launchCommand, LIBUSB, Scratch } from "./harness.ts";

const [folder = "", driver = ""] = Deno.args;
const command = await launchCommand({
  scratch: Scratch.at(folder),
  driver,
  driverArguments: [LIBUSB, "--spin"],
  policy: { parentProcessId: Deno.pid },
});
const child = command.spawn();
const reader = child.stdout.getReader();
const { value } = await reader.read();
console.log(value === undefined ? 0 : child.pid);
await child.status;
