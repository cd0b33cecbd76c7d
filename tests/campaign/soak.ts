/**
 * Everything at once on the loopback device, for ten minutes, over the real
 * libusb and the virtual bus: bulk both ways, interrupts, isochronous, random
 * cancels and unplugs. Nothing may be lost, and neither memory nor descriptors
 * may grow.
 *
 *     deno task soak [--minutes 10] [--seed 1] [--transport preload|notify]
 */

import { parseArgs } from "../../driver/std.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { simulate } from "../../ffi/linux/testing.ts";

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, {
    string: ["minutes", "seed", "transport"],
    default: { minutes: "10", seed: "1", transport: "preload" },
    unknown: (argument) => {
      console.error(`Unknown argument ${argument}`);
      Deno.exit(2);
    },
  });
  const minutes = Number(flags.minutes);
  const seed = Number(flags.seed);
  if (!(minutes > 0) || !Number.isInteger(seed)) {
    console.error("--minutes is a positive number, --seed an integer");
    return 2;
  }
  const transport = flags.transport === "notify" ? "notify" : "preload";
  console.log(`soak: ${minutes} min, seed ${seed}, transport ${transport}`);
  return await simulate({
    devices: [new Loopback()],
    transport,
    seed,
    command: [
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-all",
      "--v8-flags=--expose-gc",
      new URL("./soak_client.ts", import.meta.url).pathname,
      String(minutes),
      String(seed),
    ],
  });
}

if (import.meta.main) Deno.exit(await main());
