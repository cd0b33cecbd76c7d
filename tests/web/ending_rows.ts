/**
 * What becomes of transfers in flight: the checklist's section 4. Every promise
 * settles exactly once, in order.
 */

import type { UsbPort } from "../../driver/port.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assertEquals } from "../../driver/std.ts";
import type { USBDevice } from "../../driver/web/webusb.ts";
import { inResult, isochronousInResult } from "../../driver/web/outcomes.ts";
import { until } from "../until.ts";
import { nameOf, type Row, vendor, WebBench } from "./bench.ts";

/** Something that ends transfers in flight. */
interface Ending {
  readonly name: string;
  readonly act: (
    parts: {
      readonly bench: WebBench;
      readonly device: USBDevice;
      readonly virtual: Loopback;
    },
  ) => Promise<unknown>;
  /** How transfers of interface 0 end. */
  readonly expected: "AbortError" | "NetworkError";
  /** A control transfer that waits is ended too. */
  readonly endsControl: boolean;
}

const ENDINGS: readonly Ending[] = [
  {
    name: "close()",
    act: ({ device }) => device.close(),
    expected: "AbortError",
    endsControl: true,
  },
  {
    name: "forget()",
    act: ({ device }) => device.forget(),
    expected: "AbortError",
    endsControl: true,
  },
  {
    name: "reset()",
    act: ({ device }) => device.reset(),
    expected: "AbortError",
    endsControl: true,
  },
  {
    name: "releaseInterface(0)",
    act: ({ device }) => device.releaseInterface(0),
    expected: "AbortError",
    endsControl: false,
  },
  {
    name: "selectAlternateInterface(0, 1)",
    act: ({ device }) => device.selectAlternateInterface(0, 1),
    expected: "AbortError",
    endsControl: false,
  },
  {
    name: "selectConfiguration(2)",
    act: ({ device }) => device.selectConfiguration(2),
    expected: "AbortError",
    endsControl: false,
  },
  {
    name: "an unplug",
    act: ({ bench, virtual }) => Promise.resolve(bench.bus.unplug(virtual)),
    expected: "NetworkError",
    endsControl: true,
  },
  {
    name: "an unplug that the bus tells of",
    act: ({ bench, virtual }) => {
      bench.usb.ondisconnect = () => {};
      return Promise.resolve(bench.bus.unplug(virtual));
    },
    expected: "NetworkError",
    endsControl: true,
  },
];

export const ENDING_ROWS: readonly Row[] = [
  ...ENDINGS.map((ending) =>
    row(
      "3.3",
      `${ending.name}: transfers in flight reject with ${ending.expected}, once and in order`,
      () => checkEnding(ending),
    )
  ),
  row(
    "3.3",
    "a transfer aborted by close() that nobody hears kills no program",
    checkUnheard,
  ),
  row(
    "4",
    "a close that overtakes the news of an unplug is no abort: NetworkError",
    checkOvertaken,
  ),
  row(
    "4",
    "data of a port that lie inside a larger buffer are given one of their own",
    () => {
      const whole = new Uint8Array(16).map((_, at) => at);
      const data = whole.subarray(8, 12);
      const outcome = { status: "completed", actualLengthBytes: 4 } as const;
      const result = inResult({ ...outcome, data });
      assertEquals(result.data?.buffer, Uint8Array.of(8, 9, 10, 11).buffer);
      const packets = [{ ...outcome, offsetBytes: 0 }];
      const iso = isochronousInResult([{ ...outcome, data, packets }], [4]);
      assertEquals(iso.packets[0]?.data?.getUint8(0), 8);
      assertEquals(iso.data?.buffer.byteLength, 4);
      return Promise.resolve();
    },
  ),
];

function row(section: string, item: string, run: () => Promise<void>): Row {
  return { section, item, run };
}

async function checkEnding(ending: Ending): Promise<void> {
  await using bench = new WebBench();
  const { device, virtual } = await bench.loopback();
  const settled: string[] = [];
  const note = (name: string, promise: Promise<unknown>): Promise<void> =>
    promise.then(
      () => void settled.push(`${name} ok`),
      (error) => void settled.push(`${name} ${nameOf(error)}`),
    );
  const reads = ["a", "b", "c"].map((name) =>
    note(name, device.transferIn(1, 512))
  );
  const interrupt = note("interrupt", device.transferIn(2, 8));
  const control = note(
    "control",
    device.controlTransferIn(vendor("lateAnswer", 1_000), 8),
  );
  await bench.clock.advance(5);
  const acted = ending.act({ bench, device, virtual });
  await bench.within(Promise.all([...reads, interrupt, acted]));
  await bench.within(control);
  const { expected, endsControl } = ending;
  assertEquals(settled.filter((s) => /^[abc] /.test(s)), [
    `a ${expected}`,
    `b ${expected}`,
    `c ${expected}`,
  ]);
  assertEquals(settled.filter((s) => !/^[abc] /.test(s)).sort(), [
    `control ${endsControl ? expected : "ok"}`,
    `interrupt ${expected}`,
  ]);
  assertEquals(settled.length, 5, "each settles once");
}

/** A port that misses the device while its transfers still wait, as libusb may. */
async function checkOvertaken(): Promise<void> {
  let isListed = true;
  await using bench = new WebBench();
  const { port: inner } = bench;
  const port: UsbPort = {
    devices: async () => isListed ? await inner.devices() : [],
    watch: (options) => inner.watch(options),
    open: (device, options) => inner.open(device, options),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  };
  bench.bus.plug(new Loopback());
  const usb = bench.another({ port });
  const device = await usb.requestDevice({ filters: [{}] });
  await bench.within(device.open());
  await bench.within(device.claimInterface(0));
  const stop = AbortSignal.abort();
  const reads = [
    device.transferIn(1, 64),
    device.transferIn(1, 64, { signal: stop }),
  ];
  isListed = false;
  await usb.getDevices();
  const endings = await Promise.all(reads.map((read) => bench.ending(read)));
  assertEquals(endings, ["NetworkError", "AbortError"]);
}

async function checkUnheard(): Promise<void> {
  const unheard: unknown[] = [];
  const hear = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unheard.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", hear);
  try {
    await using bench = new WebBench();
    const { device } = await bench.loopback();
    device.transferIn(1, 512);
    device.controlTransferIn(vendor("lateAnswer", 1_000), 8);
    await bench.clock.advance(5);
    await bench.within(device.close());
    // Rejections are told of when the loop turns.
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(unheard, []);
    device.transferIn(1, 512);
    await until("what nobody awaits", () => unheard.length > 0);
    assertEquals(
      unheard.map(nameOf),
      ["InvalidStateError"],
      "others are heard",
    );
  } finally {
    globalThis.removeEventListener("unhandledrejection", hear);
  }
}
