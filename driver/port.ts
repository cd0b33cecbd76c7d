/**
 * The contract between what uses USB and what provides it. Three things provide
 * it: libusb (`ffi/`), the simulated port (`driver/sim/`), and tests. One suite,
 * `tests/contract/`, holds all of them to the words written here.
 *
 * Everything is asynchronous, everything has an end: a time limit, a signal, or
 * the close of the device.
 *
 * @module
 */

import type {
  AlternateSetting,
  ConfigurationDescriptor,
  ConfigurationValue,
  DeviceCapability,
  DeviceDescriptor,
  EndpointAddress,
  InterfaceNumber,
  SetupPacket,
  Speed,
} from "./usb.ts";

/** Where a device is and what it says it is. Known without opening it. */
export interface DeviceInfo {
  /** Stable while the device stays connected, unique on its port: `1-4.2#7`. */
  readonly id: string;
  /** Bus number; 0 when it is not known (an inherited descriptor on old kernels). */
  readonly busNumber: number;
  /** Device number on its bus. Changes at every re-enumeration: never an identity. */
  readonly deviceAddress: number;
  /** Port path as Linux writes it, `1-4.2`; empty when not known. Survives re-enumeration. */
  readonly portPath: string;
  /** As the bus negotiated it. */
  readonly speed: Speed;
  /** The device descriptor. */
  readonly descriptor: DeviceDescriptor;
  /** `undefined` where the device has none or it could not be read; never opens the device. */
  readonly manufacturer: string | undefined;
  /** As `manufacturer`. */
  readonly product: string | undefined;
  /** As `manufacturer`. */
  readonly serialNumber: string | undefined;
  /** All configurations, parsed by our own parser; those that cannot be parsed are left out. */
  readonly configurations: readonly ConfigurationDescriptor[];
  /** The active configuration at the time of listing; `undefined` when not configured or not known. */
  readonly configurationValue: ConfigurationValue | undefined;
  /** The device node, where there is one. */
  readonly nodePath: string | undefined;
}

/** A device came or went. */
export interface HotplugEvent {
  /** Came or went. */
  readonly type: "arrived" | "left";
  /** Which one. */
  readonly device: DeviceInfo;
}

/** How to open a device. */
export interface OpenOptions {
  /** Kernel drivers on claimed interfaces: detach and give back, or refuse with `busy`. Default `refuse`. */
  readonly kernelDriver?: "detach" | "refuse";
}

