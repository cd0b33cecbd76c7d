/** Transfers: endings, data, conversions; the checklist's sections 2, 3.3 and 4. */

import { pattern } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals, fail } from "../../driver/std.ts";
import type { USBDevice } from "../../driver/web/webusb.ts";
import {
  bytesIn,
  nameOf,
  type Row,
  sample,
  vendor,
  WebBench,
} from "./bench.ts";

export const TRANSFER_ROWS: readonly Row[] = [
  row(
    "3.3",
    "control transfers carry all of their setup, and their data",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      const out = await bench.within(
        device.controlTransferOut(vendor("memory", 100), sample(300)),
      );
      assertEquals([out.status, out.bytesWritten], ["ok", 300]);
      const read = await bench.within(
        device.controlTransferIn(vendor("memory", 100), 300),
      );
      assertEquals([read.status, bytesIn(read.data)], ["ok", sample(300)]);
      const none = await bench.within(
        device.controlTransferOut(vendor("restart")),
      );
      assertEquals([none.status, none.bytesWritten], ["ok", 0]);
    },
  ),
  row(
    "3.3",
    "a control stall resolves with stall and needs no clearHalt",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback([]);
      const stalled = await bench.within(
        device.controlTransferIn(vendor("memory", 0xfff0), 64),
      );
      assertEquals([stalled.status, stalled.data?.byteLength], ["stall", 0]);
      const out = await bench.within(
        device.controlTransferOut(vendor("memory", 0xfff0), sample(4)),
      );
      assertEquals(out.status, "stall");
      const next = await bench.within(
        device.controlTransferIn(vendor("counters"), 32),
      );
      assertEquals(next.status, "ok");
    },
  ),
  row(
    "4",
    "short, zero-length and exact transfers resolve ok with what came",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      for (const lengthBytes of [0, 1, 511, 512, 513, 1024]) {
        const { data, status } = await echo(bench, device, {
          lengthBytes,
          asked: Math.max(512, Math.ceil(lengthBytes / 512) * 512),
        });
        assertEquals([status, data.length], ["ok", lengthBytes]);
        assertEquals(data, sample(lengthBytes));
      }
    },
  ),
  row("4", "IN data always have a view with a buffer of its own", async () => {
    await using bench = new WebBench();
    const { device } = await bench.loopback();
    const results = [
      await bench.within(device.controlTransferIn(vendor("memory"), 10)),
      await bench.within(device.transferIn(3, 512)),
    ];
    for (const { data } of results) {
      assert(data instanceof DataView);
      assertEquals([data.byteOffset, data.buffer.byteLength], [
        0,
        data.byteLength,
      ]);
    }
  }),
  row(
    "4",
    "an endpoint's stall resolves both ways; clearHalt recovers, toggle included",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      // One packet each way, so that the toggles are odd.
      await echo(bench, device, { lengthBytes: 5, asked: 512 });
      for (const endpoint of [0x81, 0x01]) {
        await bench.within(
          device.controlTransferOut(vendor("halt", 0, endpoint)),
        );
      }
      const read = await bench.within(device.transferIn(1, 512));
      assertEquals([read.status, read.data?.byteLength], ["stall", 0]);
      const written = await bench.within(device.transferOut(1, sample(5)));
      assertEquals([written.status, written.bytesWritten], ["stall", 0]);
      assertEquals(
        (await bench.within(device.transferIn(1, 512))).status,
        "stall",
      );
      await bench.within(device.clearHalt("in", 1));
      await bench.within(device.clearHalt("out", 1));
      const { data } = await echo(bench, device, {
        lengthBytes: 7,
        asked: 512,
      });
      assertEquals(data, sample(7));
    },
  ),
  row("4", "babble resolves, and is no end of the endpoint", async () => {
    await using bench = new WebBench();
    const { device, virtual } = await bench.loopback();
    bench.fault(virtual, { endpoint: 0x81, fault: { kind: "babble" } });
    await bench.within(device.transferOut(1, sample(40)));
    const babbled = await bench.within(device.transferIn(1, 64));
    assertEquals(babbled.status, "babble");
    await bench.within(device.transferOut(1, sample(9)));
    assertEquals((await bench.within(device.transferIn(1, 512))).status, "ok");
  }),
  row("4", "a short packet ends a transfer early, with its data", async () => {
    await using bench = new WebBench();
    const { device, virtual } = await bench.loopback();
    bench.fault(virtual, {
      endpoint: 0x83,
      fault: { kind: "short", lengthBytes: 700 },
    });
    const { status, data } = await bench.within(device.transferIn(3, 4096));
    assertEquals([status, bytesIn(data)], ["ok", pattern(0, 700)]);
  }),
  row(
    "4",
    "a read larger than the kernel's memory for transfers is read whole",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      const lengthBytes = 20 * 1024 * 1024;
      const { status, data } = await bench.within(
        device.transferIn(3, lengthBytes),
      );
      const bytes = bytesIn(data);
      assertEquals([status, bytes.length], ["ok", lengthBytes]);
      assertEquals(
        bytes.subarray(lengthBytes - 512),
        pattern(lengthBytes - 512, 512),
      );
    },
  ),
  row(
    "4",
    "a bus error rejects with NetworkError, the outcome as its cause",
    async () => {
      await using bench = new WebBench();
      const { device, virtual } = await bench.loopback();
      for (const endpoint of [0x83, 0x03, 0]) {
        bench.fault(virtual, {
          endpoint,
          fault: { kind: "status", errno: "PROTO" },
        });
      }
      const calls: readonly (() => Promise<unknown>)[] = [
        () => device.transferIn(3, 512),
        () => device.transferOut(3, sample(8)),
        () => device.controlTransferIn(vendor("counters"), 32),
      ];
      for (const call of calls) {
        const error = await bench.within(call()).then(
          () => fail("it failed"),
          (error) => error as DOMException & { cause: { status: string } },
        );
        assertEquals([nameOf(error), error.cause.status], [
          "NetworkError",
          "error",
        ]);
        assertEquals(await bench.ending(call()), "ok", "the next one is fine");
      }
    },
  ),
  row(
    "3.3",
    "InvalidAccessError for an endpoint of the other kind",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback([0, 1]);
      await bench.within(device.selectAlternateInterface(1, 1));
      const calls = [
        () => device.transferIn(4, 64),
        () => device.transferOut(4, sample(64)),
        () => device.isochronousTransferIn(1, [64]),
        () => device.isochronousTransferOut(1, sample(64), [64]),
        () => device.isochronousTransferIn(2, [8]),
      ];
      for (const call of calls) {
        assertEquals(await bench.ending(call()), "InvalidAccessError");
      }
    },
  ),
  row(
    "3.3",
    "control transfers to an endpoint: low four bits, and the direction",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      const ask = (index: number): Promise<string> =>
        bench.ending(
          device.controlTransferIn({
            requestType: "standard",
            recipient: "endpoint",
            request: 0,
            value: 0,
            index,
          }, 2),
        );
      assertEquals(await ask(0x81), "ok");
      assertEquals(await ask(0x01), "ok");
      assertEquals(await ask(0x0082), "ok");
      assertEquals(await ask(0x02), "NotFoundError", "2 is IN alone");
      assertEquals(await ask(0x85), "NotFoundError", "of another setting");
      assertEquals(await ask(0x00), "NotFoundError", "the default pipe");
    },
  ),
  row("2", "reset() works unconfigured and keeps the device open", async () => {
    await using bench = new WebBench();
    const { device } = await bench.loopback([0, 1]);
    await bench.within(device.selectAlternateInterface(0, 1));
    await bench.within(device.reset());
    assertEquals(device.opened, true);
    assertEquals(device.configuration?.interfaces[0]?.claimed, true);
    assertEquals(
      device.configuration?.interfaces[0]?.alternate.alternateSetting,
      1,
    );
  }),
];

function row(section: string, item: string, run: () => Promise<void>): Row {
  return { section, item, run };
}

async function echo(
  bench: WebBench,
  device: USBDevice,
  { lengthBytes, asked }: {
    readonly lengthBytes: number;
    readonly asked: number;
  },
): Promise<{ readonly data: Uint8Array; readonly status: string }> {
  await bench.within(device.transferOut(1, sample(lengthBytes)));
  const { data, status } = await bench.within(device.transferIn(1, asked));
  return { data: bytesIn(data), status };
}
