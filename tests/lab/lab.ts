/**
 * The lab by hand: runs any command in a guest that has a real Linux USB stack.
 *
 *     deno run -A tests/lab/lab.ts run -- lsusb -t
 */

import { buildGuest, cacheFolder } from "./cache.ts";
import { type Output, parseOptions, USAGE } from "./options.ts";
import { runInQemu } from "./qemu_guest.ts";
import { runInUml } from "./uml_guest.ts";

/** The guest's output becomes ours. */
export const TERMINAL: Output = {
  out: (chunk) => writeSync(Deno.stdout, chunk),
  err: (chunk) => writeSync(Deno.stderr, chunk),
};

function writeSync(
  to: { writeSync(chunk: Uint8Array): number },
  chunk: Uint8Array,
): void {
  for (let at = 0; at < chunk.length;) at += to.writeSync(chunk.subarray(at));
}

async function main(): Promise<number> {
  const [verb, ...rest] = Deno.args;
  const { options, command } = parseOptions(rest);
  const isRun = verb === "run" && command.length > 0;
  if (verb !== "build" && !isRun) {
    console.error(USAGE);
    return 2;
  }
  const cache = await cacheFolder();
  await buildGuest(cache, options);
  if (!isRun) return 0;
  const run = { options, cache, output: TERMINAL };
  return await (options.uml ? runInUml : runInQemu)(run, command);
}

if (import.meta.main) Deno.exit(await main());
