/** The checklist's section 3.1: filters of `requestDevice`, valid and matching. */

import { BootMouse } from "../../driver/sim/devices/boot_mouse.ts";
import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals } from "../../driver/std.ts";
import type {
  USBDeviceFilter,
  WebUsbOptions,
} from "../../driver/web/webusb.ts";
import { type Row, WebBench } from "./bench.ts";
import { DescribedDevice } from "./devices/described_device.ts";

export const FILTER_ROWS: readonly Row[] = [
  row("filters: [] lists every device", async () => {
    await using bench = new WebBench({ allowedDevices: [] });
    bench.bus.plug(new BootMouse());
    const device = await bench.usb.requestDevice({ filters: [] });
    assertEquals(device.productName, "Boot Mouse");
  }),
  row(
    "filter validity: by presence, 0 is a value; TypeError otherwise",
    checkValidity,
  ),
  row(
    "filter conversion: members of wrong types, iterables, getters read once",
    checkConversion,
  ),
  row(
    "filter match: ids, serial number, class of any interface, else the device's",
    checkMatching,
  ),
  row("exclusionFilters take devices out again", async () => {
    await using bench = new WebBench({ allowedDevices: [] });
    bench.bus.plug(new Loopback({ serialNumber: "a" }));
    bench.bus.plug(new Loopback({ serialNumber: "b" }));
    const filters = [{ vendorId: 0x1209 }];
    const ask = (exclusionFilters?: USBDeviceFilter[]): Promise<string> =>
      bench.usb.requestDevice({ filters, exclusionFilters }).then(
        (device) => device.serialNumber ?? "",
        (error) => error.name,
      );
    assertEquals(await ask(), "a");
    assertEquals(await ask([]), "a");
    assertEquals(await ask([{ serialNumber: "a" }]), "b");
    assertEquals(await ask([{ vendorId: 0x1209 }]), "NotFoundError");
    assertEquals(await ask([{ productId: 1 }]), "TypeError");
    assertEquals(await ask([{}]), "NotFoundError");
  }),
];

function row(item: string, run: () => Promise<void>): Row {
  return { section: "3.1", item, run };
}

async function checkValidity(): Promise<void> {
  await using bench = new WebBench({ allowedDevices: [] });
  bench.bus.plug(new Loopback());
  const endings: [USBDeviceFilter, string][] = [
    [{ productId: 0 }, "TypeError"],
    [{ subclassCode: 0 }, "TypeError"],
    [{ protocolCode: 0 }, "TypeError"],
    [{ classCode: 0xff, protocolCode: 0 }, "TypeError"],
    [{ vendorId: 0, productId: 0 }, "NotFoundError"],
    [{ vendorId: 0x1209, productId: undefined }, "ok"],
    [{ classCode: 0xff, subclassCode: 0, protocolCode: 0 }, "ok"],
  ];
  for (const [filter, ending] of endings) {
    const asked = bench.usb.requestDevice({ filters: [filter] });
    assertEquals(await bench.ending(asked), ending, JSON.stringify(filter));
    // One that is valid does not save the other.
    const both = bench.usb.requestDevice({ filters: [{}, filter] });
    assertEquals(
      await bench.ending(both),
      ending === "TypeError" ? ending : "ok",
    );
  }
}

async function checkConversion(): Promise<void> {
  let offered = 0;
  const chooser: WebUsbOptions["chooser"] = ([first]) => {
    offered++;
    return first;
  };
  await using bench = new WebBench({ allowedDevices: [], chooser });
  bench.bus.plug(new Loopback());
  const ask = (options: unknown): Promise<string> =>
    bench.ending(bench.usb.requestDevice(options as { filters: [] }));
  const wrong = [
    undefined,
    null,
    {},
    7,
    { filters: null },
    { filters: 7 },
    { filters: {} },
    { filters: "ab" },
    { filters: [7] },
    { filters: [{ vendorId: Symbol("x") }] },
    { filters: [{ vendorId: 1n }] },
    { filters: [], exclusionFilters: 1 },
  ];
  for (const options of wrong) assertEquals(await ask(options), "TypeError");
  assertEquals(
    await bench.ending(
      (bench.usb.requestDevice as () => Promise<unknown>).call(bench.usb),
    ),
    "TypeError",
  );
  assertEquals(offered, 0, "nothing is offered before everything is checked");
  assertEquals(await ask({ filters: new Set([{ vendorId: "0x1209" }]) }), "ok");
  assertEquals(await ask({ filters: [null] }), "ok");
  assertEquals(await ask({ filters: [{ vendorId: 0x11209 }] }), "ok");
  const read: string[] = [];
  const watched = new Proxy({}, {
    get: (_, name) => void read.push(String(name)),
  });
  await ask({ filters: [watched] });
  assertEquals(read, [
    ...["classCode", "productId", "protocolCode"],
    ...["serialNumber", "subclassCode", "vendorId"],
  ]);
}

async function checkMatching(): Promise<void> {
  await using bench = new WebBench({ allowedDevices: [] });
  bench.bus.plug(
    new DescribedDevice({
      vendorId: 0xabcd,
      productId: 0,
      deviceClass: [0xef, 2, 1],
      texts: ["A", "B", "S"],
      configurations: [
        { value: 1, faces: [{ number: 0, class: [1, 2, 3] }] },
        {
          value: 2,
          faces: [
            { number: 0, class: [0xff, 0, 0] },
            { number: 0, alternate: 1, class: [0, 7, 8] },
          ],
        },
      ],
    }),
  );
  const match = async (filter: USBDeviceFilter): Promise<boolean> =>
    await bench.ending(bench.usb.requestDevice({ filters: [filter] })) === "ok";
  const yes: USBDeviceFilter[] = [
    {},
    { vendorId: 0xabcd },
    { vendorId: 0xabcd, productId: 0 },
    { serialNumber: "S" },
    { vendorId: 0xabcd, serialNumber: "S" },
    { classCode: 1 },
    { classCode: 1, subclassCode: 2, protocolCode: 3 },
    { classCode: 0xef, subclassCode: 2 },
    { classCode: 0xff, subclassCode: 0, protocolCode: 0 },
    { classCode: 0, subclassCode: 7 },
  ];
  const no: USBDeviceFilter[] = [
    { vendorId: 0xabce },
    { vendorId: 0xabcd, productId: 1 },
    { serialNumber: "s" },
    { serialNumber: "" },
    { classCode: 3 },
    { classCode: 1, subclassCode: 7 },
    { classCode: 0xef, subclassCode: 2, protocolCode: 3 },
    { vendorId: 0xabcd, classCode: 9 },
  ];
  for (const filter of yes) assert(await match(filter), JSON.stringify(filter));
  for (const filter of no) assert(!await match(filter), JSON.stringify(filter));
}
