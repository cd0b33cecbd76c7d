/**
 * What Home Assistant is told of a device: a sensor for each number or text, a
 * binary sensor for each truth value, a button for each command without
 * parameters. From what the driver declares; else from what its events carry.
 * Home Assistant, "MQTT discovery".
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import { harmless } from "../cli/text.ts";
import type {
  CommandFacts,
  DriverFacts,
  UsbFacts,
  ValueFacts,
} from "./driver_facts.ts";
import { type BridgeTopics, safeWord } from "./topics.ts";

/** Entities of one device; a hostile driver makes no more. */
export const ENTITIES_MAX = 64;

/** What all configurations of a bridge share. */
export interface DiscoveryParts {
  readonly prefix: string;
  readonly discoveryPrefix: string;
  readonly topics: BridgeTopics;
  /** Whether commands are taken: else there are no buttons. */
  readonly takesCommands: boolean;
  /** Of this package. */
  readonly version: string;
}

/** A value to show: where it stands, and what it is. */
export interface Value {
  readonly event: string;
  readonly member: string;
  readonly facts: ValueFacts;
  /** As it is now, where an event tells it. */
  readonly unit: string | undefined;
}

/** The configurations of a device that was seen: topic to payload. */
export function discoveryConfigs(
  facts: DriverFacts & { readonly device: UsbFacts },
  values: readonly Value[],
  parts: DiscoveryParts,
): Map<string, string> {
  const node = nodeOf(facts.name, facts.device, parts);
  const shared = sharedMembers(facts, node, parts);
  const configs = new Map<string, string>();
  const add = (component: string, object: string, members: Json): void => {
    if (configs.size >= ENTITIES_MAX) return;
    const topic =
      `${parts.discoveryPrefix}/${component}/${node}/${object}/config`;
    const config = { "unique_id": `${node}_${object}`, ...shared };
    configs.set(topic, JSON.stringify({ ...config, ...members as object }));
  };
  const { state, set } = parts.topics.of(facts.name);
  for (const value of values) {
    const object = safeWord(`${value.event}_${value.member}`);
    const isTruth = value.facts.type === "boolean";
    add(isTruth ? "binary_sensor" : "sensor", object, {
      "state_topic": state,
      ...valueMembers(value),
    });
  }
  for (const command of parts.takesCommands ? facts.commands : []) {
    if (command.hasParameters) continue;
    const object = safeWord(`command_${command.name}`);
    add("button", object, { "command_topic": set, ...buttonMembers(command) });
  }
  return configs;
}

/** Whether a bridge of this prefix can have made a topic; for taking it back. */
export function isDiscoveryTopic(
  topic: string,
  parts: Pick<DiscoveryParts, "prefix">,
): boolean {
  const found =
    /^[A-Za-z0-9_./-]{1,64}\/(?:sensor|binary_sensor|button)\/([A-Za-z0-9_-]{1,64})\/[A-Za-z0-9_-]{1,64}\/config$/
      .exec(topic);
  return found?.[1]?.startsWith(`${machineWord(parts.prefix)}_`) === true;
}

/** Whether a topic is of a device with this identity. */
export function isTopicOf(topic: string, node: string): boolean {
  return topic.split("/").at(-3) === node;
}

/**
 * Which device it is, the same over replug and restart: the machine, by the
 * prefix, the name, and the serial number or the port. Never the device number.
 */
export function nodeOf(
  name: string,
  device: UsbFacts,
  { prefix }: Pick<DiscoveryParts, "prefix">,
): string {
  const which = safeWord(device.serial || device.port);
  return safeWord(`${machineWord(prefix)}_${safeWord(name)}_${which}`);
}

/** Values of a driver: those it declares, else the numbers and truth values it told. */
export function valuesOf(facts: DriverFacts): Value[] {
  const last = new Map(facts.values.map(({ event, data }) => [event, data]));
  const declared = Object.entries(facts.specs ?? {}).flatMap((
    [event, members],
  ) =>
    Object.entries(members).map(([member, spec]) => ({
      event,
      member,
      facts: spec,
      unit: unitNow(spec, last.get(event)),
    }))
  );
  const values = facts.specs === null ? toldValues(facts) : declared;
  return values.filter(({ event, member }) => isPlain(event) && isPlain(member))
    .slice(0, ENTITIES_MAX);
}

