/**
 * What becomes of transfers in flight: the checklist's section 4. Every promise
 * settles exactly once, in order.
 */

import type { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assertEquals } from "../../driver/std.ts";
import type { USBDevice } from "../../driver/web/webusb.ts";
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
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(
      unheard.map(nameOf),
      ["InvalidStateError"],
      "others are heard",
    );
  } finally {
    globalThis.removeEventListener("unhandledrejection", hear);
  }
}
