/** Arguments of transfers: conversions, copies, our extension. Sections 1, 2, 3.3, 4 and 6. */

import { assertEquals } from "../../driver/std.ts";
import { bytesIn, type Row, sample, vendor, WebBench } from "./bench.ts";
import { DescribedDevice } from "./devices/described_device.ts";

export const ARGUMENT_ROWS: readonly Row[] = [
  row(
    "3.3",
    "setup members are converted modulo, read once in order, all required",
    checkSetup,
  ),
  row(
    "4",
    "OUT data are copied when called; views keep offset and length",
    checkCopies,
  ),
  row(
    "2",
    "a detached buffer is empty: bytesWritten 0; isochronous DataError",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback([0, 1]);
      await bench.within(device.selectAlternateInterface(1, 1));
      const buffers = (): BufferSource[] => {
        const views = [new Uint8Array(8), new DataView(new ArrayBuffer(8))];
        const whole = new ArrayBuffer(8);
        for (const buffer of [...views.map((v) => v.buffer), whole]) {
          structuredClone(buffer, { transfer: [buffer] });
        }
        return [...views, whole];
      };
      for (const buffer of buffers()) {
        const sent = await bench.within(device.transferOut(3, buffer));
        assertEquals([sent.status, sent.bytesWritten], ["ok", 0]);
        const asked = await bench.within(
          device.controlTransferOut(vendor("restart"), buffer),
        );
        assertEquals(asked.bytesWritten, 0);
        assertEquals(
          await bench.ending(device.isochronousTransferOut(4, buffer, [8])),
          "DataError",
        );
      }
    },
  ),
  row(
    "4",
    "shared and resizable memory, and what is no buffer: TypeError",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      const wrong = [
        ...[null, undefined, 7, "bytes", {}, [1, 2]],
        new SharedArrayBuffer(4),
        new Uint8Array(new SharedArrayBuffer(4)),
        new ArrayBuffer(4, { maxByteLength: 8 }),
        new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 })),
      ];
      for (const data of wrong) {
        const bytes = data as Uint8Array<ArrayBuffer>;
        assertEquals(
          await bench.ending(device.transferOut(3, bytes)),
          "TypeError",
        );
        assertEquals(
          await bench.ending(device.isochronousTransferOut(4, bytes, [1])),
          "TypeError",
        );
        if (data === undefined) continue;
        assertEquals(
          await bench.ending(
            device.controlTransferOut(vendor("restart"), bytes),
          ),
          "TypeError",
        );
      }
    },
  ),
  row("1", "integer arguments: modulo 2^8, 2^16, 2^32; NaN is 0", async () => {
    await using bench = new WebBench();
    const { device } = await bench.loopback([]);
    await bench.within(device.claimInterface(256));
    assertEquals(device.configuration?.interfaces[0]?.claimed, true);
    assertEquals(await bench.ending(device.claimInterface("1" as never)), "ok");
    assertEquals(
      await bench.ending(device.claimInterface(1n as never)),
      "TypeError",
    );
    assertEquals(
      await bench.ending(device.claimInterface(Symbol() as never)),
      "TypeError",
    );
    assertEquals(await bench.ending(device.claimInterface(NaN)), "ok");
    assertEquals(await bench.ending(device.claimInterface(Infinity)), "ok");
    const { data } = await bench.within(
      device.transferIn(256 + 3, 2 ** 32 + 16.9),
    );
    assertEquals(data?.byteLength, 16);
    const control = await bench.within(
      device.controlTransferIn(vendor("memory"), 65536 + 5),
    );
    assertEquals(control.data?.byteLength, 5);
    assertEquals(await bench.ending(device.transferIn(3, -1)), "DataError");
  }),
  row("6", "extension: a signal aborts one transfer alone", async () => {
    await using bench = new WebBench();
    const { device } = await bench.loopback();
    const stop = new AbortController();
    const { signal } = stop;
    const waiting = device.transferIn(1, 512, { signal });
    const other = device.transferIn(1, 512);
    await bench.clock.advance(10);
    stop.abort();
    assertEquals(await bench.ending(waiting), "AbortError");
    assertEquals(
      await bench.ending(device.transferIn(1, 512, { signal })),
      "AbortError",
    );
    await bench.within(device.transferOut(1, sample(3)));
    assertEquals((await bench.within(other)).data?.byteLength, 3);
  }),
  row(
    "6",
    "extension: a time limit rejects with TimeoutError; without one nothing ends",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback();
      const limited = device.transferIn(1, 512, { timeoutMs: 30 });
      assertEquals(await bench.ending(limited), "TimeoutError");
      let isDone = false;
      const endless = device.transferIn(1, 512).finally(() => isDone = true);
      await bench.clock.advance(3_600_000);
      assertEquals(isDone, false);
      await bench.within(device.transferOut(1, sample(3)));
      assertEquals((await bench.within(endless)).status, "ok");
      for (const timeoutMs of [-1, NaN, 1e12, "5"]) {
        const extension = { timeoutMs: timeoutMs as number };
        const refused = device.transferIn(1, 8, extension);
        assertEquals(await bench.ending(refused), "RangeError");
      }
      const wrong = { signal: {} as AbortSignal };
      assertEquals(
        await bench.ending(device.transferIn(1, 8, wrong)),
        "TypeError",
      );
    },
  ),
  row("1", "an extension cannot change what the transfer is", async () => {
    await using bench = new WebBench();
    const { device } = await bench.loopback();
    const sly = { type: "out", endpoint: 0x81, lengthBytes: 9 } as object;
    const { data } = await bench.within(device.transferIn(3, 16, sly));
    assertEquals(data?.byteLength, 16);
  }),
];

