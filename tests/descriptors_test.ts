import {
  CONFIGURATION_DESCRIPTOR_BYTES,
  parseCapabilities,
  parseConfigurationDescriptor,
  parseConfigurations,
  parseDeviceDescriptor,
  parseLanguageIds,
  parseStringDescriptor,
} from "../driver/descriptors.ts";
import { UsbError } from "../driver/errors.ts";
import {
  MAX_ALTERNATE_SETTINGS,
  MAX_CONFIGURATIONS,
  MAX_ENDPOINTS,
  MAX_INTERFACES,
} from "../driver/limits.ts";
import { assert, assertEquals, assertThrows } from "../driver/std.ts";

// Agilent 34410A multimeter (0957:0607), as lsusb prints it.
// deno-fmt-ignore
const MULTIMETER_DEVICE = new Uint8Array([
  18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x57, 0x09, 0x07, 0x06, 0x00, 0x01, 1, 2, 3, 1,
]);
// deno-fmt-ignore
const MULTIMETER_CONFIGURATION = new Uint8Array([
  9, 2, 39, 0, 1, 1, 0, 0xc0, 1,
  9, 4, 0, 0, 3, 0xfe, 3, 1, 0,
  7, 5, 0x81, 3, 0x02, 0, 1,
  7, 5, 0x02, 2, 0x00, 2, 0,
  7, 5, 0x86, 2, 0x00, 2, 0,
]);

function configuration(value: number, ...parts: number[][]): Uint8Array {
  const body = parts.flat();
  const total = 9 + body.length;
  const count = parts.filter((part) => part[1] === 4).length;
  return new Uint8Array([
    ...[9, 2, total & 0xff, total >> 8, count, value, 0, 0x80, 50],
    ...body,
  ]);
}

function alternate(
  number: number,
  setting: number,
  endpoints: number,
): number[] {
  return [9, 4, number, setting, endpoints, 0xff, 0, 0, 0];
}

function endpoint(address: number, attributes = 2, size = 512): number[] {
  return [7, 5, address, attributes, size & 0xff, size >> 8, 1];
}

function assertProtocolError(parse: () => unknown, text: string): void {
  const error = assertThrows(parse, UsbError, text);
  assertEquals(error.code, "protocol");
}

Deno.test("A device descriptor is read field by field", () => {
  assertEquals(parseDeviceDescriptor(MULTIMETER_DEVICE), {
    usbVersion: 0x0200,
    deviceClass: 0,
    deviceSubclass: 0,
    deviceProtocol: 0,
    maxPacketSize0: 64,
    vendorId: 0x0957,
    productId: 0x0607,
    deviceVersion: 0x0100,
    manufacturerIndex: 1,
    productIndex: 2,
    serialNumberIndex: 3,
    configurationCount: 1,
  } as ReturnType<typeof parseDeviceDescriptor>);
});

Deno.test("A device descriptor cut short or of another type is a protocol error", () => {
  assertProtocolError(
    () => parseDeviceDescriptor(MULTIMETER_DEVICE.subarray(0, 17)),
    "Cannot read device descriptor: it has 17 of 18 bytes",
  );
  assertProtocolError(
    () => parseDeviceDescriptor(MULTIMETER_DEVICE.with(1, 2)),
    "its type is 0x02",
  );
});

Deno.test("A configuration is read with its interfaces and endpoints", () => {
  const parsed = parseConfigurationDescriptor(MULTIMETER_CONFIGURATION);
  assertEquals<number>(parsed.configurationValue, 1);
  assertEquals(parsed.attributes, 0xc0);
  assertEquals(parsed.maxPowerMilliamperes, 2);
  assertEquals(parsed.bytes, MULTIMETER_CONFIGURATION);
  assertEquals(parsed.interfaces.length, 1);
  const setting = parsed.interfaces[0]?.alternates[0];
  assert(setting !== undefined);
  assertEquals(
    [
      setting.interfaceClass,
      setting.interfaceSubclass,
      setting.interfaceProtocol,
    ],
    [0xfe, 3, 1],
  );
  assertEquals<unknown>(
    setting.endpoints.map((
      e,
    ) => [e.endpointAddress, e.direction, e.transferType, e.maxPacketSize]),
    [
      [0x81, "in", "interrupt", 2],
      [0x02, "out", "bulk", 512],
      [0x86, "in", "bulk", 512],
    ],
  );
});

Deno.test("Alternate settings of one interface are gathered, wherever they stand", () => {
  const parsed = parseConfigurationDescriptor(configuration(
    1,
    alternate(3, 0, 0),
    alternate(1, 0, 0),
    alternate(3, 7, 1),
    endpoint(0x81, 1, 0x1400),
  ));
  assertEquals<number[]>(parsed.interfaces.map((i) => i.interfaceNumber), [
    3,
    1,
  ]);
  const settings = parsed.interfaces[0]?.alternates ?? [];
  assertEquals<number[]>(settings.map((a) => a.alternateSetting), [0, 7]);
  const found = settings[1]?.endpoints[0];
  assertEquals(found?.maxPacketSize, 1024);
  assertEquals(found?.transactionsPerMicroframe, 3);
  assertEquals(found?.transferType, "isochronous");
});

