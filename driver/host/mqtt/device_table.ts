/**
 * Every device the bridge tells of: from what the supervisor says to topics that
 * are kept at the broker and events that are sent. Pure: the outbox takes them.
 *
 * @module
 */

import {
  discoveryConfigs,
  type DiscoveryParts,
  isTopicOf,
  nodeOf,
  type Value,
  valuesOf,
} from "./discovery.ts";
import type { DriverFacts, DriverNews, LastEvent } from "./driver_facts.ts";
import type { Outbox } from "./outbox.ts";
import {
  devicesPayload,
  eventPayload,
  type ListedDevice,
  OFFLINE,
  ONLINE,
  type RecalledDevice,
  statePayload,
} from "./payloads.ts";
import { topicLevel } from "./topics.ts";

/** What a table is made of. */
export interface DeviceTableOptions extends DiscoveryParts {
  readonly outbox: Outbox;
  readonly tellsHomeAssistant: boolean;
}

/** A device changes its state faster than anybody reads it: five times a second is enough. */
const STATE_INTERVAL_MS = 200;
/** Kinds of events remembered of one device, as the supervisor remembers them. */
const VALUES_MAX = 32;
/** Longest data remembered; a waveform is no value to show. */
const VALUE_CHARACTERS_MAX = 4_096;

interface Device {
  facts: DriverFacts;
  readonly last: Map<string, LastEvent>;
  /** Entities it was shown by: one does not go away because an event lacks it. */
  readonly shown: Map<string, Value>;
  /** Discovery topics that stand at the broker. */
  readonly discovery: Set<string>;
  /** Whether the supervisor is there and knows it: else nobody says that it can be used. */
  isVouched: boolean;
}

/** The devices. */
export class DeviceTable {
  readonly #options: DeviceTableOptions;
  readonly #devices = new Map<string, Device>();
  /** Of an earlier bridge, by level, until the supervisor says who is there. */
  readonly #recalled = new Map<string, Set<string>>();
  #names: ReadonlySet<string> | undefined;
  /** Of the configuration, and not to be shown. */
  readonly #absent = new Set<string>();

  /** Empty. */
  constructor(options: DeviceTableOptions) {
    this.#options = options;
  }

