/** The checklist's sections 3.2 and 3.4: attributes, and the objects below a device. */

import { Loopback } from "../../driver/sim/devices/loopback.ts";
import { assert, assertEquals, fail } from "../../driver/std.ts";
import {
  deviceInfo,
  USBAlternateInterface,
  USBConfiguration,
  type USBDevice,
  USBEndpoint,
  USBInterface,
} from "../../driver/web/webusb.ts";
import { type Row, thrownBy, WebBench } from "./bench.ts";
import {
  bulkPair,
  DescribedDevice,
  type Description,
  sparseDevice,
} from "./devices/described_device.ts";

export const OBJECT_ROWS: readonly Row[] = [
  row("3.2", "versions 0xJJMN are J, M, N as plain binary", async () => {
    const device = await plugged({ usbVersion: 0x1a21, deviceVersion: 0x0a9f });
    assertEquals(
      [
        device.usbVersionMajor,
        device.usbVersionMinor,
        device.usbVersionSubminor,
      ],
      [0x1a, 2, 1],
    );
    assertEquals([
      device.deviceVersionMajor,
      device.deviceVersionMinor,
      device.deviceVersionSubminor,
    ], [0x0a, 9, 0x0f]);
  }),
  row(
    "3.2",
    "class, ids and names without open(); opened is false",
    async () => {
      const device = await plugged({
        vendorId: 0xabcd,
        productId: 0xef01,
        deviceClass: [1, 2, 3],
        texts: ["Maker", "Thing", "№ 1"],
      });
      assertEquals([
        ...[device.vendorId, device.productId],
        ...[device.deviceClass, device.deviceSubclass, device.deviceProtocol],
        ...[device.manufacturerName, device.productName, device.serialNumber],
        device.opened,
      ], [0xabcd, 0xef01, 1, 2, 3, "Maker", "Thing", "№ 1", false]);
    },
  ),
  row("3.2", "names are null where there are none, or empty ones", async () => {
    for (const parts of [{ strings: [0, 0, 0] }, { texts: ["", "", ""] }]) {
      const device = await plugged(parts as Description);
      assertEquals(
        [device.manufacturerName, device.productName, device.serialNumber],
        [null, null, null],
      );
    }
  }),
  row(
    "3.2",
    "configurations is frozen and always the same; configuration is its element",
    async () => {
      await using bench = new WebBench();
      const { device } = await bench.loopback([]);
      const all = device.configurations;
      assert(Object.isFrozen(all) && device.configurations === all);
      assertEquals(all.map((c) => c.configurationValue), [1, 2]);
      assert(device.configuration === all[0]);
      await bench.within(device.selectConfiguration(2));
      assert(device.configuration === all[1]);
      await bench.within(device.close());
      assert(device.configuration === all[1], "it stays when closed");
      const [again] = await bench.usb.getDevices();
      assert(again?.configuration === all[1]);
    },
  ),
  row(
    "3.2",
    "configuration is null when unconfigured, and follows what others did",
    async () => {
      await using bench = new WebBench();
      const virtual = new Loopback();
      const plugged = bench.bus.plug(virtual);
      plugged.device.configure(0);
      const [device = fail("none")] = await bench.usb.getDevices();
      assertEquals(device.configuration, null);
      plugged.device.configure(2);
      await bench.usb.getDevices();
      assertEquals(device.configuration?.configurationValue, 2);
    },
  ),
  row(
    "3.2",
    "configurations of one value are shown once",
    async () => {
      const device = await plugged({
        configurations: [1, 1, 2].map((value, number) => ({
          value,
          faces: [{ number }],
        })),
      });
      assertEquals(device.configurations.map((c) => c.configurationValue), [
        1,
        2,
      ]);
      const [first] = device.configurations[0]?.interfaces ?? [];
      assertEquals(first?.interfaceNumber, 0, "the first one counts");
    },
  ),
  row(
    "3.2",
    "a device without configurations can be opened and asked",
    async () => {
      await using bench = new WebBench();
      const virtual = new DescribedDevice({
        configurations: [],
        answer: () => Uint8Array.of(9),
      });
      const device = await bench.plug(virtual);
      assertEquals([device.configurations, device.configuration], [[], null]);
      await bench.within(device.open());
      const setup = {
        requestType: "vendor",
        recipient: "device",
        request: 1,
        value: 2,
        index: 3,
      } as const;
      const { data } = await bench.within(device.controlTransferIn(setup, 8));
      assertEquals(data?.getUint8(0), 9);
      assertEquals(
        await bench.ending(device.claimInterface(0)),
        "InvalidStateError",
      );
      assertEquals(
        await bench.ending(device.selectConfiguration(1)),
        "NotFoundError",
      );
    },
  ),
  row(
    "3.4",
    "names of configurations and interfaces: null before open(), read by it",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(
        new DescribedDevice({
          texts: ["A", "B", "C", "Main", "Control"],
          configurations: [{
            value: 1,
            stringIndex: 4,
            faces: [{ number: 0, stringIndex: 5 }, {
              number: 1,
              stringIndex: 99,
            }],
          }],
        }),
      );
      const { configuration } = device;
      const names = (): unknown[] => [
        configuration?.configurationName,
        ...(configuration?.interfaces ?? []).map((i) =>
          i.alternate.interfaceName
        ),
      ];
      assertEquals(names(), [null, null, null]);
      await bench.within(device.open());
      assertEquals(names(), ["Main", "Control", null]);
      await bench.within(device.close());
      assertEquals(names(), ["Main", "Control", null]);
    },
  ),
  row(
    "3.4",
    "a device that never answers for its names does not hold up open()",
    async () => {
      await using bench = new WebBench();
      const virtual = new DescribedDevice({
        configurations: [{
          value: 1,
          stringIndex: 1,
          faces: [{ number: 0, stringIndex: 2 }, { number: 1, stringIndex: 3 }],
        }],
      });
      const device = await bench.plug(virtual);
      // It gives its languages, and then nothing.
      const fault = { kind: "silent" } as const;
      bench.fault(virtual, { endpoint: 0, after: 1, times: 0, fault });
      const before = bench.clock.nowMs();
      await bench.within(device.open());
      assert(bench.clock.nowMs() - before < 1_000);
      assertEquals(device.configuration?.configurationName, null);
    },
  ),
  row(
    "3.4",
    "interfaces in order of first appearance, settings by number, all frozen",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(sparseDevice());
      const interfaces = device.configuration?.interfaces ?? fail("none");
      assert(Object.isFrozen(interfaces));
      assertEquals(interfaces.map((i) => i.interfaceNumber), [0, 2]);
      assertEquals(
        interfaces.map((i) => i.alternates.map((a) => a.alternateSetting)),
        [[0, 2, 5], [0, 4]],
      );
      for (const { alternates, alternate } of interfaces) {
        assert(Object.isFrozen(alternates) && alternates[0] === alternate);
        assert(alternates.every((a) => Object.isFrozen(a.endpoints)));
      }
    },
  ),
  row(
    "3.4",
    "claimed and alternate are live, for constructed objects too",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(sparseDevice());
      const { configuration } = device;
      const own = configuration?.interfaces[1] ?? fail("none");
      const made = new USBInterface(new USBConfiguration(device, 3), 2);
      const look = (): unknown[] =>
        [own, made].map((i) => [i.claimed, i.alternate.alternateSetting]);
      assertEquals(look(), [[false, 0], [false, 0]]);
      await bench.within(device.open());
      await bench.within(device.claimInterface(2));
      await bench.within(device.selectAlternateInterface(2, 4));
      assertEquals(look(), [[true, 4], [true, 4]]);
      assert(own.alternate === own.alternates[1], "the very object");
      assert(made !== own && made.alternate !== own.alternate);
      await bench.within(device.releaseInterface(2));
      assertEquals(look(), [[false, 0], [false, 0]]);
    },
  ),
  row(
    "3.4",
    "constructors: RangeError for the unknown, TypeError for strangers",
    checkConstructors,
  ),
  row(
    "3.4",
    "USBAlternateInterface: class codes; no control endpoints, addresses once",
    async () => {
      const device = await plugged({
        configurations: [{
          value: 1,
          faces: [{
            number: 0,
            class: [7, 8, 9],
            endpoints: [...bulkPair(1), ...bulkPair(1), ...bulkPair(2)],
          }],
        }],
      });
      const alternate = device.configuration?.interfaces[0]?.alternate;
      assertEquals([
        alternate?.interfaceClass,
        alternate?.interfaceSubclass,
        alternate?.interfaceProtocol,
      ], [7, 8, 9]);
      assertEquals(
        alternate?.endpoints.map((e) => `${e.direction} ${e.endpointNumber}`),
        ["out 1", "in 1", "out 2", "in 2"],
      );
    },
  ),
  row(
    "3.4",
    "USBEndpoint: type, packetSize without the high-bandwidth factor",
    async () => {
      const device = await plugged({
        configurations: [{
          value: 1,
          faces: [{
            number: 0,
            endpoints: [
              {
                address: 0x83,
                type: "isochronous",
                packetSize: 0x1400,
                interval: 1,
              },
              { address: 0x04, type: "interrupt", packetSize: 8, interval: 4 },
            ],
          }],
        }],
      });
      const [iso, interrupt] =
        device.configuration?.interfaces[0]?.alternate.endpoints ?? [];
      assertEquals([iso?.type, iso?.direction, iso?.endpointNumber], [
        "isochronous",
        "in",
        3,
      ]);
      assertEquals([iso?.packetSize, interrupt?.packetSize], [1024, 8]);
      const [descriptor] = deviceInfo(device).configurations[0]?.interfaces[0]
        ?.alternates[0]?.endpoints ?? [];
      assertEquals(descriptor?.transactionsPerMicroframe, 3);
    },
  ),
  row(
    "3.4",
    "SuperSpeed: packetSize, and the companion in deviceInfo()",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(new Loopback({ speed: "super" }));
      const [endpoint] =
        device.configuration?.interfaces[0]?.alternate.endpoints ??
          [];
      assertEquals(endpoint?.packetSize, 1024);
      const info = deviceInfo(device);
      assertEquals(info.speed, "super");
      const [descriptor] = info.configurations[0]?.interfaces[0]?.alternates[0]
        ?.endpoints ?? [];
      assertEquals(descriptor?.superSpeedCompanion?.maxBurst, 0);
      assertEquals(thrownBy(() => deviceInfo({})), "TypeError");
    },
  ),
  row(
    "4",
    "32 interfaces, the most a kernel takes, can all be claimed",
    async () => {
      await using bench = new WebBench();
      const device = await bench.plug(
        new DescribedDevice({
          configurations: [{
            value: 1,
            faces: Array.from({ length: 32 }, (_, at) => ({ number: at * 3 })),
          }],
        }),
      );
      await bench.within(device.open());
      const interfaces = device.configuration?.interfaces ?? [];
      assertEquals(interfaces.length, 32);
      await bench.within(
        Promise.all(
          interfaces.map((i) => device.claimInterface(i.interfaceNumber)),
        ),
      );
      assert(interfaces.every((i) => i.claimed));
    },
  ),
];