function row(section: string, item: string, run: () => Promise<void>): Row {
  return { section, item, run };
}

async function checkSetup(): Promise<void> {
  await using bench = new WebBench();
  const virtual = new DescribedDevice();
  const device = await bench.plug(virtual);
  await bench.within(device.open());
  const read: string[] = [];
  const members: Record<string, unknown> = {
    requestType: "class",
    recipient: "other",
    request: 0x1ab,
    value: 0x11234,
    index: "0x4567",
  };
  const setup = new Proxy(members, {
    get: (target, name) => {
      read.push(String(name));
      return target[String(name)];
    },
  });
  await bench.within(device.controlTransferOut(setup as never));
  assertEquals(read, ["index", "recipient", "request", "requestType", "value"]);
  const [seen] = virtual.setups;
  assertEquals(
    [
      seen?.requestType,
      seen?.recipient,
      seen?.request,
      seen?.value,
      seen?.index,
    ],
    ["class", "other", 0xab, 0x1234, 0x4567],
  );
  for (const name of Object.keys(members)) {
    for (const wrong of [undefined, Symbol("no")]) {
      const call = device.controlTransferIn(
        { ...members, [name]: wrong } as never,
        1,
      );
      assertEquals(await bench.ending(call), "TypeError", name);
    }
  }
  for (const wrong of [undefined, null, 7, {}]) {
    assertEquals(
      await bench.ending(device.controlTransferIn(wrong as never, 1)),
      "TypeError",
    );
  }
}

async function checkCopies(): Promise<void> {
  await using bench = new WebBench();
  const { device } = await bench.loopback();
  const whole = sample(32);
  const views: BufferSource[] = [
    whole.buffer,
    whole,
    whole.subarray(5, 20),
    new DataView(whole.buffer, 3, 9),
    new Uint16Array(whole.buffer, 4, 3),
    new Uint8Array(0),
  ];
  for (const view of views) {
    const expected = ArrayBuffer.isView(view)
      ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice()
      : new Uint8Array(view).slice();
    const sent = device.transferOut(1, view);
    whole.fill(0xee);
    assertEquals((await bench.within(sent)).bytesWritten, expected.length);
    const { data } = await bench.within(device.transferIn(1, 512));
    assertEquals(bytesIn(data), expected);
    whole.set(sample(32));
  }
  const control = device.controlTransferOut(vendor("memory"), whole);
  whole.fill(0xee);
  await bench.within(control);
  const { data } = await bench.within(
    device.controlTransferIn(vendor("memory"), 32),
  );
  assertEquals(bytesIn(data), sample(32));
}