  /** What an earlier bridge told of. Who is not known yet cannot be used yet. */
  recall(devices: readonly RecalledDevice[]): void {
    for (const { id, discovery } of devices) {
      const device = this.#byLevel(id);
      if (device !== undefined) {
        for (const topic of discovery) device.discovery.add(topic);
        this.#discover(device);
        continue;
      }
      this.#recalled.set(id, new Set(discovery));
      const { availability } = this.#options.topics.of(id);
      this.#options.outbox.keep(availability, () => OFFLINE);
    }
    if (this.#names !== undefined) this.names([...this.#names]);
  }

  /** Who is there, in the order of the configuration. The others are taken from the broker. */
  names(names: readonly string[]): void {
    this.#names = new Set(names);
    this.#absent.clear();
    const levels = new Set(names.map(topicLevel));
    for (const [name, device] of this.#devices) {
      if (this.#names.has(name)) continue;
      this.#devices.delete(name);
      this.#forget(topicLevel(name), device.discovery);
    }
    for (const [id, discovery] of this.#recalled) {
      if (levels.has(id)) continue;
      this.#recalled.delete(id);
      this.#forget(id, discovery);
    }
    this.#list();
  }

  /** A driver, as the supervisor shows it now. */
  learn(facts: DriverFacts): void {
    if (this.#names?.has(facts.name) !== true) return;
    const device = this.#devices.get(facts.name) ?? this.#make(facts);
    device.isVouched = true;
    // A device that is away is still the one whose entities stand there.
    device.facts = { ...facts, device: facts.device ?? device.facts.device };
    for (const value of facts.values) {
      const known = device.last.get(value.event);
      // What happened while it was asked is newer than its answer.
      if (known === undefined || known.at <= value.at) remember(device, value);
    }
    this.#tell(device);
    this.#discover(device);
  }

  /** A driver of the configuration that cannot be shown yet. */
  absent(name: string): void {
    const { outbox, topics } = this.#options;
    const device = this.#devices.get(name);
    if (device !== undefined) return this.#lose(device);
    outbox.keep(topics.of(name).availability, () => OFFLINE);
    this.#absent.add(name);
    this.#list();
  }

  /** Something happened with a driver. */
  news(news: DriverNews): void {
    const device = this.#devices.get(news.driver);
    if (news.kind === "event") this.#tellEvent(news, device);
    if (news.kind !== "state" || device === undefined) return;
    const { state, at: since, cause } = news;
    device.facts = { ...device.facts, state, since, cause };
    this.#tell(device);
  }

  #tellEvent(
    news: DriverNews & { readonly kind: "event" },
    device: Device | undefined,
  ): void {
    const { outbox, topics } = this.#options;
    if (this.#names?.has(news.driver) !== true) return;
    outbox.push(topics.of(news.driver).event, eventPayload(news));
    const { event, at, data } = news;
    if (device === undefined || data === undefined) return;
    if (!remember(device, { event, data, at })) return;
    this.#tellState(device);
    if (this.#isOtherwise(device)) this.#discover(device);
  }

  /** The supervisor is gone: no device can be used, no value relied on. */
  lost(): void {
    for (const device of this.#devices.values()) this.#lose(device);
  }

  #lose(device: Device): void {
    if (!device.isVouched) return;
    device.isVouched = false;
    this.#tell(device);
  }

  /** Name of the driver that a level of topics stands for. */
  nameOf(level: string): string | undefined {
    return [...this.#names ?? []].find((name) => topicLevel(name) === level);
  }

  #byLevel(level: string): Device | undefined {
    return [...this.#devices.values()].find(({ facts }) =>
      topicLevel(facts.name) === level
    );
  }

  #make(facts: DriverFacts): Device {
    const level = topicLevel(facts.name);
    const device: Device = {
      facts,
      last: new Map(),
      shown: new Map(),
      discovery: this.#recalled.get(level) ?? new Set(),
      isVouched: true,
    };
    this.#recalled.delete(level);
    this.#devices.set(facts.name, device);
    return device;
  }

  #tell(device: Device): void {
    const { outbox, topics } = this.#options;
    const { availability } = topics.of(device.facts.name);
    outbox.keep(
      availability,
      () => isUsable(device) ? ONLINE : OFFLINE,
    );
    this.#tellState(device);
  }

  #tellState(device: Device): void {
    const { outbox, topics } = this.#options;
    outbox.keep(topics.of(device.facts.name).state, () => {
      const { state, since, cause } = device.facts;
      const stale = !isUsable(device);
      const values = [...device.last.values()];
      return statePayload({ state, since, cause, stale, values });
    }, { minIntervalMs: STATE_INTERVAL_MS });
  }

  /** Whether an event showed a value that is not told of, or another unit. */
  #isOtherwise(device: Device): boolean {
    return this.#valuesOf(device).some((value) =>
      device.shown.get(keyOf(value))?.unit !== value.unit ||
      !device.shown.has(keyOf(value))
    );
  }

  #valuesOf({ facts, last }: Device): Value[] {
    return valuesOf({ ...facts, values: [...last.values()] });
  }

  /** Tells Home Assistant of a device that was seen, and takes back what is no more. */
  #discover(device: Device): void {
    const { outbox, tellsHomeAssistant } = this.#options;
    const { facts: { device: usb, ...facts } } = device;
    if (usb === null && tellsHomeAssistant) return this.#list();
    const configs = usb === null || !tellsHomeAssistant
      ? new Map<string, string>()
      : discoveryConfigs(
        { ...facts, device: usb },
        this.#showing(device),
        this.#options,
      );
    const node = usb === null ? "" : nodeOf(facts.name, usb, this.#options);
    // Values of a driver that declares none are known once they were told.
    const mayCome = (topic: string): boolean =>
      tellsHomeAssistant && facts.specs === null && isTopicOf(topic, node) &&
      !topic.includes("/button/");
    for (const topic of device.discovery) {
      if (configs.has(topic) || mayCome(topic)) continue;
      device.discovery.delete(topic);
      outbox.clear(topic);
    }
    for (const [topic, config] of configs) {
      device.discovery.add(topic);
      outbox.keep(topic, () => config);
    }
    this.#list();
  }

  #showing(device: Device): Value[] {
    if (device.facts.specs !== null) device.shown.clear();
    for (const value of this.#valuesOf(device)) {
      device.shown.set(keyOf(value), value);
    }
    return [...device.shown.values()];
  }

  #forget(level: string, discovery: ReadonlySet<string>): void {
    const { outbox, topics } = this.#options;
    const { availability, state } = topics.of(level);
    for (const topic of [availability, state, ...discovery]) {
      outbox.clear(topic);
    }
  }

  #list(): void {
    const { outbox, topics } = this.#options;
    // Not before it is whole: it replaces what an earlier bridge left.
    const isWhole = this.#names !== undefined &&
      [...this.#names].every((name) =>
        this.#devices.has(name) || this.#absent.has(name)
      );
    const make = (): string => {
      const known = [...this.#devices.values()].map((device) => listed(device));
      const recalled = [...this.#recalled].map(([id, discovery]) => ({
        id,
        discovery: [...discovery],
      }));
      return devicesPayload(known, recalled);
    };
    if (isWhole) outbox.keep(topics.bridgeDevices, make);
  }
}

function isUsable({ isVouched, facts }: Device): boolean {
  return isVouched && facts.state === "ready";
}

function listed({ facts, discovery }: Device): ListedDevice {
  return {
    id: topicLevel(facts.name),
    name: facts.name,
    driver: facts.driver,
    device: facts.device,
    commands: facts.commands.map(({ name }) => name),
    discovery: [...discovery],
  };
}

function keyOf({ event, member }: Value): string {
  return `${event} ${member}`;
}

/** Remembers the last of a kind; one that is too long is not. */
function remember({ last }: Device, value: LastEvent): boolean {
  const { event, data } = value;
  if (JSON.stringify(data).length > VALUE_CHARACTERS_MAX) return false;
  last.delete(event);
  last.set(event, value);
  const [oldest] = last.keys();
  if (last.size > VALUES_MAX && oldest !== undefined) last.delete(oldest);
  return true;
}
