/**
 * The shape of every interface as Web IDL asks for it: what the public suite's
 * interface test looks at, and brand checks.
 */

import { assert, assertEquals, fail } from "../../driver/std.ts";
import * as webusb from "../../driver/web/webusb.ts";
import {
  installWebUsb,
  USBConnectionEvent,
  USBDevice,
  USBInTransferResult,
  USBIsochronousInTransferPacket,
  USBIsochronousInTransferResult,
  USBIsochronousOutTransferPacket,
  USBIsochronousOutTransferResult,
  USBOutTransferResult,
} from "../../driver/web/webusb.ts";
import { nameOf, type Row, thrownBy, WebBench } from "./bench.ts";
import { type IdlInterface, INTERFACES } from "./interfaces.ts";

type Constructor = new (...args: unknown[]) => object;

function interfaceObject(name: string): Constructor {
  const found = (webusb as unknown as Record<string, Constructor>)[name];
  return found ?? fail(`${name} is not exported`);
}

export const SHAPE_ROWS: readonly Row[] = [
  ...INTERFACES.map((idl): Row => ({
    section: "3.4",
    item: `${idl.name} has the shape of its IDL`,
    run: () => checkShape(idl),
  })),
  ...INTERFACES.filter((idl) => idl.constructorLength === undefined).map((
    { name },
  ): Row => ({
    section: "3.1",
    item: `${name} cannot be constructed`,
    run: () => {
      const type = interfaceObject(name);
      assertEquals(thrownBy(() => new type()), "TypeError");
      assertEquals(thrownBy(() => new type(Symbol(name), {})), "TypeError");
      return Promise.resolve();
    },
  })),
  {
    section: "1",
    item: "a method on a wrong object rejects with TypeError, never throws",
    run: checkMethodsOfStrangers,
  },
  {
    section: "3.4",
    item: "results: status ok, stall, babble, TypeError otherwise; defaults",
    run: checkResults,
  },
  {
    section: "3.4",
    item: "results of isochronous transfers take packets only, and freeze them",
    run: checkPackets,
  },
  {
    section: "3.1",
    item: "USBConnectionEvent(type, { device }) needs a USBDevice",
    run: checkConnectionEvent,
  },
  {
    section: "3.1",
    item: "installWebUsb puts navigator.usb and the interfaces in place",
    run: checkInstall,
  },
];

function checkShape(idl: IdlInterface): Promise<void> {
  const type = interfaceObject(idl.name);
  assertEquals(type.name, idl.name);
  assertEquals(type.length, idl.constructorLength ?? 0, "constructor length");
  assertEquals(
    Object.getOwnPropertyNames(type).sort(),
    ["length", "name", "prototype"],
    "there are no statics",
  );
  const own = Object.getOwnPropertyDescriptor(type, "prototype");
  assertEquals(
    [own?.writable, own?.enumerable, own?.configurable],
    [false, false, false],
  );
  const prototype = type.prototype as object;
  const parent = idl.parent === "Event"
    ? Event
    : idl.parent === "EventTarget"
    ? EventTarget
    : undefined;
  assertEquals(Object.getPrototypeOf(type), parent ?? Function.prototype);
  assertEquals(
    Object.getPrototypeOf(prototype),
    parent?.prototype ?? Object.prototype,
  );
  checkTag(prototype, idl.name);
  checkAttributes(prototype, idl);
  checkOperations(prototype, idl);
  const expected = [
    ...idl.attributes,
    ...idl.writable ?? [],
    ...Object.keys(idl.operations ?? {}),
  ];
  assertEquals(Object.keys(prototype).sort(), expected.sort());
  return Promise.resolve();
}

function checkTag(prototype: object, name: string): void {
  assertEquals(
    Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag),
    { value: name, writable: false, enumerable: false, configurable: true },
  );
  assertEquals(
    Object.getOwnPropertyDescriptor(prototype, "constructor")?.enumerable,
    false,
  );
}

function checkAttributes(prototype: object, idl: IdlInterface): void {
  for (const name of [...idl.attributes, ...idl.writable ?? []]) {
    const attribute = Object.getOwnPropertyDescriptor(prototype, name);
    const { get, set } = attribute ?? fail(`${name} is missing`);
    assertEquals([attribute?.enumerable, attribute?.configurable], [
      true,
      true,
    ]);
    assertEquals([get?.name, get?.length], [`get ${name}`, 0]);
    const isWritable = idl.writable?.includes(name) ?? false;
    assertEquals(set?.length, isWritable ? 1 : undefined, name);
    assertEquals(thrownBy(() => get?.call(prototype)), "TypeError", name);
    assertEquals(thrownBy(() => get?.call({})), "TypeError", name);
    if (isWritable) {
      assertEquals(thrownBy(() => set?.call({}, null)), "TypeError", name);
    }
  }
}

function checkOperations(prototype: object, idl: IdlInterface): void {
  for (const [name, length] of Object.entries(idl.operations ?? {})) {
    const operation = Object.getOwnPropertyDescriptor(prototype, name);
    assertEquals(
      [operation?.enumerable, operation?.configurable, operation?.writable],
      [true, true, true],
      name,
    );
    const method = operation?.value as (...args: unknown[]) => unknown;
    assertEquals([method.name, method.length], [name, length], name);
    assertEquals(thrownBy(() => Reflect.construct(method, [])), "TypeError");
  }
}

