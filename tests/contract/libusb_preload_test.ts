/** The real libusb keeps the port contract, over the preload transport. */

import { libusbContract } from "./libusb_contract.ts";

await libusbContract("libusb (preload)", {
  transport: "preload",
  // Modes of nodes do not bind root.
  without: Deno.uid() === 0 ? ["access"] : [],
});
