/**
 * What a device says it can do. Pure functions on bytes.
 * USBTMC 1.00, 4.2.1.8; USB488 1.00, 4.2.2.
 *
 * @module
 */

/** Length of the answer to GET_CAPABILITIES. USBTMC 1.00, table 37. */
export const CAPABILITIES_BYTES = 24;

/** The answer to GET_CAPABILITIES taken apart. */
export interface Capabilities {
  /** `bcdUSBTMC`, binary-coded decimal 0xJJMN. */
  readonly usbtmcVersion: number;
  /** Never talks. */
  readonly listenOnly: boolean;
  /** Never listens. */
  readonly talkOnly: boolean;
  /** Takes INDICATOR_PULSE. */
  readonly indicatorPulse: boolean;
  /** Can end an answer at a byte the host names. */
  readonly termChar: boolean;
  /** `bcdUSB488`; 0 where the interface is plain USBTMC. */
  readonly usb488Version: number;
  /** Takes the TRIGGER message. */
  readonly trigger: boolean;
  /** Takes REN_CONTROL, GO_TO_LOCAL and LOCAL_LOCKOUT. */
  readonly remoteLocal: boolean;
  /** Is a 488.2 interface: common commands, status byte. */
  readonly is4882: boolean;
  /** DT1: acts on the trigger. */
  readonly dt1: boolean;
  /** RL1: remote and local, with lockout. */
  readonly rl1: boolean;
  /** SR1: requests service. */
  readonly sr1: boolean;
  /** Understands every mandatory SCPI command. */
  readonly scpi: boolean;
}

/** What may be assumed of a device that gives no capabilities at all. */
export const NO_CAPABILITIES: Capabilities = decodeCapabilities(
  new Uint8Array(CAPABILITIES_BYTES),
);

/**
 * Takes the answer to GET_CAPABILITIES apart. Bytes that are missing count as
 * 0, as nothing may be assumed of what a device does not say; the status byte
 * is the caller's to check.
 */
export function decodeCapabilities(bytes: Uint8Array): Capabilities {
  const bit = (offset: number, number: number): boolean =>
    ((bytes[offset] ?? 0) >> number & 1) !== 0;
  const version = (offset: number): number =>
    (bytes[offset] ?? 0) | (bytes[offset + 1] ?? 0) << 8;
  return {
    usbtmcVersion: version(2),
    talkOnly: bit(4, 1),
    listenOnly: bit(4, 0),
    indicatorPulse: bit(4, 2),
    termChar: bit(5, 0),
    usb488Version: version(12),
    trigger: bit(14, 0),
    remoteLocal: bit(14, 1),
    is4882: bit(14, 2),
    dt1: bit(15, 0),
    rl1: bit(15, 1),
    sr1: bit(15, 2),
    scpi: bit(15, 3),
  };
}

/** The answer to GET_CAPABILITIES, the device's side, status first. */
export function encodeCapabilities(
  capabilities: Capabilities,
  status: number,
): Uint8Array<ArrayBuffer> {
  const bits = (...flags: readonly boolean[]): number =>
    flags.reduce((sum, flag, bit) => sum | (flag ? 1 << bit : 0), 0);
  const c = capabilities;
  const bytes = new Uint8Array(CAPABILITIES_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, status);
  view.setUint16(2, c.usbtmcVersion, true);
  view.setUint8(4, bits(c.listenOnly, c.talkOnly, c.indicatorPulse));
  view.setUint8(5, bits(c.termChar));
  view.setUint16(12, c.usb488Version, true);
  view.setUint8(14, bits(c.trigger, c.remoteLocal, c.is4882));
  view.setUint8(15, bits(c.dt1, c.rl1, c.sr1, c.scpi));
  return bytes;
}
