/** The data parts of a driver, as hosts take them. */

import { defineDriver } from "../../driver/driver.ts";
import { manifestOf } from "../../driver/host/manifest.ts";
import { assertEquals, assertThrows } from "../../driver/std.ts";

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

Deno.test("A driver declares the sandbox's profile, and no other than there is", () => {
  const tight = defineDriver({ ...PARTS, profile: "jitless" });
  assertEquals(manifestOf(tight).profile, "jitless");
  assertEquals(manifestOf(defineDriver(PARTS)).profile, undefined);
  assertThrows(
    () => defineDriver({ ...PARTS, profile: "virtual" as "jitless" }),
    TypeError,
    'profiles are default and jitless, not "virtual"',
  );
});

Deno.test("A driver that has no name, no device or no interface is refused where it is defined", () => {
  for (
    const [wrong, reason] of [
      [{ name: "My Meter" }, "a name is lower case letters"],
      [{ match: [] }, "it matches no device"],
      [{ interfaces: [] }, "it claims no interface"],
    ] as const
  ) {
    assertThrows(() => defineDriver({ ...PARTS, ...wrong }), TypeError, reason);
  }
});
