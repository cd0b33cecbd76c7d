/**
 * Faults on command: a list of rules on a virtual device says which transfers
 * and which ioctls go wrong, and how. Rules are plain JSON, so that they travel
 * to a bus in another process.
 *
 * @module
 */

import { type EndpointAddress, endpointNumberOf } from "../usb.ts";
import { ERRNO, type ErrnoName } from "./errno.ts";
import { MAX_FAULT_RULES } from "./sim_limits.ts";

/** What goes wrong with a transfer. */
export type Fault =
  /** The endpoint halts; control: the request stalls. */
  | { readonly kind: "stall" }
  /** IN: the device sends more than was asked for. Nothing of it is kept. */
  | { readonly kind: "babble" }
  /** IN: the device's next data are cut to this length; the rest is lost. */
  | { readonly kind: "short"; readonly lengthBytes: number }
  /** IN: a packet of length zero, whatever the device has to say; its data stay queued. */
  | { readonly kind: "zeroLength" }
  /** The device answers NAK for this long, and everything behind it waits. */
  | { readonly kind: "late"; readonly delayMs: number }
  /** The device answers NAK until the host gives up. */
  | { readonly kind: "silent" }
  /** The wire: EPROTO, EILSEQ, ETIME and their like. `packet`: isochronous, this one only. */
  | {
    readonly kind: "status";
    readonly errno: ErrnoName;
    readonly packet?: number;
  }
  /** The device vanishes: when the transfer begins, after `atBytes` of it, or right behind it. */
  | {
    readonly kind: "disconnect";
    readonly when: "before" | "during" | "after";
    readonly atBytes?: number;
  };

/** Which transfers or ioctls, and how often. */
export interface FaultRule {
  /** Endpoint address; 0 for control. Absent: every endpoint but control. */
  readonly endpoint?: number;
  /** Control only: `bRequest`. Absent: every request. */
  readonly request?: number;
  /** An ioctl of usbfs by number, instead of a transfer; fails before it does anything. */
  readonly ioctl?: number;
  /** This many are let through first. Default 0. */
  readonly after?: number;
  /** Applies this often, then is spent; 0 = always. Default 1. */
  readonly times?: number;
  /** 0 to 1, by the bus's seeded chance. Default 1. */
  readonly probability?: number;
  /** What happens. Ioctls: `status` only. */
  readonly fault: Fault;
}

/** What a rule is asked about. */
export interface FaultSubject {
  /** Where it goes; 0x00 or 0x80 for control. */
  readonly endpoint: EndpointAddress;
  /** Control: `bRequest`. */
  readonly request?: number;
}

interface Entry {
  readonly rule: FaultRule;
  seen: number;
  applied: number;
}

/** The rules of one device, first match first. */
export class FaultSchedule {
  readonly #random: () => number;
  readonly #entries: Entry[] = [];
  #injected = 0;

  /** `random` gives 0 up to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Faults injected so far. */
  get injected(): number {
    return this.#injected;
  }

  /**
   * Adds a rule behind the others.
   *
   * @throws {RangeError} Over MAX_FAULT_RULES, or when the rule makes no sense.
   */
  add(rule: FaultRule): void {
    check(rule);
    if (this.#entries.length >= MAX_FAULT_RULES) {
      throw new RangeError(
        `Cannot add a fault rule: there are ${MAX_FAULT_RULES} already`,
      );
    }
    this.#entries.push({ rule, seen: 0, applied: 0 });
  }

  /** Takes all rules back. */
  clear(): void {
    this.#entries.length = 0;
  }

  /** The fault for a transfer that begins, if there is one. */
  forTransfer(subject: FaultSubject): Fault | undefined {
    return this.#take((rule) => meetsTransfer(rule, subject));
  }

  /** The error number for an ioctl, or 0. */
  forIoctl(request: number): number {
    const fault = this.#take((rule) => rule.ioctl === request);
    return fault?.kind === "status" ? ERRNO[fault.errno] : 0;
  }

  #take(meets: (rule: FaultRule) => boolean): Fault | undefined {
    for (const entry of this.#entries) {
      const { rule } = entry;
      if (!meets(rule) || isSpent(entry)) continue;
      if (entry.seen++ < (rule.after ?? 0)) continue;
      if (
        rule.probability !== undefined && this.#random() >= rule.probability
      ) {
        continue;
      }
      entry.applied++;
      this.#injected++;
      return rule.fault;
    }
    return undefined;
  }
}

function isSpent({ rule, applied }: Entry): boolean {
  const times = rule.times ?? 1;
  return times !== 0 && applied >= times;
}

/** Kinds that only an IN transfer can suffer: an OUT packet's length is the host's. */
const IN_ONLY: readonly Fault["kind"][] = ["babble", "short", "zeroLength"];

function meetsTransfer(rule: FaultRule, subject: FaultSubject): boolean {
  if (rule.ioctl !== undefined) return false;
  const isIn = (subject.endpoint & 0x80) !== 0;
  if (!isIn && IN_ONLY.includes(rule.fault.kind)) return false;
  const isControl = endpointNumberOf(subject.endpoint) === 0;
  if (rule.endpoint === undefined) {
    if (isControl && rule.request === undefined) return false;
  } else if (
    isControl
      ? (rule.endpoint & 0x0f) !== 0
      : rule.endpoint !== subject.endpoint
  ) {
    return false;
  }
  return rule.request === undefined || rule.request === subject.request;
}

const KINDS: readonly Fault["kind"][] = [
  "stall",
  "babble",
  "short",
  "zeroLength",
  "late",
  "silent",
  "status",
  "disconnect",
];

function check(rule: FaultRule): void {
  const { fault } = rule;
  if (rule.ioctl !== undefined && fault.kind !== "status") {
    throw new RangeError(
      `Cannot make an ioctl fail by ${fault.kind}: it takes a status`,
    );
  }
  // Rules come from other processes as JSON, so types alone do not hold.
  if (!KINDS.includes(fault.kind)) {
    throw new RangeError(`Cannot use ${fault.kind} as a kind of fault`);
  }
  if (fault.kind === "status" && !Object.hasOwn(ERRNO, fault.errno)) {
    throw new RangeError(`Cannot use ${fault.errno} as an error's name`);
  }
  const numbers = [
    rule.after,
    rule.times,
    fault.kind === "short" ? fault.lengthBytes : 0,
    fault.kind === "late" ? fault.delayMs : 0,
    fault.kind === "disconnect" ? fault.atBytes : 0,
  ];
  if (numbers.some((n) => n !== undefined && !(n >= 0))) {
    throw new RangeError("Cannot use a negative number in a fault rule");
  }
}
