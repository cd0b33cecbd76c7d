/**
 * Mischief with requests, messages out and notifications: aborts and CLEAR that
 * do not end, endpoints that die, status bytes that get lost.
 *
 * @module
 */

import { decodeOut, MessageId } from "../../class/usbtmc/bulk_header.ts";
import {
  encodeCheckAbort,
  RequestCode,
  Status,
} from "../../class/usbtmc/control_requests.ts";
import { encodeNotification } from "../../class/usbtmc/notification.ts";
import { type ControlReply, STALL } from "../virtual_device.ts";
import {
  type Mischief,
  type MischiefTools,
  PASS,
} from "./misbehaving_mischief.ts";
import { BULK_OUT } from "./multimeter_descriptors.ts";

/** More than a host may read in one recovery: 100 reads of 16 KiB. */
const FLOOD_BYTES = 110 * 16 * 1024;

type Reply = (tools: MischiefTools) => ControlReply;

/** Another answer to some requests; the others are answered as is right. */
function replies(
  description: string,
  table: Readonly<Record<number, Reply>>,
  other: Partial<Mischief> = {},
): () => Mischief {
  return () => ({
    description,
    isHabit: true,
    control: (tools, setup) => table[setup.request]?.(tools) ?? PASS,
    ...other,
  });
}

const says = (...bytes: readonly number[]): Reply => () =>
  Uint8Array.from(bytes);
const stalls: Reply = () => STALL;
const abortPending = (hasQueuedData: boolean): Reply => () =>
  encodeCheckAbort({
    status: Status.pending,
    hasQueuedData,
    transferredBytes: 0,
  });

/** Until CLEAR; `replies` are habits otherwise. */
const UNTIL_CLEAR = { endsAt: "clear" } as const;
const UNTIL_RESET = { endsAt: "reset" } as const;

/** Names of them. */
export type RequestMischief =
  | "abortRefused"
  | "abortStalls"
  | "abortPending"
  | "abortFlood"
  | "shortAnswer"
  | "clearPending"
  | "clearRefused"
  | "clearStalls"
  | "clearPendingWithData"
  | "clearDrainHangs"
  | "clearHaltsBulkIn"
  | "capabilitiesGarbage"
  | "capabilitiesShort"
  | "capabilitiesStall"
  | "statusStalls"
  | "statusRefused"
  | "statusBusy"
  | "statusAlwaysBusy"
  | "notificationLost"
  | "serviceRequestFirst"
  | "badNotification"
  | "stallOut"
  | "deadOut"
  | "deadOutUntilClear"
  | "deadAfterTrigger";

/** Mischief with requests, messages out and notifications, by name. */
export const REQUEST_MISCHIEF: Readonly<
  Record<RequestMischief, () => Mischief>
> = {
  abortRefused: replies("Says that another answer is in progress", {
    [RequestCode.initiateAbortBulkIn]: says(Status.transferNotInProgress, 0),
  }, UNTIL_CLEAR),
  abortStalls: replies("Does not know INITIATE_ABORT_BULK_IN", {
    [RequestCode.initiateAbortBulkIn]: stalls,
  }, UNTIL_CLEAR),
  abortPending: replies("Never finishes ABORT_BULK_IN", {
    [RequestCode.checkAbortBulkInStatus]: abortPending(false),
  }, UNTIL_CLEAR),
  abortFlood: replies("Sends without an end when it should stop", {
    [RequestCode.initiateAbortBulkIn]: (tools) => {
      tools.send(new Uint8Array(FLOOD_BYTES));
      return Uint8Array.of(Status.success, 1);
    },
    [RequestCode.checkAbortBulkInStatus]: abortPending(true),
  }, UNTIL_CLEAR),
  shortAnswer: replies("Answers a request with less than its status", {
    [RequestCode.initiateAbortBulkIn]: () => new Uint8Array(),
  }, UNTIL_CLEAR),
  clearPending: replies("Never finishes CLEAR until its port is reset", {
    [RequestCode.checkClearStatus]: says(Status.pending, 0),
  }, UNTIL_RESET),
  clearRefused: replies("Refuses CLEAR until its port is reset", {
    [RequestCode.initiateClear]: says(Status.failed),
  }, UNTIL_RESET),
  clearStalls: replies("Does not know CLEAR (Siglent)", {
    [RequestCode.initiateClear]: stalls,
  }),
  clearPendingWithData,
  clearDrainHangs,
  clearHaltsBulkIn: (): Mischief => ({
    description: "CLEAR halts bulk IN as well (Thorlabs)",
    isHabit: true,
    control: (tools, setup, next) => {
      if (setup.request !== RequestCode.initiateClear) return PASS;
      const reply = next();
      tools.haltIn();
      return reply;
    },
  }),
  capabilitiesGarbage: replies("Answers GET_CAPABILITIES with noise", {
    [RequestCode.getCapabilities]: (tools) =>
      Uint8Array.from(
        { length: 24 },
        () => 0xaa | Math.floor(tools.host.random() * 256),
      ),
  }),
  capabilitiesShort: replies("Answers GET_CAPABILITIES with two bytes", {
    [RequestCode.getCapabilities]: says(Status.success, 0),
  }),
  capabilitiesStall: replies("Does not know GET_CAPABILITIES", {
    [RequestCode.getCapabilities]: stalls,
  }),
  statusStalls: replies("Does not know READ_STATUS_BYTE", {
    [RequestCode.readStatusByte]: stalls,
  }),
  statusRefused: replies("Refuses READ_STATUS_BYTE", {
    [RequestCode.readStatusByte]: says(Status.failed, 0, 0),
  }),
  statusBusy: busyStatus(3),
  statusAlwaysBusy: busyStatus(Infinity),
  notificationLost: (): Mischief => ({
    description: "Does not send the status byte",
    notify: () => true,
  }),
  serviceRequestFirst: (): Mischief => ({
    description: "Requests service between READ_STATUS_BYTE and its answer",
    isHabit: true,
    notify: (tools, notification) => {
      tools.notify(encodeNotification(1, 0x40));
      tools.notify(notification);
      return true;
    },
  }),
  badNotification: (): Mischief => ({
    description: "Sends vendor's, short and stray notifications",
    isHabit: true,
    notify: (tools, notification) => {
      const strays = [[0x01, 0x00], [0x80, 0xff], [0x82], [0xff, 0x12]];
      for (const stray of strays) tools.notify(Uint8Array.from(stray));
      tools.notify(notification);
      return true;
    },
  }),
  stallOut: (): Mischief => ({
    description: "Halts bulk OUT at a good message",
    out: () => STALL,
  }),
  deadOut: () => deadOut(2),
  deadOutUntilClear: () => deadOut(Infinity),
  deadAfterTrigger,
};

