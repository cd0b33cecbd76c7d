/**
 * What a mischief is: hooks into an instrument's traffic, each of which may do
 * its own thing instead of what is right.
 *
 * @module
 */

import type { DecodedSetup } from "../../usb.ts";
import type { ControlReply, DeviceHost, STALL } from "../virtual_device.ts";
import type { AnswerAbout } from "./multimeter_usbtmc.ts";

/** Not this time: what is right is done. */
export const PASS: unique symbol = Symbol("pass");

/** What mischief works with. */
export interface MischiefTools {
  readonly host: DeviceHost;
  /** `wMaxPacketSize` of the bulk endpoints. */
  readonly packetBytes: number;
  /** Queues bytes on bulk IN as they are. */
  send(bytes: Uint8Array): void;
  /** Queues a transfer with the short packet that ends it. */
  sendEnded(bytes: Uint8Array): void;
  /** Queues a notification. */
  notify(bytes: Uint8Array): void;
  /** Halts bulk IN. */
  haltIn(): void;
  /** Calls `fire` after `delayMs`, unless the device is gone by then. */
  later(delayMs: number, fire: () => void): void;
}

/** Answer to a control request. */
export type MischiefReply = ControlReply | Promise<ControlReply> | typeof PASS;
/** What becomes of an OUT transfer. */
export type OutReply =
  | void
  | typeof STALL
  | Promise<void | typeof STALL>
  | typeof PASS;

/** One way of breaking the protocol. */
export interface Mischief {
  /** What it does, and which instrument was seen doing it. */
  readonly description: string;
  /** It always does it; else once. */
  readonly isHabit?: boolean;
  /** What brings it to reason: CLEAR, or a port reset. */
  readonly endsAt?: "clear" | "reset";
  /** Sends an answer its own way; `false` where it is sent as is right. */
  readonly answer?: (
    tools: MischiefTools,
    transfer: Uint8Array<ArrayBuffer>,
    about: AnswerAbout,
  ) => boolean;
  /** Answers a request its own way; `next` gives what is right. */
  readonly control?: (
    tools: MischiefTools,
    setup: DecodedSetup,
    next: () => ControlReply,
  ) => MischiefReply;
  /** Takes an OUT transfer its own way; `next` does what is right. */
  readonly out?: (
    tools: MischiefTools,
    data: Uint8Array,
    next: () => void | typeof STALL,
  ) => OutReply;
  /** Notifies its own way; `false` where it is notified as is right. */
  readonly notify?: (
    tools: MischiefTools,
    notification: Uint8Array,
  ) => boolean;
}
