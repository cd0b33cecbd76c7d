import {
  assert,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import { Matcher, RECEIVES_MAX } from "../../driver/loop/matcher.ts";

const SRQ = Uint8Array.of(0x81, 0x40);
const STATUS = Uint8Array.of(0x82, 0x10);

Deno.test("Matcher gives a report to who waits for it and leaves the others", async () => {
  const matcher = new Matcher();
  const waiter = matcher.wait(0, (data) => data[0] === 0x82);
  assertEquals(matcher.offer(0, SRQ), false);
  assertEquals(matcher.offer(1, STATUS), false);
  assertEquals(matcher.offer(0, STATUS), true);
  const data = await waiter.data;
  assertEquals([...data], [0x82, 0x10]);
  assert(data !== STATUS, "it is a copy");
  assertEquals(matcher.offer(0, STATUS), false);
});

Deno.test("Matcher serves those who wait in order", async () => {
  const matcher = new Matcher();
  const first = matcher.wait(0, () => true);
  const second = matcher.wait(0, () => true);
  matcher.offer(0, SRQ);
  matcher.offer(0, STATUS);
  assertEquals([(await first.data)[0], (await second.data)[0]], [0x81, 0x82]);
});

Deno.test("Matcher fails a receive whose test throws, and it alone", async () => {
  const matcher = new Matcher();
  const broken = matcher.wait(0, () => {
    throw new TypeError("broken test");
  });
  const sound = matcher.wait(0, () => true);
  assertEquals(matcher.offer(0, SRQ), true);
  await assertRejects(() => broken.data, TypeError, "broken test");
  assertEquals((await sound.data)[0], 0x81);
});

Deno.test("Matcher refuses more receives than one handler can mean", () => {
  const matcher = new Matcher();
  for (let count = 0; count < RECEIVES_MAX; count++) {
    matcher.wait(0, () => true);
  }
  assertThrows(() => matcher.wait(0, () => true), UsbError, "waiting already");
});

Deno.test("Matcher ends waits without leaving an unhandled rejection", async () => {
  const matcher = new Matcher();
  const one = matcher.wait(0, () => true);
  matcher.wait(0, () => true);
  one.cancel(new TypeError("over"));
  assertEquals(matcher.size, 1);
  matcher.cancelAll(new TypeError("all over"));
  assertEquals([matcher.size, matcher.offer(0, SRQ)], [0, false]);
  await assertRejects(() => one.data, TypeError, "over");
});
