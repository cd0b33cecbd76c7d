/**
 * Mischief with answers: headers that lie, transfers that do not end, answers
 * that come late or never.
 *
 * @module
 */

import {
  decodeOut,
  encodeMessageIn,
  HEADER_BYTES,
  MessageId,
} from "../../class/usbtmc/bulk_header.ts";
import { STALL } from "../virtual_device.ts";
import type { Mischief, MischiefTools } from "./misbehaving_mischief.ts";

/** How late a late answer is: after the host gave up and aborted. */
export const LATE_MS = 3_000;
/** Reads of the instruments that give 63 bytes at most. */
const SMALL_READ_BYTES = 63;
/** What an answer goes on with when it has no business to. */
const FILLER = 0x2e;
const HASH = 0x23;
/** What an endless answer adds each time. */
const ENDLESS_BYTES = 4096;

/** Bytes of an answer changed before they are sent. */
function tampered(
  description: string,
  tamper: (bytes: Uint8Array, view: DataView) => void,
): () => Mischief {
  return instead(description, (tools, transfer) => {
    tamper(transfer, new DataView(transfer.buffer));
    tools.sendEnded(transfer);
  });
}

/** Something else instead of an answer. */
function instead(
  description: string,
  send: (tools: MischiefTools, transfer: Uint8Array<ArrayBuffer>) => void,
  other: Partial<Mischief> = {},
): () => Mischief {
  return () => ({
    description,
    answer: (tools, transfer) => {
      send(tools, transfer);
      return true;
    },
    ...other,
  });
}

const HABIT = { isHabit: true } as const;

/** Names of them. */
export type AnswerMischief =
  | "wrongTag"
  | "wrongInverseTag"
  | "wrongMessageId"
  | "sizeTooLarge"
  | "sizeOverRequest"
  | "shortHeader"
  | "emptyTransfer"
  | "sizeTooSmall"
  | "emptyAnswer"
  | "neverEndOfMessage"
  | "endless"
  | "late"
  | "silent"
  | "stallIn"
  | "diesMidTransfer"
  | "noShortPacket"
  | "headerOnce"
  | "trailingNuls"
  | "sizeCountsMore"
  | "smallReads"
  | "smallPackets";

/** Mischief with answers, by name. */
export const ANSWER_MISCHIEF: Readonly<Record<AnswerMischief, () => Mischief>> =
  {
    wrongTag: tampered("Echoes another tag", (bytes) => {
      bytes[1] = (bytes[1] ?? 0) % 255 + 1;
      bytes[2] = ~bytes[1] & 0xff;
    }),
    wrongInverseTag: tampered("The inverted tag is not inverted", (bytes) => {
      bytes[2] = bytes[1] ?? 0;
    }),
    wrongMessageId: tampered(
      "Answers with the id of a message out",
      (bytes) => {
        bytes[0] = MessageId.deviceMessageOut;
      },
    ),
    sizeTooLarge: tampered(
      "TransferSize counts bytes that never come",
      (_, view) => {
        view.setUint32(4, view.getUint32(4, true) + 40, true);
      },
    ),
    sizeOverRequest: tampered(
      "TransferSize is larger than was asked for",
      (_, view) => {
        view.setUint32(4, 0xffff_ffff, true);
      },
    ),
    shortHeader: instead("Sends less than a header", (tools, transfer) => {
      tools.sendEnded(transfer.subarray(0, 7));
    }),
    emptyTransfer: instead("Ends the transfer without a byte", (tools) => {
      tools.sendEnded(new Uint8Array());
    }),
    sizeTooSmall: instead(
      "Sends packets more than TransferSize says",
      (tools, transfer) => {
        const longer = new Uint8Array(transfer.length + 2 * tools.packetBytes)
          .fill(FILLER);
        longer.set(transfer);
        tools.sendEnded(longer);
      },
    ),
    emptyAnswer: instead(
      "Says that nothing is in it and that it is not the end",
      (tools, transfer) => {
        const header = transfer.slice(0, HEADER_BYTES);
        new DataView(header.buffer).setUint32(4, 0, true);
        header[8] = 0;
        tools.sendEnded(header);
      },
    ),
    neverEndOfMessage: tampered(
      "Does not say that the answer is over",
      (bytes) => {
        bytes[8] = 0;
      },
    ),
    endless,
    late: instead(
      "Answers after the host gave up and aborted",
      (tools, transfer) =>
        tools.later(LATE_MS, () => tools.sendEnded(transfer)),
    ),
    silent: instead("Does not answer", () => {}),
    stallIn: instead(
      "Halts bulk IN instead of an answer",
      (tools) => tools.haltIn(),
    ),
    diesMidTransfer: instead(
      "Leaves the bus in the middle of an answer",
      (tools, transfer) => {
        tools.send(inWholePackets(tools, transfer));
        tools.later(1, () => tools.host.unplug());
      },
    ),
    noShortPacket: instead(
      "Whole packets are not ended by a short one (Rigol DS1102Z-E)",
      (tools, transfer) => tools.send(inWholePackets(tools, transfer)),
      HABIT,
    ),
    headerOnce,
    trailingNuls: instead(
      "Text ends with NULs that TransferSize counts (Rigol, Siglent)",
      (tools, transfer) => {
        const longer = new Uint8Array(transfer.length + 4);
        longer.set(transfer);
        new DataView(longer.buffer).setUint32(
          4,
          longer.length - HEADER_BYTES,
          true,
        );
        tools.sendEnded(longer);
      },
      HABIT,
    ),
    sizeCountsMore: instead(
      "TransferSize counts bytes that never come, always (Siglent)",
      (tools, transfer) => {
        const view = new DataView(transfer.buffer);
        view.setUint32(4, view.getUint32(4, true) + 40, true);
        tools.sendEnded(transfer);
      },
      HABIT,
    ),
    smallReads: instead(
      "Gives 63 bytes at most and never says it is over (Advantest)",
      (tools, transfer) => {
        transfer[8] = 0;
        tools.sendEnded(transfer);
      },
      { ...HABIT, out: refuseLargeReads },
    ),
    smallPackets: instead(
      "Sends smaller packets than its descriptor says",
      (tools, transfer) => {
        for (let offset = 0; offset < transfer.length; offset += 64) {
          tools.send(transfer.subarray(offset, offset + 64));
        }
      },
      HABIT,
    ),
  };

