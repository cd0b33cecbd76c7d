/**
 * Who holds which interface of a device: open files, ports, and kernel drivers.
 *
 * @module
 */

/** Whoever may hold an interface; compared by identity. */
export type Owner = object;

/** Why a claim failed. */
export type ClaimResult = "claimed" | "notFound" | "busy";

/** Owners and kernel drivers of the interfaces of one device. */
export class Claims {
  readonly #owners = new Map<number, Owner>();
  readonly #drivers: Map<number, string>;
  readonly #known: ReadonlyMap<number, string>;
  readonly #exists: (number: number) => boolean;

  /** `drivers` are bound from the start; `exists` knows the active configuration. */
  constructor(
    drivers: Readonly<Record<number, string>>,
    exists: (number: number) => boolean,
  ) {
    this.#known = new Map(
      Object.entries(drivers).map(([number, name]) => [Number(number), name]),
    );
    this.#drivers = new Map(this.#known);
    this.#exists = exists;
  }

  /** Claims an interface; again by its owner is fine. */
  claim(number: number, owner: Owner): ClaimResult {
    if (!this.#exists(number)) return "notFound";
    const holder = this.#owners.get(number);
    if (holder === owner) return "claimed";
    if (holder !== undefined || this.#drivers.has(number)) return "busy";
    this.#owners.set(number, owner);
    return "claimed";
  }

  /** Gives it back; `false` when it was not this owner's. */
  release(number: number, owner: Owner): boolean {
    if (this.#owners.get(number) !== owner) return false;
    return this.#owners.delete(number);
  }

  /** The holder, if anyone but a kernel driver holds it. */
  owner(number: number): Owner | undefined {
    return this.#owners.get(number);
  }

  /** Interfaces an owner holds. */
  of(owner: Owner): readonly number[] {
    return [...this.#owners].filter(([, holder]) => holder === owner).map((
      [number],
    ) => number);
  }

  /** Interfaces that anyone but this owner holds. */
  othersThan(owner: Owner): readonly number[] {
    return [...this.#owners].filter(([, holder]) => holder !== owner).map((
      [number],
    ) => number);
  }

  /** Anything is claimed or driven. */
  get isInUse(): boolean {
    return this.#owners.size > 0 || this.#drivers.size > 0;
  }

  /** Takes every claim away, as a reset does; kernel drivers stay. */
  forgetAll(): void {
    this.#owners.clear();
  }

  /** Name of the bound kernel driver, `usbfs` for a claim of ours. */
  driver(number: number): string | undefined {
    return this.#owners.has(number) ? "usbfs" : this.#drivers.get(number);
  }

  /** Unbinds the kernel driver; `false` when there is none. */
  detach(number: number): boolean {
    return this.#drivers.delete(number);
  }

  /** Binds the kernel driver that fits; `false` when none does or the interface is held. */
  attach(number: number): boolean {
    const name = this.#known.get(number);
    if (name === undefined || this.#owners.has(number)) return false;
    this.#drivers.set(number, name);
    return true;
  }
}
