import { assertEquals } from "../../driver/std.ts";
import { rfc3339 } from "../../driver/host/rfc3339.ts";
import { Chance } from "../../driver/loop/chance.ts";

const DAY_MS = 86_400_000;

Deno.test("A time stamp is what the runtime's dates say, on every day of four centuries and more", () => {
  const first = Date.parse("1899-12-31T00:00:00Z");
  for (let day = 0; day < 150_000; day++) {
    const wallMs = first + day * DAY_MS;
    const expected = new Date(wallMs).toISOString();
    if (rfc3339(wallMs) !== expected) assertEquals(rfc3339(wallMs), expected);
  }
});

Deno.test("A time stamp has hours, minutes, seconds and milliseconds", () => {
  const seed = 20_260_101;
  const chance = new Chance(seed);
  const edges = [0, 1, 999, 1000, DAY_MS - 1, -1, 951_782_399_999];
  const some = Array.from(
    { length: 2000 },
    () => chance.integer(0, 4_000_000) * 1_000_003,
  );
  for (const wallMs of [...edges, ...some]) {
    assertEquals(
      rfc3339(wallMs),
      new Date(wallMs).toISOString(),
      `seed ${seed}`,
    );
  }
});

Deno.test("A fraction of a millisecond is left out", () => {
  assertEquals(rfc3339(1_700_000_000_123.9), "2023-11-14T22:13:20.123Z");
});