/** Fills the last packet, as firmware does that sends its buffer whole. */
function inWholePackets(
  tools: MischiefTools,
  transfer: Uint8Array,
): Uint8Array {
  const { packetBytes } = tools;
  const whole = new Uint8Array(
    Math.ceil(transfer.length / packetBytes) * packetBytes,
  );
  whole.set(transfer);
  return whole;
}

function refuseLargeReads(
  _tools: MischiefTools,
  data: Uint8Array,
  next: () => void | typeof STALL,
): void | typeof STALL {
  const header = decodeOut(data);
  const isTooMuch = header?.messageId === MessageId.deviceMessageIn &&
    header.transferSize > SMALL_READ_BYTES;
  return isTooMuch ? STALL : next();
}

/** Goes on answering every REQUEST, without an end. */
function endless(): Mischief {
  return {
    description: "Answers every request with more, until it is cleared",
    isHabit: true,
    endsAt: "clear",
    out: (tools, data, next) => {
      const header = decodeOut(data);
      if (header?.messageId !== MessageId.deviceMessageIn) return next();
      const length = Math.min(header.transferSize, ENDLESS_BYTES);
      const payload = new Uint8Array(length).fill(FILLER);
      const { tag } = header;
      tools.sendEnded(encodeMessageIn(payload, { tag, endOfMessage: false }));
    },
  };
}

/**
 * The whole answer comes after one header, whose size is wrong for blocks; a
 * second REQUEST before the next message restarts it.
 */
function headerOnce(): Mischief {
  let last: Uint8Array<ArrayBuffer> | undefined;
  return {
    description:
      "Header in the first transfer only; a second request restarts the answer (Rigol DS1000)",
    isHabit: true,
    out: (tools, data, next) => {
      const header = decodeOut(data);
      if (header?.messageId !== MessageId.deviceMessageIn) last = undefined;
      if (header === undefined || last === undefined) return next();
      last.set([header.tag, ~header.tag & 0xff], 1);
      tools.send(last);
    },
    answer: (tools, transfer) => {
      const isBlock = transfer[HEADER_BYTES] === HASH;
      if (isBlock) new DataView(transfer.buffer).setUint32(4, 52, true);
      last = transfer;
      tools.send(transfer);
      return true;
    },
  };
}