/** A source of devices. */
export interface UsbPort extends AsyncDisposable {
  /** Devices on the bus now, hubs left out, in order of bus and port. Opens none. */
  devices(): Promise<readonly DeviceInfo[]>;
  /**
   * Arrivals and departures in order, beginning with an arrival for each device
   * there. A device that left and came back between two looks gives both events.
   * Ends when the signal fires, the iterator is returned or the port closes.
   */
  watch(
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<HotplugEvent>;
  /**
   * Opens a device.
   *
   * @throws {UsbError} `access`, `noDevice`, `busy`.
   */
  open(device: DeviceInfo, options?: OpenOptions): Promise<DevicePort>;
  /** Closes every open device, then the port. Closing twice is a no-op. */
  close(): Promise<void>;
}

/** How a transfer ended. The names are those of libusb's statuses. */
export type TransferStatus =
  | "completed"
  | "timedOut"
  | "cancelled"
  | "stall"
  | "overflow"
  | "noDevice"
  /** A bus error. */
  | "error"
  /** The kernel's transfer memory is used up: back off and try again. */
  | "noMemory";

/** What every transfer may say besides its data. */
export interface TransferOptions {
  /** Time limit in milliseconds; 0 means none. There is no hidden default at this level. */
  readonly timeoutMs?: number;
  /** Cancels the transfer; it still completes, with `cancelled` and what has arrived. */
  readonly signal?: AbortSignal;
}

/** A transfer to be made once. */
export type TransferRequest =
  & TransferOptions
  & (
    | {
      readonly type: "controlIn";
      readonly setup: SetupPacket;
      readonly lengthBytes: number;
    }
    | {
      readonly type: "controlOut";
      readonly setup: SetupPacket;
      readonly data: Uint8Array;
    }
    | {
      readonly type: "in";
      /** A bulk or interrupt IN endpoint. */
      readonly endpoint: EndpointAddress;
      /** A multiple of the endpoint's maximum packet size avoids `overflow`. */
      readonly lengthBytes: number;
    }
    | {
      readonly type: "out";
      /** A bulk or interrupt OUT endpoint. */
      readonly endpoint: EndpointAddress;
      readonly data: Uint8Array;
      /** Ends with a zero-length packet when the data fill their last packet (USB 2.0, 5.8.3). */
      readonly zeroLengthPacket?: boolean;
    }
    | {
      readonly type: "isochronousIn";
      readonly endpoint: EndpointAddress;
      readonly packetLengthsBytes: readonly number[];
    }
    | {
      readonly type: "isochronousOut";
      readonly endpoint: EndpointAddress;
      readonly data: Uint8Array;
      readonly packetLengthsBytes: readonly number[];
    }
  );

/** One packet of an isochronous transfer. */
export interface PacketOutcome {
  /** Of this packet alone. */
  readonly status: TransferStatus;
  /** Where its data begin in the transfer's data: the sum of the lengths before it. */
  readonly offsetBytes: number;
  /** Bytes of this packet that moved. */
  readonly actualLengthBytes: number;
}

/**
 * How a transfer ended. Never an exception: a stall or a time-out is a value
 * here, and bytes that arrived before it are kept.
 */
export interface TransferOutcome {
  /** How it ended. */
  readonly status: TransferStatus;
  /** IN: what arrived, owned by the caller. Isochronous IN: the whole buffer. OUT: empty. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Bytes moved, in either direction, without setup. */
  readonly actualLengthBytes: number;
  /** Isochronous only. */
  readonly packets?: readonly PacketOutcome[];
}

/** One completed IN transfer of a standing input, lent to the sink. */
export interface Report {
  /** Valid until the sink returns `true`; copy to keep. */
  readonly data: Uint8Array;
  /** When it was found complete, on the port's clock, in milliseconds. */
  readonly timestampMs: number;
  /** Isochronous only. Lent as `data` are: each may say something else in the next report. */
  readonly packets?: readonly PacketOutcome[];
}

/**
 * Takes a report and says whether there was room. `false`: the input holds that
 * report, resubmits nothing more and offers it again on `resume()`. So the host
 * stops asking and further reports wait in the device.
 */
export type ReportSink = (report: Report) => boolean;

/** A standing input to open. */
export interface InputOptions {
  /** An IN endpoint, not control. */
  readonly endpoint: EndpointAddress;
  /** Transfers kept in flight, 1..MAX_TRANSFERS_IN_FLIGHT. */
  readonly transfersInFlight: number;
  /**
   * Bytes per transfer; default one packet times the transactions of a
   * microframe. Of no effect on an isochronous endpoint, whose packets are as
   * long as it declares.
   */
  readonly transferLengthBytes?: number;
  /** Isochronous only: packets per transfer, default 8. */
  readonly packetsPerTransfer?: number;
  /** Where reports go. */
  readonly sink: ReportSink;
  /**
   * Called once when the input ends by itself: stall, overflow, bus error,
   * unplug, or with `cancelled` because the device is closed or its interface
   * given up. Completed reports are delivered before it: one that is held waits
   * for `resume()`, also when the device is closed meanwhile, and then the end
   * is told within that call. Not called after `stop()`.
   */
  readonly onEnd: (end: InputEnd) => void;
}

/** How a standing input ended by itself: how the transfer did that ended it. */
export interface InputEnd extends TransferOutcome {
  /** The device was closed: nothing failed, and nothing more can come. */
  readonly isClosed?: true;
}

/**
 * Where every transfer of an input is. At any time
 * `submitted = completed + inFlight` and
 * `completed = delivered + failed + cancelled + held`.
 */
export interface InputCounters {
  /** Handed to the kernel. */
  readonly submitted: number;
  /** Came back, in whatever way. */
  readonly completed: number;
  /** Taken by the sink. */
  readonly delivered: number;
  /** Ended by stall, overflow, bus error or unplug. */
  readonly failed: number;
  /** Ended by `stop()`, a close, or the failure of one before it. */
  readonly cancelled: number;
  /** With the kernel now. */
  readonly inFlight: number;
  /** Completed, refused by the sink, waiting for `resume()`. */
  readonly held: number;
}

/** Reads that are always outstanding on one IN endpoint. */
export interface InputRing {
  /** The endpoint it reads. */
  readonly endpoint: EndpointAddress;
  /** Where its transfers are, at this moment. */
  readonly counters: InputCounters;
  /** The sink has room again: offers what is held, in order, then goes on reading. */
  resume(): void;
  /** Cancels, waits for every transfer, offers nothing more. Twice is a no-op. */
  stop(): Promise<void>;
}

/**
 * Fills the lent buffer with what goes out next and says how many bytes that is:
 * 0, a packet without data, to `data.length`. `undefined`: nothing now; it is
 * asked again after `resume()`. The buffer is lent until the source returns, and
 * holds what went out from it the last time. It is asked right when a transfer
 * is back, so that the next is on its way before anything else happens.
 */
export type OutputSource = (data: Uint8Array) => number | undefined;

/** A standing output to open. */
export interface OutputOptions {
  /** A bulk or interrupt OUT endpoint. */
  readonly endpoint: EndpointAddress;
  /** Transfers kept in flight, 1..MAX_TRANSFERS_IN_FLIGHT. */
  readonly transfersInFlight: number;
  /** Bytes of the lent buffer; default one packet times the transactions of a microframe. */
  readonly transferLengthBytes?: number;
  /** Time limit of each transfer in milliseconds; default 0, none. */
  readonly timeoutMs?: number;
  /** Where the data come from; first asked after `openOutput` returned. */
  readonly source: OutputSource;
  /**
   * Called once when the output ends by itself, after all its transfers are
   * back: stall, time limit, bus error, unplug, fewer bytes moved than were given
   * (`error`), a source that failed, or with `cancelled` because the device is
   * closed or its interface given up. What was behind the failure was cancelled.
   * After a stall nothing of it reached the device; after any other failure a
   * packet of the next transfer may have, for the bus is quicker than we are: one
   * transfer in flight leaves no doubt. Not called after `stop()`, nor within a
   * call to the output.
   */
  readonly onEnd: (end: OutputEnd) => void;
}

/** How a standing output ended by itself: how the transfer did that ended it. */
export interface OutputEnd extends TransferOutcome {
  /**
   * The source failed, and the rest was cancelled for it: what it threw, or a
   * `RangeError` or `TypeError` about what it gave.
   */
  readonly error?: unknown;
}

/**
 * Where every transfer of an output is. At any time
 * `submitted = completed + inFlight` and
 * `completed = delivered + failed + cancelled`.
 */
export interface OutputCounters {
  /** Handed to the kernel. */
  readonly submitted: number;
  /** Came back, in whatever way. */
  readonly completed: number;
  /** Taken by the device, whole. */
  readonly delivered: number;
  /** Ended by stall, time limit, bus error or unplug. */
  readonly failed: number;
  /** Ended by `stop()`, a close, or the failure of one before it. */
  readonly cancelled: number;
  /** With the kernel now. */
  readonly inFlight: number;
  /** Bytes the device took, those of failed and cancelled transfers too. */
  readonly transferredBytes: number;
}

/** Writes that are always outstanding on one OUT endpoint, as long as its source has data. */
export interface OutputRing {
  /** The endpoint it writes to. */
  readonly endpoint: EndpointAddress;
  /** Where its transfers are, at this moment. */
  readonly counters: OutputCounters;
  /** The source has data again: asks it within the call, as far as there is room. */
  resume(): void;
  /** Resolves when nothing is in flight and the source has nothing, or the output is over. */
  drained(): Promise<void>;
  /** Cancels, waits for every transfer, asks for nothing more. Twice is a no-op. */
  stop(): Promise<void>;
}

/** An open device. */
export interface DevicePort extends AsyncDisposable {
  /** As it was when the device was opened. */
  readonly info: DeviceInfo;
  /** `0957:1755@1-4`, for messages. */
  readonly label: string;
  /** The port's monotonic clock, in milliseconds: the clock of `Report.timestampMs`. */
  nowMs(): number;
  /** The active configuration as far as we set or read it; `undefined` when not configured. */
  readonly configuration: ConfigurationDescriptor | undefined;
  /** Claimed interfaces with their live alternate setting. */
  readonly claimed: ReadonlyMap<InterfaceNumber, AlternateSetting>;
  /**
   * Selects a configuration; cancels and drains all transfers first.
   *
   * @throws {UsbError} `notFound`, `busy`, `noDevice`.
   */
  setConfiguration(value: ConfigurationValue): Promise<void>;
  /** No-op if claimed by us. @throws {UsbError} `notFound`, `busy`, `access`, `noDevice`. */
  claimInterface(number: InterfaceNumber): Promise<void>;
  /** Cancels and drains the interface's transfers first. No-op if not claimed. */
  releaseInterface(number: InterfaceNumber): Promise<void>;
  /** Cancels and drains the interface's transfers first. @throws {UsbError} `state`, `notFound`. */
  setAlternateSetting(
    number: InterfaceNumber,
    setting: AlternateSetting,
  ): Promise<void>;
  /** Clears the halt of an endpoint at both ends, data toggle included. USB 2.0, 9.4.5. */
  clearHalt(endpoint: EndpointAddress): Promise<void>;
  /**
   * Resets the port of the device. Claims and alternate settings are restored.
   *
   * @throws {UsbError} `noDevice` when it came back as another device: close and find it anew.
   */
  reset(): Promise<void>;
  /** Name of the kernel driver bound to an interface, or that there is one, if any. */
  kernelDriverActive(number: InterfaceNumber): Promise<boolean>;
  /** Takes an interface from its kernel driver. @throws {UsbError} `notFound`, `access`, `noDevice`. */
  detachKernelDriver(number: InterfaceNumber): Promise<void>;
  /** Gives an interface back to its kernel driver. @throws {UsbError} `busy`, `access`, `noDevice`. */
  attachKernelDriver(number: InterfaceNumber): Promise<void>;
  /** Binary object store. USB 3.2, 9.6.2; empty for devices that have none. */
  readCapabilities(): Promise<readonly DeviceCapability[]>;
  /**
   * Makes one transfer. Many may be outstanding, on one endpoint too; those of
   * one endpoint end in the order they were submitted. OUT data are copied when
   * called.
   *
   * @throws {UsbError} `state` when closed or the endpoint's interface is not claimed, `notFound`
   *   when there is no such endpoint in the live settings, `invalidParameter` over a limit.
   */
  transfer(request: TransferRequest): Promise<TransferOutcome>;
  /** Starts a standing input. @throws {UsbError} as `transfer`. */
  openInput(options: InputOptions): InputRing;
  /** Starts a standing output. @throws {UsbError} as `transfer`. */
  openOutput(options: OutputOptions): OutputRing;
  /**
   * Cancels all, drains, releases (kernel drivers come back), closes. Standing
   * inputs and outputs that nobody stopped are told their end. Twice is a no-op.
   */
  close(): Promise<void>;
}