async function checkMethodsOfStrangers(): Promise<void> {
  for (const { name, operations } of INTERFACES) {
    const { prototype } = interfaceObject(name);
    const strangers = [{}, prototype, Object.create(prototype)];
    for (const [operation, length] of Object.entries(operations ?? {})) {
      const method = (prototype as Record<string, unknown>)[operation] as (
        ...args: unknown[]
      ) => Promise<unknown>;
      for (const stranger of strangers) {
        const given = Array(length).fill(
          operation === "requestDevice" ? { filters: [] } : 1,
        );
        assertEquals(
          await method.apply(stranger, given).then(() => "ok", nameOf),
          "TypeError",
          `${name}.${operation}`,
        );
      }
    }
  }
}

function checkResults(): Promise<void> {
  const view = new DataView(new ArrayBuffer(4), 1, 2);
  for (const type of [USBInTransferResult, USBIsochronousInTransferPacket]) {
    for (const status of ["ok", "stall", "babble"] as const) {
      const full = new type(status, view);
      assertEquals([full.status, full.data === view], [status, true]);
      assertEquals(new type(status).data as unknown, null);
      assertEquals(new type(status, null).data as unknown, null);
    }
    assertEquals(thrownBy(() => new type("fine" as "ok")), "TypeError");
    assertEquals(thrownBy(() => Reflect.construct(type, [])), "TypeError");
    const wrong = new Uint8Array() as unknown as DataView;
    assertEquals(thrownBy(() => new type("ok", wrong)), "TypeError");
  }
  for (const type of [USBOutTransferResult, USBIsochronousOutTransferPacket]) {
    assertEquals(new type("stall", 7).bytesWritten, 7);
    assertEquals(new type("ok").bytesWritten, 0);
    assertEquals(new type("ok", -1).bytesWritten, 0xffff_ffff);
    assertEquals(thrownBy(() => new type("" as "ok")), "TypeError");
  }
  return Promise.resolve();
}

function checkPackets(): Promise<void> {
  const view = new DataView(new ArrayBuffer(4));
  const inPackets = [new USBIsochronousInTransferPacket("ok", view)];
  const full = new USBIsochronousInTransferResult(inPackets, view);
  assertEquals(full.packets, inPackets);
  assert(full.packets !== inPackets && full.packets === full.packets);
  assert(Object.isFrozen(full.packets) && !Object.isFrozen(inPackets));
  assertEquals(full.data, view);
  const outPackets = [new USBIsochronousOutTransferPacket("ok", 1)];
  const out = new USBIsochronousOutTransferResult(outPackets);
  assert(Object.isFrozen(out.packets));
  const fakes = [{}, null, 1, inPackets[0], outPackets[0]];
  const prototype = USBIsochronousInTransferPacket.prototype;
  for (const fake of [...fakes, Object.create(prototype)]) {
    const asIn = [fake] as never;
    if (fake !== inPackets[0]) {
      assertEquals(
        thrownBy(() => new USBIsochronousInTransferResult(asIn)),
        "TypeError",
      );
    }
    if (fake !== outPackets[0]) {
      assertEquals(
        thrownBy(() => new USBIsochronousOutTransferResult(asIn)),
        "TypeError",
      );
    }
  }
  return Promise.resolve();
}

async function checkConnectionEvent(): Promise<void> {
  await using bench = new WebBench();
  const { device } = await bench.loopback([]);
  const event = new USBConnectionEvent("connect", { device, bubbles: true });
  assertEquals([event.type, event.bubbles], ["connect", true]);
  assert(event.device === device && event instanceof Event);
  const fakes = [undefined, null, {}, Object.create(USBDevice.prototype)];
  for (const fake of fakes) {
    const init = { device: fake } as { device: USBDevice };
    assertEquals(
      thrownBy(() => new USBConnectionEvent("connect", init)),
      "TypeError",
    );
  }
  assertEquals(
    thrownBy(() => Reflect.construct(USBConnectionEvent, ["connect"])),
    "TypeError",
  );
}

async function checkInstall(): Promise<void> {
  await using bench = new WebBench();
  const mine = {};
  const scope: Record<string, unknown> = { navigator: {}, USBDevice: mine };
  const navigator = scope.navigator as { usb?: unknown };
  const uninstall = installWebUsb(scope, bench.usb);
  assert(navigator.usb === bench.usb);
  for (const { name } of INTERFACES) {
    assertEquals(Object.getOwnPropertyDescriptor(scope, name), {
      value: interfaceObject(name),
      writable: true,
      enumerable: false,
      configurable: true,
    });
  }
  assertEquals(thrownBy(() => installWebUsb(scope, bench.usb)), "TypeError");
  uninstall();
  assertEquals(Object.keys(navigator), []);
  assertEquals(Object.getOwnPropertyNames(scope).sort(), [
    "USBDevice",
    "navigator",
  ]);
  assert(scope.USBDevice === mine, "what was there before comes back");
}
