/** The data parts of a driver, as hosts take them. */

import { defineDriver } from "../../driver/driver.ts";
import { manifestOf } from "../../driver/host/manifest.ts";
import { assertEquals } from "../../driver/std.ts";

type Events = { reading: { readonly volts: number } };

const PARTS = {
  name: "meter",
  description: "A meter",
  match: [{ vendorId: 1 }],
  interfaces: [{ interfaceClass: 0xff }],
  init: () => ({}),
} as const;

Deno.test("A driver says which members of its events are values, and can only name its own", () => {
  const values = {
    reading: {
      volts: { description: "Voltage", type: "number", unit: "V" },
    },
  } as const;
  const meter = defineDriver<object, Events>({ ...PARTS, values });
  assertEquals(manifestOf(meter).values, values);
  assertEquals(manifestOf(defineDriver(PARTS)).values, undefined);
  defineDriver<object, Events>({
    ...PARTS,
    values: {
      reading: {
        // @ts-expect-error: the event has no such member
        amperes: { description: "Current", type: "number" },
      },
    },
  });
});
