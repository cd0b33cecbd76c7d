/** Under which status failed transfers of standing inputs and outputs count. */

import { settle, VirtualClock } from "../../driver/loop/clock.ts";
import {
  EndpointCounters,
  TRANSFER_STATUSES,
} from "../../driver/loop/endpoint_counters.ts";
import { Histogram } from "../../driver/loop/histogram.ts";
import type { TransferOutcome, TransferStatus } from "../../driver/port.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import { BULK_IN, FakeDevice, outcomeOf } from "./fake_device.ts";

const BULK_OUT = endpointAddress(0x02);

/** What was counted, but for zeros. */
function ended(
  { sums }: EndpointCounters,
): Partial<Record<TransferStatus, number>> {
  const found = TRANSFER_STATUSES.map((status) =>
    [status, sums.ended[status]] as const
  );
  return Object.fromEntries(found.filter(([, count]) => count > 0));
}

/** An output whose two transfers end so. Its source is asked a third time: it has nothing, or a bug. */
async function written(
  statuses: readonly [TransferStatus, TransferStatus],
  options: { readonly hasBug: boolean },
): Promise<EndpointCounters> {
  const fake = new FakeDevice(new VirtualClock());
  const held = statuses.map(() => Promise.withResolvers<TransferOutcome>());
  fake.answer = () => held[fake.requests.length - 1]?.promise;
  const counters = new EndpointCounters(BULK_OUT, "bulk", new Histogram());
  let asked = 0;
  const output = counters.openOutput(fake, {
    endpoint: BULK_OUT,
    transfersInFlight: 3,
    source: () => {
      if (++asked < 3) return 1;
      if (options.hasBug) throw new RangeError("a bug of the source");
      return undefined;
    },
    onEnd: () => {},
  }, () => {});
  await settle();
  assertEquals([asked, output.counters.inFlight], [3, 2]);
  // Cancelled or not, this is how they come back.
  statuses.forEach((status, at) => held[at]?.resolve(outcomeOf(status)));
  await settle();
  assertEquals(output.counters.inFlight, 0);
  return counters;
}

Deno.test("Failed transfers of an output count as the failure that ended it", async () => {
  const counters = await written(["stall", "cancelled"], { hasBug: false });
  assertEquals(ended(counters), { stall: 1, cancelled: 1 });
});

Deno.test("A transfer that failed when its source had failed is an error, not cancelled", async () => {
  const one = await written(["stall", "cancelled"], { hasBug: true });
  assertEquals(ended(one), { error: 1, cancelled: 1 });
  const none = await written(["cancelled", "cancelled"], { hasBug: true });
  assertEquals(ended(none), { cancelled: 2 });
});

Deno.test("The failure of an input that is stopped before its end is told is counted, too", async () => {
  const fake = new FakeDevice(new VirtualClock());
  const counters = new EndpointCounters(BULK_IN, "bulk", new Histogram());
  const input = counters.openInput(fake, {
    endpoint: BULK_IN,
    transfersInFlight: 2,
    sink: () => false,
    onEnd: () => assert(false, "A report is held, so no end is told"),
  });
  // One is held, the other fails, and nobody takes the first.
  assert(fake.ring(BULK_IN).send(1));
  fake.ring(BULK_IN).end("stall");
  await input.stop();
  assertEquals(input.counters.failed, 1);
  assertEquals(ended(counters), { error: 1, cancelled: 1 });
});