function row(section: string, item: string, run: () => Promise<void>): Row {
  return { section, item, run };
}

/** A device of which only the attributes are looked at. */
async function plugged(description: Description): Promise<USBDevice> {
  await using bench = new WebBench();
  return await bench.plug(new DescribedDevice(description));
}

async function checkConstructors(): Promise<void> {
  await using bench = new WebBench();
  const device = await bench.plug(sparseDevice());
  const configuration = new USBConfiguration(device, 3);
  const one = new USBInterface(configuration, 0);
  const alternate = new USBAlternateInterface(one, 5);
  const endpoint = new USBEndpoint(alternate, 2, "in");
  assertEquals([endpoint.direction, endpoint.endpointNumber], ["in", 2]);
  const unknown = [
    () => new USBConfiguration(device, 1),
    () => new USBInterface(configuration, 1),
    () => new USBAlternateInterface(one, 1),
    () => new USBEndpoint(alternate, 1, "in"),
    () => new USBEndpoint(alternate, 0x82, "in"),
  ];
  for (const make of unknown) assertEquals(thrownBy(make), "RangeError");
  const fake = (type: { prototype: object }): never =>
    Object.create(type.prototype) as never;
  const strangers = [
    () => new USBConfiguration({}, 1),
    () => new USBInterface({} as USBConfiguration, 0),
    () => new USBInterface(fake(USBConfiguration), 0),
    () => new USBAlternateInterface(fake(USBInterface), 0),
    () => new USBEndpoint(fake(USBAlternateInterface), 1, "in"),
    () => new USBEndpoint(alternate, 2, "inward" as "in"),
    () => Reflect.construct(USBConfiguration, [device]),
    () => Reflect.construct(USBEndpoint, [alternate, 2]),
  ];
  for (const make of strangers) assertEquals(thrownBy(make), "TypeError");
}
