/** Isochronous transfers, queued reads, and many cycles: sections 3.3 and 4. */

import { Loopback, pattern } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals, fail } from "../../driver/std.ts";
import type { USBDevice } from "../../driver/web/webusb.ts";
import { bytesIn, nameOf, type Row, sample, WebBench } from "./bench.ts";

export const STREAM_ROWS: readonly Row[] = [
  row(
    "3.3",
    "isochronousTransferIn: packets at the sums of lengths, sharing one buffer",
    async () => {
      await using bench = new WebBench();
      const device = await isochronous(bench);
      const lengths = [256, 16, 0, 100];
      const result = await bench.within(
        device.isochronousTransferIn(4, lengths),
      );
      assertEquals(result.data?.byteLength, 372);
      assertEquals(result.packets.length, 4);
      assert(Object.isFrozen(result.packets));
      let at = 0;
      result.packets.forEach((packet, index) => {
        const data = packet.data ?? fail("no data");
        assert(data.buffer === result.data?.buffer);
        assertEquals([data.byteOffset, data.byteLength], [at, lengths[index]]);
        assertEquals(packet.status, "ok");
        assertEquals(
          new Set(bytesIn(data)).size,
          data.byteLength === 0 ? 0 : 1,
        );
        at += lengths[index] ?? 0;
      });
    },
  ),
  row(
    "3.3",
    "isochronousTransferOut: bytesWritten of each packet",
    async () => {
      await using bench = new WebBench();
      const device = await isochronous(bench);
      const result = await bench.within(
        device.isochronousTransferOut(4, sample(356), [256, 0, 100]),
      );
      assertEquals(
        result.packets.map((p) => [p.status, p.bytesWritten]),
        [["ok", 256], ["ok", 0], ["ok", 100]],
      );
      const none = await bench.within(
        device.isochronousTransferOut(4, new Uint8Array(), []),
      );
      assertEquals(none.packets, []);
      assertEquals(
        await bench.ending(device.isochronousTransferOut(4, sample(4), [2, 3])),
        "DataError",
      );
    },
  ),
  row(
    "4",
    "isochronous: more packets than the kernel takes at once, both ways",
    async () => {
      await using bench = new WebBench();
      const device = await isochronous(bench);
      const lengths = Array.from({ length: 300 }, (_, at) => at % 7 + 1);
      const { data, packets } = await bench.within(
        device.isochronousTransferIn(4, lengths),
      );
      const total = lengths.reduce((sum, n) => sum + n, 0);
      assertEquals([packets.length, data?.byteLength], [300, total]);
      assertEquals(packets.map((p) => p.data?.byteLength), lengths);
      const frames = packets.map((p) => p.data?.getUint8(0) ?? -1);
      assert(
        frames.every((f, at) =>
          at === 0 || f === ((frames[at - 1] ?? 0) + 1) % 256
        ),
        "one behind the other on the bus",
      );
      const out = await bench.within(
        device.isochronousTransferOut(4, sample(total), lengths),
      );
      assertEquals(out.packets.map((p) => p.bytesWritten), lengths);
    },
  ),
  row(
    "4",
    "isochronous: a packet too long is babble, a lost one rejects with what came",
    async () => {
      await using bench = new WebBench();
      const virtual = new Loopback();
      const device = await isochronous(bench, virtual);
      bench.fault(virtual, {
        endpoint: 0x84,
        fault: { kind: "status", errno: "OVERFLOW", packet: 1 },
      });
      const babbled = await bench.within(
        device.isochronousTransferIn(4, [8, 8, 8]),
      );
      assertEquals(babbled.packets.map((p) => p.status), [
        "ok",
        "babble",
        "ok",
      ]);
      bench.fault(virtual, {
        endpoint: 0x84,
        fault: { kind: "status", errno: "PROTO", packet: 1 },
      });
      const error = await bench.within(
        device.isochronousTransferIn(4, [8, 8, 8]),
      )
        .then(() => fail("it failed"), (error) => error);
      assertEquals(nameOf(error), "NetworkError");
      assertEquals(
        error.cause.packets.map((p: { status: string }) => p.status),
        ["completed", "error", "completed"],
      );
    },
  ),
  row(
    "4",
    "isochronous transfers in flight end at unplug and at close",
    async () => {
      for (const end of ["close", "unplug"] as const) {
        await using bench = new WebBench();
        const virtual = new Loopback();
        const device = await isochronous(bench, virtual);
        const lengths = Array<number>(128).fill(64);
        const flights = [1, 2, 3].map(() =>
          device.isochronousTransferIn(4, lengths)
        );
        await bench.clock.advance(0);
        const closing = end === "close"
          ? device.close()
          : Promise.resolve(bench.bus.unplug(virtual));
        const endings = await Promise.all(flights.map((f) => bench.ending(f)));
        await bench.within(closing);
        assertEquals(
          endings,
          Array(3).fill(end === "close" ? "AbortError" : "NetworkError"),
        );
      }
    },
  ),
  row(
    "4",
    "queued reads: 64 at once on one endpoint complete in order, whole",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      const done: number[] = [];
      const reads = Array.from({ length: 64 }, async (_, at) => {
        const { data } = await device.transferIn(3, 1024);
        done.push(at);
        return [...bytesIn(data)];
      });
      const all = await bench.within(Promise.all(reads));
      assertEquals(done, [...all.keys()]);
      assertEquals(Uint8Array.from(all.flat()), pattern(0, 64 * 1024));
    },
  ),
  row(
    "4",
    "queued reads and writes: each read gets the write it waits for",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      const reads = Array.from({ length: 32 }, () => device.transferIn(1, 512));
      const writes = Array.from(
        { length: 32 },
        (_, at) => device.transferOut(1, sample(at + 1, at)),
      );
      await bench.within(Promise.all(writes));
      const results = await bench.within(Promise.all(reads));
      results.forEach(({ data }, at) =>
        assertEquals(bytesIn(data), sample(at + 1, at))
      );
    },
  ),
  row("4", "interfaces are used in parallel", async () => {
    await using bench = new WebBench();
    const device = await isochronous(bench);
    await bench.within(device.claimInterface(0));
    const [bulk, iso] = await bench.within(
      Promise.all([
        device.transferIn(3, 2048),
        device.isochronousTransferIn(4, [64, 64]),
      ]),
    );
    assertEquals(bytesIn(bulk.data), pattern(0, 2048));
    assertEquals(iso.packets.length, 2);
  }),
  row("4", "10,000 open and close cycles leave nothing behind", checkLeaks),
];