function toldValues(facts: DriverFacts): Value[] {
  return facts.values.flatMap(({ event, data }) =>
    Object.entries(data).flatMap(([member, value]) => {
      if (typeof value !== "number" && typeof value !== "boolean") return [];
      const type = typeof value === "number" ? "number" : "boolean";
      const description = titleOf(`${event} ${member}`);
      return [{ event, member, facts: { description, type }, unit: undefined }];
    })
  );
}

/** Stands in a template between quotes as it is. */
function isPlain(word: string): boolean {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(word);
}

function unitNow(
  { unit, unitFrom }: ValueFacts,
  data: { readonly [key: string]: Json } | undefined,
): string | undefined {
  if (unitFrom === undefined || data === undefined) return unit;
  const told = Object.hasOwn(data, unitFrom) ? data[unitFrom] : undefined;
  return typeof told === "string" && told !== "" ? told : unit;
}

/** The prefix is that of one machine. Short, so that it survives where a longer word is cut. */
function machineWord(prefix: string): string {
  return safeWord(prefix.replaceAll("/", "_"), 24);
}

function sharedMembers(
  facts: DriverFacts & { readonly device: UsbFacts },
  node: string,
  { topics, version }: DiscoveryParts,
): { readonly [member: string]: Json } {
  const { device, name } = facts;
  return {
    availability: [
      { topic: topics.bridgeState },
      { topic: topics.of(name).availability },
    ],
    "availability_mode": "all",
    device: {
      identifiers: [node],
      name: harmless(name, 64),
      model: harmless(
        device.product ?? `${device.vendorId}:${device.productId}`,
        100,
      ),
      ...(device.manufacturer === null
        ? {}
        : { manufacturer: harmless(device.manufacturer, 100) }),
      ...(device.serial === null
        ? {}
        : { "serial_number": harmless(device.serial, 100) }),
      ...(device.version === null
        ? {}
        : { "sw_version": harmless(device.version, 20) }),
    },
    origin: { name: "Driver Space", "sw_version": version },
  };
}

function valueMembers(
  { event, member, facts, unit }: Value,
): { readonly [member: string]: Json } {
  const value = `value_json['values'].get('${event}', {}).get('${member}')`;
  const name = harmless(facts.description, 64);
  if (facts.type === "boolean") {
    return {
      name,
      "value_template": `{{ ${value} }}`,
      "payload_on": "True",
      "payload_off": "False",
    };
  }
  if (facts.type === "text") {
    // Home Assistant takes no state of more than 255 characters.
    return { name, "value_template": `{{ (${value} | string)[:255] }}` };
  }
  const known = unit === undefined ? undefined : UNITS.get(unit);
  return {
    name,
    "value_template": `{{ ${value} }}`,
    "state_class": "measurement",
    ...(unit === undefined
      ? {}
      : { "unit_of_measurement": known?.unit ?? harmless(unit, 16) }),
    ...(known?.deviceClass === undefined
      ? {}
      : { "device_class": known.deviceClass }),
  };
}

function buttonMembers(
  { name }: CommandFacts,
): { readonly [member: string]: Json } {
  return {
    name: harmless(titleOf(name), 64),
    "payload_press": JSON.stringify({ command: name }),
  };
}

/** `read-status-byte` as people write it. */
function titleOf(name: string): string {
  const words = name.replaceAll(/[-_.]+/g, " ");
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** UCUM's unit to what Home Assistant calls it and the quantity. */
const UNITS: ReadonlyMap<
  string,
  { readonly unit: string; readonly deviceClass?: string }
> = new Map([
  ["V", { unit: "V", deviceClass: "voltage" }],
  ["A", { unit: "A", deviceClass: "current" }],
  ["W", { unit: "W", deviceClass: "power" }],
  ["Hz", { unit: "Hz", deviceClass: "frequency" }],
  ["s", { unit: "s", deviceClass: "duration" }],
  ["Cel", { unit: "°C", deviceClass: "temperature" }],
  ["hPa", { unit: "hPa", deviceClass: "pressure" }],
  ["Ohm", { unit: "Ω" }],
  ["%", { unit: "%" }],
]);
