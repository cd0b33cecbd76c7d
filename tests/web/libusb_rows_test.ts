/** WebUSB over the real libusb and the virtual bus. */

import { assertGreater, fail } from "../../driver/std.ts";
import { isPreloadAvailable } from "../../ffi/linux/testing.ts";
import { runLibusbRows } from "./libusb_rows.ts";

const { isAvailable, reason } = { reason: "", ...await isPreloadAvailable() };

Deno.test({
  name: "WebUSB over the real libusb" +
    (isAvailable ? "" : ` [not run: ${reason}]`),
  ignore: !isAvailable,
  fn: async (t) => {
    const results = await runLibusbRows();
    assertGreater(results.length, 10);
    for (const { name, failure } of results) {
      await t.step(name, () => {
        if (failure !== undefined) fail(failure);
      });
    }
  },
});