Deno.test("Class-specific descriptors stay with what they stand behind", () => {
  const parsed = parseConfigurationDescriptor(configuration(
    1,
    [3, 0x42, 1],
    [8, 0x0b, 0, 2, 2, 2, 1, 0],
    alternate(0, 0, 1),
    [5, 0x24, 0x00, 0x10, 0x01],
    endpoint(0x83, 3, 16),
    [6, 0x30, 4, 0, 0x20, 0],
    [4, 0x25, 1, 2],
  ));
  assertEquals(parsed.extra.map((raw) => raw.descriptorType), [0x42]);
  assertEquals(parsed.associations[0]?.functionClass, 2);
  assertEquals(parsed.associations[0]?.interfaceCount, 2);
  const setting = parsed.interfaces[0]?.alternates[0];
  assertEquals(setting?.extra.map((raw) => [...raw.bytes]), [[
    5,
    0x24,
    0,
    0x10,
    1,
  ]]);
  const found = setting?.endpoints[0];
  assertEquals(found?.superSpeedCompanion, {
    maxBurst: 4,
    attributes: 0,
    bytesPerInterval: 32,
  });
  assertEquals(found?.extra.map((raw) => raw.descriptorType), [0x25]);
});

Deno.test("A descriptor that claims no length, or more than there is, ends the reading", () => {
  for (const bad of [[0, 0x24], [1, 0x24], [200, 0x24, 1]]) {
    const parsed = parseConfigurationDescriptor(
      configuration(1, alternate(0, 0, 2), endpoint(0x81), bad, endpoint(0x02)),
    );
    assertEquals(parsed.interfaces[0]?.alternates[0]?.endpoints.length, 1);
  }
});

Deno.test("Endpoints that Linux refuses are kept raw", () => {
  const parsed = parseConfigurationDescriptor(configuration(
    1,
    alternate(0, 0, 3),
    endpoint(0x81),
    endpoint(0x81),
    endpoint(0x80),
    endpoint(0x71),
    endpoint(0x02),
    endpoint(0x03),
    endpoint(0x04),
  ));
  const setting = parsed.interfaces[0]?.alternates[0];
  assertEquals<number[] | undefined>(
    setting?.endpoints.map((e) => e.endpointAddress),
    [0x81, 0x02, 0x03],
  );
});

Deno.test("A setting that stands twice is left out with its endpoints", () => {
  const parsed = parseConfigurationDescriptor(configuration(
    1,
    alternate(0, 0, 1),
    endpoint(0x81),
    alternate(0, 0, 1),
    endpoint(0x02),
    [3, 0x24, 0],
  ));
  const settings = parsed.interfaces[0]?.alternates ?? [];
  assertEquals(settings.length, 1);
  assertEquals(settings[0]?.endpoints.length, 1);
  assertEquals(settings[0]?.extra, []);
});

Deno.test("Interfaces, settings, endpoints and configurations are bounded", () => {
  const interfaces = Array.from({ length: 200 }, (_, n) => alternate(n, 0, 0));
  const settings = Array.from({ length: 200 }, (_, n) => alternate(0, n, 0));
  const endpoints = Array.from({ length: 30 }, (_, n) => [
    ...endpoint(n % 15 + 1 | (n > 14 ? 0x80 : 0)),
  ]);
  assertEquals(
    parseConfigurationDescriptor(configuration(1, ...interfaces)).interfaces
      .length,
    MAX_INTERFACES,
  );
  assertEquals(
    parseConfigurationDescriptor(configuration(1, ...settings)).interfaces[0]
      ?.alternates.length,
    MAX_ALTERNATE_SETTINGS,
  );
  assertEquals(
    parseConfigurationDescriptor(
      configuration(1, alternate(0, 0, 255), ...endpoints, ...endpoints),
    ).interfaces[0]?.alternates[0]?.endpoints.length,
    MAX_ENDPOINTS,
  );
  const many = new Uint8Array(
    Array.from({ length: 20 }, (_, n) => [...configuration(n + 1)]).flat(),
  );
  assertEquals(parseConfigurations(many, 255).length, MAX_CONFIGURATIONS);
  assertEquals(parseConfigurations(many, 3).length, 3);
});

Deno.test("A configuration that is none is a protocol error", () => {
  assertProtocolError(
    () => parseConfigurationDescriptor(MULTIMETER_DEVICE),
    "Cannot read configuration descriptor: its type is 0x01",
  );
  assertProtocolError(
    () => parseConfigurationDescriptor(new Uint8Array(8)),
    "it has 8 of 9 bytes",
  );
});

