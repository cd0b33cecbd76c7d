/**
 * Every bound of the product, with its reason. Relations between them are
 * asserted on load, so that a change that breaks one cannot start.
 *
 * @module
 */

import { assert } from "./assert.ts";

/** usbfs charges every transfer in flight to one budget of 16 MB; 32 × 64 KiB leaves room for others. */
export const MAX_TRANSFERS_IN_FLIGHT = 64;
/** WebUSB refuses more; usbfs's default budget is half of it, so larger transfers must be cut anyway. */
export const MAX_TRANSFER_BYTES = 32 * 1024 * 1024;
/** What Linux's usbfs takes as the data stage of a control transfer (one page). */
export const MAX_CONTROL_BYTES = 4096;
/** usbfs refuses an isochronous transfer of more packets. Linux, drivers/usb/core/devio.c. */
export const MAX_ISOCHRONOUS_PACKETS = 128;
/** A configuration's `wTotalLength` is 16 bits. USB 2.0, table 9-10. */
export const MAX_CONFIGURATION_BYTES = 0xffff;
/** libusb reads no more than 8; USB 2.0 has no bound below 255. */
export const MAX_CONFIGURATIONS = 8;
/** Linux refuses more interfaces in a configuration (USB_MAXINTERFACES). */
export const MAX_INTERFACES = 32;
/** Linux refuses more endpoints in an alternate setting (USB_MAXENDPOINTS). */
export const MAX_ENDPOINTS = 30;
/** More alternate settings of one interface than any known device has; bounds a hostile descriptor. */
export const MAX_ALTERNATE_SETTINGS = 128;

/** Control messages: stop, unplug, deadlines. Few kinds, so a full lane is a bug of ours. */
export const MAILBOX_CONTROL_CAPACITY = 64;
/** Commands waiting for a driver; the next is refused with `busy` and may be tried again. */
export const MAILBOX_COMMAND_CAPACITY = 64;
/** Reports waiting for a driver, all inputs together; the next pauses its endpoint. */
export const MAILBOX_REPORT_CAPACITY = 1024;
/** Reports handled in one turn before timers and commands get theirs, as Linux's NAPI budget. */
export const TURN_REPORTS_MAX = 64;
/** Time of one turn before the loop yields: well under the heartbeat and under a person's notice. */
export const TURN_MS_MAX = 5;
/** Bytes of reports waiting in a mailbox: what a driver may hoard before its endpoints pause. */
export const MAILBOX_REPORT_BYTES = 4 * 1024 * 1024;

/** A beat each 250 ms, of which four may be missed: a hang is noticed within a second. */
export const HEARTBEAT_INTERVAL_MS = 250;
/** Missed beats that mean a hang. */
export const HEARTBEATS_MISSED_MAX = 3;
/** From spawn to READY. A cold cache, a slow card and a device that enumerates, times two. */
export const START_TIMEOUT_MS = 10_000;
/** From stop to exit: safe state, drain, release. After it the process is killed. */
export const STOP_TIMEOUT_MS = 2_000;
/** From cancelling transfers to having them all back; the kernel does it in milliseconds. */
export const DRAIN_TIMEOUT_MS = 500;
/** For a control transfer that says nothing else: USB 2.0, 9.2.6.4 allows a device 5 s. */
export const CONTROL_TIMEOUT_MS = 5_000;
/** For a command that says nothing else. */
export const COMMAND_TIMEOUT_MS = 10_000;
/** The longest time limit anyone may ask for: one day. */
export const MAX_TIMEOUT_MS = 86_400_000;

/**
 * JavaScript's own memory in a driver process, in mebibytes; bytes of transfers
 * are not in it. A driver uses a few. Without a bound V8 takes gigabytes before
 * it gives up, slowly enough to be killed as hanging instead.
 */
export const DRIVER_HEAP_MEBIBYTES = 256;

/**
 * Standbys of one supervisor, each a process that waits with 14 MB of its own:
 * together a quarter of the 512 MiB that the unit we print allows, however many
 * drivers there are.
 */
export const STANDBYS_MAX = 8;

/** One frame between driver and supervisor: a command's result with its data in it. */
export const MAX_FRAME_BYTES = 1024 * 1024;
/** One line of the log; longer ones are cut and say so. */
export const MAX_LOG_LINE_BYTES = 8 * 1024;
/** Lines waiting for a slow disk; then debug lines go first, each counted. */
export const LOG_QUEUE_LINES = 1024;
/** A log file is rotated at this size, and one older file is kept. */
export const MAX_LOG_FILE_BYTES = 16 * 1024 * 1024;

assert(
  HEARTBEAT_INTERVAL_MS * (HEARTBEATS_MISSED_MAX + 1) <= 1_000,
  "A hang must be noticed within a second",
);
assert(DRAIN_TIMEOUT_MS < STOP_TIMEOUT_MS, "Draining must fit into stopping");
assert(
  MAX_LOG_LINE_BYTES < MAX_FRAME_BYTES,
  "A log line must fit into a frame",
);
assert(
  MAX_LOG_LINE_BYTES * 2 < MAX_LOG_FILE_BYTES,
  "A log file must hold lines",
);
