/** A device that is nothing but its descriptors, and remembers what it was asked. */

import {
  configurationDescriptor,
  deviceDescriptor,
  type DeviceFields,
  endpointDescriptor,
  type EndpointFields,
  interfaceDescriptor,
} from "../../../driver/sim/descriptor_bytes.ts";
import type { DecodedSetup, Speed } from "../../../driver/usb.ts";
import {
  type ControlReply,
  type VirtualDescriptors,
  VirtualDevice,
} from "../../../driver/sim/virtual_device.ts";

/** One alternate setting. */
export interface Face {
  readonly number: number;
  readonly alternate?: number;
  readonly class?: readonly [number, number, number];
  readonly stringIndex?: number;
  readonly endpoints?: readonly EndpointFields[];
}

/** One configuration. */
export interface Configuration {
  readonly value: number;
  readonly stringIndex?: number;
  readonly faces: readonly Face[];
}

/** A device by its parts. */
export interface Description extends Partial<DeviceFields> {
  readonly speed?: Speed;
  readonly configurations?: readonly Configuration[];
  readonly texts?: readonly string[];
  readonly kernelDrivers?: Readonly<Record<number, string>>;
  /** Answers IN requests; default: nothing. */
  readonly answer?: (setup: DecodedSetup) => ControlReply;
}

/** A device by its parts. */
export class DescribedDevice extends VirtualDevice {
  override readonly descriptors: VirtualDescriptors;
  /** Class and vendor requests, in order. */
  readonly setups: DecodedSetup[] = [];
  /** OUT data, by endpoint address. */
  readonly written: { endpoint: number; data: Uint8Array }[] = [];
  /** Settings selected: `[interface, setting]`. */
  readonly settings: [number, number][] = [];
  /** Configurations selected. */
  readonly configurations: number[] = [];
  readonly #answer: Description["answer"];

  constructor(description: Description = {}) {
    super();
    this.#answer = description.answer;
    this.descriptors = descriptorsOf(description);
  }

  override control(setup: DecodedSetup): ControlReply {
    this.setups.push(setup);
    return this.#answer?.(setup) ??
      (setup.direction === "in" ? new Uint8Array() : undefined);
  }

  override out(endpoint: number, data: Uint8Array): void {
    this.written.push({ endpoint, data: data.slice() });
  }

  override alternateSelected(number: number, setting: number): void {
    this.settings.push([number, setting]);
  }

  override configured(value: number): void {
    this.configurations.push(value);
  }

  /** Queues data of an IN endpoint. */
  send(endpoint: number, data: Uint8Array): void {
    this.host.send(endpoint as Parameters<typeof this.host.send>[0], data);
  }
}

function descriptorsOf(description: Description): VirtualDescriptors {
  const configurations = description.configurations ??
    [{ value: 1, faces: [{ number: 0 }] }];
  return {
    speed: description.speed ?? "high",
    device: deviceDescriptor({
      vendorId: 0x1209,
      productId: 0x00f0,
      configurationCount: configurations.length,
      ...description,
    }),
    configurations: configurations.map(configurationBytes),
    strings: description.texts ?? ["Driver Space", "Described", "D-1"],
    ...(description.kernelDrivers === undefined
      ? {}
      : { kernelDrivers: description.kernelDrivers }),
  };
}

function configurationBytes(
  { value, faces, stringIndex = 0 }: Configuration,
): Uint8Array {
  return configurationDescriptor(
    {
      value,
      interfaceCount: new Set(faces.map((f) => f.number)).size,
      stringIndex,
    },
    ...faces.flatMap((face) => [
      interfaceDescriptor({
        number: face.number,
        alternate: face.alternate ?? 0,
        endpointCount: face.endpoints?.length ?? 0,
        class: face.class ?? [0xff, 0, 0],
        stringIndex: face.stringIndex ?? 0,
      }),
      ...(face.endpoints ?? []).map(endpointDescriptor),
    ]),
  );
}

/** A pair of bulk endpoints of one number. */
export function bulkPair(number: number): readonly EndpointFields[] {
  return [number, number | 0x80].map((address) => ({
    address,
    type: "bulk",
    packetSize: 512,
  }));
}

/** Interfaces 0 and 2, settings 0 and 2 and 5: numbers are no indexes. */
export function sparseDevice(): DescribedDevice {
  return new DescribedDevice({
    configurations: [{
      value: 3,
      faces: [
        { number: 0, alternate: 0 },
        { number: 0, alternate: 2, endpoints: bulkPair(1) },
        { number: 0, alternate: 5, endpoints: bulkPair(2) },
        { number: 2, alternate: 0, endpoints: bulkPair(7) },
        { number: 2, alternate: 4, endpoints: bulkPair(9) },
      ],
    }],
  });
}

/** An interface whose first setting is 1, and that has no 0: hosts start with it. */
export function noSettingZero(): DescribedDevice {
  return new DescribedDevice({
    productId: 0x00f2,
    configurations: [{
      value: 1,
      faces: [
        { number: 0, alternate: 1, endpoints: bulkPair(1) },
        { number: 0, alternate: 3, endpoints: bulkPair(2) },
      ],
    }],
  });
}