Deno.test("Configurations are found behind holes, and where the kernel closed them", () => {
  const first = configuration(1, alternate(0, 0, 1), endpoint(0x81), [9, 0]);
  const second = configuration(2, alternate(5, 0, 0));
  // usbfs leaves wTotalLength bytes; sysfs cuts the two bad bytes off.
  for (const cut of [first, first.subarray(0, -2)]) {
    const parsed = parseConfigurations(
      new Uint8Array([...cut, ...second]),
      2,
    );
    assertEquals<number[]>(parsed.map((c) => c.configurationValue), [1, 2]);
    assertEquals<number | undefined>(
      parsed[1]?.interfaces[0]?.interfaceNumber,
      5,
    );
  }
});

Deno.test("Configurations of nothing readable are none", () => {
  assertEquals(parseConfigurations(new Uint8Array(), 1), []);
  assertEquals(parseConfigurations(MULTIMETER_DEVICE, 1), []);
  const zeroTotal = new Uint8Array([9, 2, 0, 0, 1, 1, 0, 0x80, 50]);
  assertEquals(parseConfigurations(zeroTotal, 1).length, 1);
});

Deno.test("Capabilities are read; others between them are skipped", () => {
  const bos = new Uint8Array([
    ...[5, 0x0f, 20, 0, 3],
    ...[7, 0x10, 0x02, 0x02, 0, 0, 0],
    ...[4, 0x99, 1, 2],
    ...[4, 0x10, 0x05, 0xaa],
  ]);
  assertEquals(
    parseCapabilities(bos).map((c) => [c.capabilityType, c.bytes.length]),
    [[2, 7], [5, 4]],
  );
  assertEquals(parseCapabilities(bos.with(4, 1)).length, 1);
  assertEquals(parseCapabilities(bos.with(2, 14)).length, 1);
  assertEquals(parseCapabilities(bos.with(5, 0)).length, 0);
  assertProtocolError(
    () => parseCapabilities(bos.subarray(0, 4)),
    "Cannot read binary object store: it has 4 of 5 bytes",
  );
});

Deno.test("Strings are UTF-16; what is broken is replaced, what is missing left out", () => {
  const text = new Uint8Array([8, 3, 0x41, 0, 0xe4, 0, 0x3d, 0xd8]);
  assertEquals(parseStringDescriptor(text), "A\u00e4\ufffd");
  assertEquals(parseStringDescriptor(text.subarray(0, 5)), "A");
  assertEquals(parseStringDescriptor(text.with(0, 4)), "A");
  assertEquals(parseStringDescriptor(new Uint8Array([0, 3])), "");
  assertEquals(
    parseLanguageIds(new Uint8Array([6, 3, 9, 4, 7, 4])),
    [0x0409, 0x0407],
  );
  assertProtocolError(
    () => parseStringDescriptor(new Uint8Array([2])),
    "Cannot read string descriptor",
  );
});

Deno.test("Random and damaged descriptors never break the parser or its limits", () => {
  const seed = Number(Deno.env.get("DRIVERSPACE_SEED") ?? 20260101);
  const random = mulberry32(seed);
  const whole = configuration(
    1,
    [8, 0x0b, 0, 2, 2, 2, 1, 0],
    alternate(0, 0, 2),
    [5, 0x24, 0, 0x10, 1],
    endpoint(0x81),
    [6, 0x30, 4, 0, 0x20, 0],
    endpoint(0x02),
    alternate(1, 0, 1),
    endpoint(0x83, 1, 0x1400),
  );
  for (let round = 0; round < 5_000; round++) {
    const bytes = round % 2 === 0
      ? damaged(whole, random)
      : randomBytes(random);
    try {
      checkAll(bytes);
    } catch (error) {
      throw new Error(`Seed ${seed}, round ${round}: [${bytes}]`, {
        cause: error,
      });
    }
  }
});

function checkAll(bytes: Uint8Array): void {
  for (const configuration of parseConfigurations(bytes, 255)) {
    assert(configuration.bytes.length >= CONFIGURATION_DESCRIPTOR_BYTES);
    assert(configuration.interfaces.length <= MAX_INTERFACES);
    assert(configuration.interfaces.every((i) => i.alternates.length > 0));
  }
  for (
    const parse of [
      parseDeviceDescriptor,
      parseConfigurationDescriptor,
      parseCapabilities,
      parseStringDescriptor,
      parseLanguageIds,
    ]
  ) {
    try {
      parse(bytes);
    } catch (error) {
      assert(error instanceof UsbError && error.code === "protocol");
    }
  }
}

function damaged(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = bytes.slice(0, Math.ceil(random() * bytes.length));
  const changes = Math.floor(random() * 4);
  for (let n = 0; n < changes; n++) {
    copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
  }
  return copy;
}

/** Small values first: they are more often a length or a type. */
function randomBytes(random: () => number): Uint8Array {
  const bytes = new Uint8Array(Math.floor(random() * 96));
  for (let n = 0; n < bytes.length; n++) {
    bytes[n] = Math.floor(random() * (random() < 0.7 ? 20 : 256));
  }
  if (random() < 0.8) bytes[1] = [1, 2, 3, 0x0f][Math.floor(random() * 4)] ?? 2;
  return bytes;
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ state >>> 15, state | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}
