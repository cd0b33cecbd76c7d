import { Interrupts } from "../../driver/host/cli/interrupts.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import { assertEquals } from "../../driver/std.ts";

Deno.test("The first interrupt stops, its echo does nothing, a later one kills", async () => {
  const clock = new VirtualClock();
  const interrupts = new Interrupts(clock);
  await clock.advance(5_000);
  assertEquals(interrupts.next(), "stop");
  assertEquals(interrupts.next(), "echo");
  await clock.advance(100);
  assertEquals(interrupts.next(), "echo");
  await clock.advance(200);
  assertEquals(interrupts.next(), "kill");
  assertEquals(interrupts.next(), "kill");
});