function row(section: string, item: string, run: () => Promise<void>): Row {
  return { section, item, run };
}

/** A loopback device with its isochronous setting selected. */
async function isochronous(
  bench: WebBench,
  virtual: Loopback = new Loopback(),
): Promise<USBDevice> {
  const device = await bench.plug(virtual);
  await bench.within(device.open());
  await bench.within(device.claimInterface(1));
  await bench.within(device.selectAlternateInterface(1, 1));
  return device;
}

const CYCLES = 10_000;
const MORE_ROUNDS_MAX = 10;
/** What a heap may grow by, for whatever reason; a leak of an object a cycle is more. */
const GROWTH_BYTES_MAX = 6 * 1024 * 1024;

async function checkLeaks(): Promise<void> {
  await using bench = new WebBench();
  const virtual = new Loopback();
  const device = await bench.plug(virtual);
  const cycle = async (at: number): Promise<void> => {
    await device.open();
    await device.claimInterface(0);
    const read = device.transferIn(1, 64);
    if (at % 2 === 0) await device.transferOut(1, sample(8));
    const ending = read.then(() => "ok", nameOf);
    if (at % 2 === 0) await ending;
    await device.close();
    assertEquals(await ending, at % 2 === 0 ? "ok" : "AbortError");
  };
  const many = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at++) await bench.within(cycle(at));
  };
  await many(0, CYCLES / 10);
  const before = Deno.memoryUsage().heapUsed;
  await many(CYCLES / 10, CYCLES);
  let grown = Deno.memoryUsage().heapUsed - before;
  // Garbage that is not collected yet goes with more of the same, a leak does not.
  for (let n = 0; n < MORE_ROUNDS_MAX && grown >= GROWTH_BYTES_MAX; n++) {
    await many(0, CYCLES / 10);
    grown = Deno.memoryUsage().heapUsed - before;
  }
  assert(grown < GROWTH_BYTES_MAX, `the heap grew by ${grown} bytes`);
  const plugged = bench.bus.find(virtual) ?? fail("it is gone");
  assertEquals(plugged.device.claims.isInUse, false);
  assertEquals(bench.clock.pendingTimers, 0);
  assertEquals(bench.bus.usbfsMemory.usedBytes, 0);
}