/** CHECK_CLEAR says three times that there are data, and has them. */
function clearPendingWithData(): Mischief {
  let left = 3;
  return {
    description: "Has data left that the host must read before CLEAR ends",
    isHabit: true,
    control: (tools, setup) => {
      if (setup.request !== RequestCode.checkClearStatus || left === 0) {
        return PASS;
      }
      left--;
      tools.sendEnded(new Uint8Array(700));
      return Uint8Array.of(Status.pending, 1);
    },
  };
}

/** CHECK_CLEAR says that there are data, and has none. */
function clearDrainHangs(): Mischief {
  let left = 5;
  return {
    description: "Says that data are left, and has none (Thorlabs PM101U)",
    isHabit: true,
    control: (_tools, setup) => {
      if (setup.request !== RequestCode.checkClearStatus || left === 0) {
        return PASS;
      }
      left--;
      return Uint8Array.of(Status.pending, 1);
    },
  };
}

function busyStatus(times: number): () => Mischief {
  return () => {
    let left = times;
    return {
      description: "Says that the interrupt endpoint is busy",
      isHabit: true,
      control: (_tools, setup) => {
        if (setup.request !== RequestCode.readStatusByte || left === 0) {
          return PASS;
        }
        left--;
        return Uint8Array.of(Status.interruptInBusy, setup.value, 0);
      },
    };
  };
}

/** Takes no OUT transfer until it is aborted (after some checks) or cleared. */
function deadOut(checks: number): Mischief {
  const taken = new HeldTransfers();
  let left = checks;
  return {
    description: "Takes a message and never says so",
    endsAt: "clear",
    out: () => taken.hold(),
    control: (tools, setup) => {
      switch (setup.request) {
        case RequestCode.initiateAbortBulkOut:
          tools.host.halt(BULK_OUT);
          return Uint8Array.of(Status.success, setup.value);
        case RequestCode.checkAbortBulkOutStatus: {
          if (left-- > 0) return abortPending(false)(tools);
          taken.release();
          return PASS;
        }
        case RequestCode.initiateClear:
          taken.release();
          return PASS;
        default:
          return PASS;
      }
    },
  };
}

/** Bulk OUT is dead after TRIGGER until CLEAR: TinyUSB before its fix. */
function deadAfterTrigger(): Mischief {
  const taken = new HeldTransfers();
  let isDead = false;
  return {
    description: "Bulk OUT is dead after TRIGGER until CLEAR (TinyUSB #3821)",
    isHabit: true,
    out: (_tools, data, next) => {
      if (isDead) return taken.hold();
      isDead = decodeOut(data)?.messageId === MessageId.trigger;
      return next();
    },
    control: (_tools, setup) => {
      if (setup.request !== RequestCode.initiateClear) return PASS;
      isDead = false;
      taken.release();
      return PASS;
    },
  };
}

/** OUT transfers that are not taken: NAK after NAK. */
class HeldTransfers {
  readonly #releases: (() => void)[] = [];

  hold(): Promise<void> {
    return new Promise((resolve) => void this.#releases.push(resolve));
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release();
  }
}
