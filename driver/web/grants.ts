/**
 * Which devices a program may see and use: those the program was made with, and
 * those a chooser picked, less what was forgotten.
 *
 * @module
 */

import { type DeviceMatch, matches } from "../match.ts";
import type { DeviceInfo } from "../port.ts";
import { accepts } from "./filters.ts";

/**
 * Permissions of one `USB` object. One for a device with a serial number
 * survives a replug; without, it ends when the device leaves.
 */
export class Grants {
  readonly #allowed: readonly DeviceMatch[];
  /** Devices that are connected, by the port's id. */
  readonly #granted = new Set<string>();
  readonly #forgotten = new Set<string>();
  #grantedForGood: readonly DeviceMatch[] = [];
  #forgottenForGood: readonly DeviceMatch[] = [];

  /** `allowed` need no request. */
  constructor(allowed: readonly DeviceMatch[]) {
    this.#allowed = allowed;
  }

  /** Whether the program may have this device. */
  has(info: DeviceInfo): boolean {
    if (this.#granted.has(info.id) || accepts(this.#grantedForGood, info)) {
      return true;
    }
    return accepts(this.#allowed, info) && !this.#forgotten.has(info.id) &&
      !accepts(this.#forgottenForGood, info);
  }

  /** Permits a device. */
  add(info: DeviceInfo): void {
    this.#granted.add(info.id);
    this.#forgotten.delete(info.id);
    const identity = identityOf(info);
    if (identity === undefined) return;
    this.#grantedForGood = [...without(this.#grantedForGood, info), identity];
    this.#forgottenForGood = without(this.#forgottenForGood, info);
  }

  /** Takes the permission back. */
  remove(info: DeviceInfo): void {
    this.#granted.delete(info.id);
    this.#forgotten.add(info.id);
    const identity = identityOf(info);
    if (identity === undefined) return;
    this.#grantedForGood = without(this.#grantedForGood, info);
    this.#forgottenForGood = [
      ...without(this.#forgottenForGood, info),
      identity,
    ];
  }

  /** The device left: what held for this connection alone is over. */
  left(info: DeviceInfo): void {
    this.#granted.delete(info.id);
    this.#forgotten.delete(info.id);
  }
}

function without(
  all: readonly DeviceMatch[],
  info: DeviceInfo,
): readonly DeviceMatch[] {
  return all.filter((match) => !matches(info, match));
}

/** What a device is known by when it comes back. */
function identityOf(info: DeviceInfo): DeviceMatch | undefined {
  const { serialNumber, descriptor: { vendorId, productId } } = info;
  return serialNumber === undefined || serialNumber === ""
    ? undefined
    : { vendorId, productId, serialNumber };
}
