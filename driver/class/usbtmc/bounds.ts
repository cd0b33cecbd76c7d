/**
 * Bounds of the USBTMC driver, each with its reason. Those named by the
 * recovery procedures are what field experience asks for, not what the
 * specification says: it has none.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { MAX_TRANSFER_BYTES } from "../../limits.ts";

/** Payload of one OUT transfer. Linux's usbtmc sends less; every device seen takes this. */
export const OUT_CHUNK_BYTES = 64 * 1024;
/** Payload asked for by one REQUEST: 64 of them make 16 MiB and one does not fill usbfs's budget. */
export const IN_CHUNK_BYTES = 256 * 1024;
/** Longest message written or read: the largest block an instrument of this class is known to give, doubled. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
/** Longest answer to a text query, unless the caller allows more. */
export const MAX_TEXT_BYTES = 1024 * 1024;
/** Transfers of one answer: MAX_MESSAGE_BYTES in pieces of one 512-byte packet. */
export const MAX_TRANSFERS_PER_MESSAGE = 65_536;

/** Time of one message as a whole: MAX_MESSAGE_BYTES at full speed's real rate, several times over. */
export const MESSAGE_TIME_MAX_MS = 600_000;
/** Time limit of one bulk transfer, unless the caller says otherwise. */
export const MESSAGE_TIMEOUT_MS = 5_000;
/** Time limit of a class request. USB 2.0, 9.2.6.4 allows 5 s; an instrument that needs 2 s is stuck. */
export const REQUEST_TIMEOUT_MS = 2_000;
/** How long the answer to READ_STATUS_BYTE may take on the interrupt endpoint. */
export const STATUS_BYTE_TIMEOUT_MS = 2_000;
/** Requests for a status byte while the interrupt endpoint is busy. */
export const STATUS_BYTE_ATTEMPTS = 10;
/** Notifications looked at while waiting for one answer: those nobody fetched before, no flood. */
export const NOTIFICATIONS_PER_ANSWER_MAX = 2048;
/** Waiters for status bytes: one for each tag that is in use at a time. */
export const STATUS_BYTE_WAITERS = 16;

/** Buffer of one such read: no device of this class holds more in its endpoint. */
export const DRAIN_BUFFER_BYTES = 16 * 1024;
/** One read while the bulk IN endpoint is drained. */
export const DRAIN_READ_TIMEOUT_MS = 300;
/** Reads in one recovery, each one counted whatever it gave. */
export const DRAIN_READS_MAX = 100;
/** Pause between two status checks that said pending. */
export const CHECK_INTERVAL_MS = 50;
/** Status checks in one recovery. */
export const CHECKS_MAX = 100;
/** One recovery procedure as a whole, its reads, checks and pauses together. */
export const RECOVERY_TIMEOUT_MS = 10_000;

/** Error queue entries fetched in a row; SCPI queues hold 20 or so. */
export const ERROR_QUEUE_READS_MAX = 32;

assert(
  OUT_CHUNK_BYTES % 4 === 0,
  "A full OUT transfer must need no alignment bytes",
);
assert(
  IN_CHUNK_BYTES + 2048 < MAX_TRANSFER_BYTES,
  "An answer must fit into one transfer",
);
assert(
  CHECKS_MAX * CHECK_INTERVAL_MS <= RECOVERY_TIMEOUT_MS,
  "The checks of a recovery must fit into its time",
);
