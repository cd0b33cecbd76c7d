/**
 * Writes numbered lines promptly while the collector takes what nobody holds,
 * and ends with the number of those that did not go. Needs `--expose-gc`.
 */

import { findLibrary } from "../../ffi/library.ts";
import { LibusbPort } from "../../ffi/libusb_port.ts";

const ROUNDS = 80;
const { gc } = globalThis as unknown as { readonly gc: () => void };

const port = await LibusbPort.open({
  libraryPath: findLibrary(),
  discovery: false,
});
const write = port.promptOutput(0);
if (write === undefined) throw new Error("There is no ppoll here");
let missing = 0;
/** What was given back is soon somebody else's. */
const hoard: Uint8Array[] = [];
for (let round = 0; round < ROUNDS; round++) {
  gc();
  // The collector gives memory back beside this thread.
  await new Promise((resolve) => setTimeout(resolve, 1));
  for (let count = 0; count < 5_000; count++) {
    hoard.push(new Uint8Array(new ArrayBuffer(16)).fill(0xff));
  }
  const line = new TextEncoder().encode(`${round}\n`);
  if (write(line) !== line.length) missing++;
}
await port.close();
Deno.exit(missing === 0 && hoard.length > 0 ? 0 : 1);
