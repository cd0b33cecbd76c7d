/**
 * What is published about a device, as JSON text with bounds.
 *
 * @module
 */

import type { Json } from "../../driver.ts";
import type { DriverNews, LastEvent, UsbFacts } from "./driver_facts.ts";

/** Bytes of one message: a command's parameters or its answer, as over HTTP. */
export const MESSAGE_BYTES_MAX = 256 * 1024;

/** Of `availability` and of the bridge itself. */
export const ONLINE = "online";
/** The other one. */
export const OFFLINE = "offline";

/** What the state of a device is made from. */
export interface StateParts {
  readonly state: string;
  readonly since: string;
  readonly cause: string | null;
  /** Nobody vouches for the values. */
  readonly stale: boolean;
  readonly values: readonly LastEvent[];
}

/** The retained state: the last of each kind of event, and whether it can be relied on. */
export function statePayload(parts: StateParts): string {
  const { state, since, cause, stale, values } = parts;
  const head = { state, since, cause, stale };
  const whole = {
    ...head,
    values: membersOf(values, ({ data }) => data),
    updated: membersOf(values, ({ at }) => at),
  };
  return bounded(whole, { ...head, values: {}, updated: {}, truncated: true });
}

/** One event. */
export function eventPayload(
  news: DriverNews & { readonly kind: "event" },
): string {
  const { event, sequence, at, data } = news;
  const head = { event, sequence, at };
  const cut = { ...head, truncated: true };
  return data === undefined
    ? JSON.stringify(cut)
    : bounded({ ...head, data }, cut);
}

/** One device in the list of all, with the topics that Home Assistant was told of it. */
export interface ListedDevice {
  /** Its level of topics. */
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly device: UsbFacts | null;
  readonly commands: readonly string[];
  readonly discovery: readonly string[];
}

/** The retained list of every device, and of those an earlier bridge told of. */
export function devicesPayload(
  devices: readonly ListedDevice[],
  recalled: readonly RecalledDevice[],
): string {
  const listed = devices.map(({ id, name, driver, device, ...rest }) => ({
    id,
    name,
    driver,
    device: device === null ? null : {
      "vendor_id": device.vendorId,
      "product_id": device.productId,
      serial: device.serial,
      port: device.port,
      product: device.product,
    },
    ...rest,
  }));
  const short = devices.map(({ id, discovery }) => ({ id, discovery }));
  return bounded({ devices: [...listed, ...recalled] }, {
    devices: [...short, ...recalled],
    truncated: true,
  });
}

/** A device of the list of an earlier bridge: what is to be taken back when it is gone. */
export type RecalledDevice = Pick<ListedDevice, "id" | "discovery">;

/** Devices an earlier bridge can have told of, and topics of each. */
const RECALLED_MAX = 256;

/**
 * Reads the list of an earlier bridge. Whoever may write to the broker may have
 * written it: only topics that this bridge would have made are taken.
 */
export function readDevicesPayload(
  text: string,
  isOurs: (topic: string) => boolean,
): RecalledDevice[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  return itemsOf(memberOf(value, "devices")).flatMap((item) => {
    const id = memberOf(item, "id");
    if (typeof id !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) return [];
    const discovery = itemsOf(memberOf(item, "discovery"))
      .filter((topic): topic is string =>
        typeof topic === "string" && isOurs(topic)
      );
    return [{ id, discovery }];
  });
}

/** JSON text, or that of what is shorter. */
export function bounded(value: Json, instead: Json): string {
  const text = JSON.stringify(value);
  return byteLength(text) <= MESSAGE_BYTES_MAX ? text : JSON.stringify(instead);
}

/** Bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function membersOf<T extends Json>(
  values: readonly LastEvent[],
  take: (value: LastEvent) => T,
): { readonly [event: string]: T } {
  return Object.fromEntries(values.map((value) => [value.event, take(value)]));
}

function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, RECALLED_MAX) : [];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null &&
      Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
