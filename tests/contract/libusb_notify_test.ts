/** The real libusb keeps the port contract, over the notification transport. */

import { libusbContract } from "./libusb_contract.ts";

await libusbContract("libusb (notify)", { transport: "notify" });
