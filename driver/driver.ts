/**
 * What a driver author writes: a plain typed object. The loop calls its handlers
 * one at a time; the supervisor reads its data parts (`match`, `safeState`,
 * `commands`) without running it.
 *
 * @module
 */

import type { Device } from "./device.ts";
import type { DeviceMatch } from "./match.ts";
import type { DeviceInfo, Report } from "./port.ts";
import type {
  Direction,
  EndpointAddress,
  InterfaceNumber,
  SetupPacket,
  TransferType,
} from "./usb.ts";

/** Finds an interface in the active configuration: the first that meets all members given. */
export interface InterfaceSelector {
  /** `bInterfaceNumber`. */
  readonly interfaceNumber?: number;
  /** `bInterfaceClass`. */
  readonly interfaceClass?: number;
  /** `bInterfaceSubClass`. */
  readonly interfaceSubclass?: number;
  /** `bInterfaceProtocol`. */
  readonly interfaceProtocol?: number;
}

/** Finds an endpoint among the claimed interfaces: the first that meets all members given. */
export interface EndpointSelector {
  /** `bmAttributes` bits 1..0. */
  readonly type: Exclude<TransferType, "control">;
  /** `bEndpointAddress` bit 7. */
  readonly direction: Direction;
  /** Only on this interface; default: any that is claimed. */
  readonly interfaceNumber?: number;
}

/**
 * What happens to reports when the mailbox is full. `pause` loses nothing: the
 * host stops asking. `keepLatest` keeps only the newest waiting report of the
 * input (pointers, sensors). `dropOldest` drops the oldest waiting one
 * (isochronous cannot pause). Every drop is counted.
 */
export type OverflowPolicy = "pause" | "keepLatest" | "dropOldest";

/** A standing input of a driver. */
export interface DriverInput<State, Events extends EventMap> {
  /** Name in journals, metrics and `context.receive`. Default: the endpoint's address. */
  readonly name?: string;
  /** By address, or by what it is. */
  readonly endpoint: EndpointAddress | EndpointSelector;
  /** A driver whose device may lack this endpoint says so; otherwise its absence ends the start. */
  readonly optional?: boolean;
  /** Default 2: one is being read while one is handled. */
  readonly transfersInFlight?: number;
  /** Default: one packet. Of no effect on an isochronous endpoint. */
  readonly transferLengthBytes?: number;
  /** Default `pause`; for an isochronous endpoint, which cannot pause, `dropOldest`. */
  readonly overflow?: OverflowPolicy;
  /** Handles one report. Its data are valid until the handler is done. */
  readonly handle: (
    state: State,
    report: Report,
    context: DriverContext<Events>,
  ) => void | Promise<void>;
}

/** A value that passes between processes: JSON, with bytes as base64 text. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A parameter of a command, as data: checked before the driver sees it, shown in forms and help. */
export type ParameterSpec =
  & { readonly description: string; readonly optional?: boolean }
  & (
    | {
      readonly type: "string";
      readonly maxLength: number;
      readonly choices?: readonly string[];
    }
    | {
      readonly type: "integer" | "number";
      readonly minimum: number;
      readonly maximum: number;
    }
    | { readonly type: "boolean" }
    | { readonly type: "bytes"; readonly maxBytes: number }
  );

/** Checked parameters by name. `bytes` parameters are `Uint8Array`. */
export type Parameters = Readonly<
  Record<string, string | number | boolean | Uint8Array | undefined>
>;

/**
 * A command of a driver. A {@linkcode UsbError} that it throws is its answer, and
 * the driver goes on; `noDevice` and `access` end the driver, as does anything
 * that is no {@linkcode UsbError}, which is a bug.
 */
export interface DriverCommand<State, Events extends EventMap> {
  /** One sentence, for help and forms. */
  readonly description: string;
  /** By name; default: none. */
  readonly params?: Readonly<Record<string, ParameterSpec>>;
  /** Default COMMAND_TIMEOUT_MS. When it passes, `context.signal` fires. */
  readonly timeoutMs?: number;
  /** May be done twice without harm: then it may be queued while the driver is away. */
  readonly idempotent?: boolean;
  /** Carries it out; what it returns goes back to the caller. */
  readonly run: (
    state: State,
    params: Parameters,
    context: DriverContext<Events>,
  ) => Json | Promise<Json>;
}

/** Events of a driver: name to the shape of its data. */
export type EventMap = Record<string, { readonly [key: string]: Json }>;

/** What one member of an event's data is, as data: for what shows or records it. */
export interface ValueSpec {
  /** A few words, as people call it: `Voltage`. */
  readonly description: string;
  /** What it is; `text` is cut at 255 characters where it is shown. */
  readonly type: "number" | "boolean" | "text";
  /** As UCUM writes it, where it is always the same: `V`, `Cel`. */
  readonly unit?: string;
  /** The member of the same event that tells the unit, where it changes. */
  readonly unitFrom?: string;
}

/** Values that events carry: by event, then by member of its data. */
export type ValueSpecs<Events extends EventMap = EventMap> = {
  readonly [Name in keyof Events & string]?: {
    readonly [Member in keyof Events[Name] & string]?: ValueSpec;
  };
};

/** One step into the safe state: a control transfer, as data. */
export interface SafeStateStep {
  /** One sentence, for logs. */
  readonly description: string;
  /** The request; its direction follows from `data` and `lengthBytes`. */
  readonly setup: SetupPacket;
  /** OUT data; absent means no data stage. */
  readonly data?: readonly number[];
  /** Where the class has the interface in `wIndex`: its number is put there. */
  readonly indexFrom?: InterfaceSelector;
  /** IN requests (USBTMC's, for instance) read and drop this many bytes. */
  readonly lengthBytes?: number;
}

/** Levels of a log line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes a structured line: a stable dotted event name, a sentence, and fields. */
export type DriverLog = (
  level: LogLevel,
  event: string,
  message: string,
  fields?: Readonly<Record<string, Json>>,
) => void;

/** What a handler may do. The same object all the driver's life, but for `signal`. */
export interface DriverContext<Events extends EventMap = EventMap> {
  /** The open device with the driver's interfaces claimed. */
  readonly device: Device;
  /** Where the device is and what it says it is. */
  readonly info: DeviceInfo;
  /** Options of this run, checked against `Driver.options`. */
  readonly options: Parameters;
  /** Monotonic time in milliseconds, of the loop's clock. */
  nowMs(): number;
  /** A number from 0 up to 1, of the loop's chance. */
  random(): number;
  /** Fires at the deadline of the message being handled, on stop and on unplug. */
  readonly signal: AbortSignal;
  /** Tells the world. Bounded: when the outside is slow, events are dropped and counted. */
  emit<Name extends keyof Events & string>(
    event: Name,
    data: Events[Name],
  ): void;
  /** Writes to the one log. */
  readonly log: DriverLog;
  /** Sends `onTimer` the name after `delayMs`; setting it again moves it. */
  setTimer(name: string, delayMs: number): void;
  /** Takes a timer back; a no-op when it is not set. */
  clearTimer(name: string): void;
  /**
   * Waits inside a handler for a report of an input: those for which `take` is
   * true come here, the others wait their turn. Copies the data.
   *
   * @throws {UsbError} `timedOut`, `cancelled`, `noDevice`.
   */
  receive(
    input: string,
    take: (data: Uint8Array) => boolean,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array>;
  /** Sleeps inside a handler, in the loop's time. @throws {UsbError} `cancelled`. */
  sleep(durationMs: number): Promise<void>;
}

/** A driver. */
export interface Driver<State = unknown, Events extends EventMap = EventMap> {
  /** Lower case, digits and dashes; the name in commands, logs and metrics. */
  readonly name: string;
  /** One sentence, for `driverspace drivers`. */
  readonly description: string;
  /** It is for a device that meets any of these. */
  readonly match: readonly DeviceMatch[];
  /** Interfaces it claims, at least one. */
  readonly interfaces: readonly InterfaceSelector[];
  /** Default `detach`: the kernel driver of a claimed interface makes way and comes back. */
  readonly kernelDriver?: "detach" | "refuse";
  /** Requests beyond plain transfers, which the sandbox grants only when they stand here. */
  readonly requests?: readonly ("setConfiguration" | "reset" | "streams")[];
  /**
   * The sandbox's profile, where whoever runs it names none. `jitless`: no
   * memory can be made executable, and JavaScript is 10 to 75 times slower,
   * which a driver that does little does not feel. Default `default`.
   */
  readonly profile?: "default" | "jitless";
  /** Options of a run, by name: `driverspace run NAME --set NAME=VALUE`. */
  readonly options?: Readonly<Record<string, ParameterSpec>>;
  /** Makes the state. Pure: no I/O. */
  readonly init: (options: Parameters) => State;
  /**
   * After claim and before READY: enumeration is done, ask for status, then
   * configure. Inputs are armed already; their reports wait for `receive` or for
   * READY. Runs again, with the same state, after a reset of the port, which
   * clears what the class keeps in the device.
   */
  readonly start?: (
    state: State,
    context: DriverContext<Events>,
  ) => void | Promise<void>;
  /** Standing inputs, armed before `start`. */
  readonly inputs?: readonly DriverInput<State, Events>[];
  /** A timer of `context.setTimer` fell due. */
  readonly onTimer?: (
    state: State,
    name: string,
    context: DriverContext<Events>,
  ) => void | Promise<void>;
  /** What clients may ask for, by name. */
  readonly commands?: Readonly<Record<string, DriverCommand<State, Events>>>;
  /** Which members of its events are values to show. Absent: every number and truth value. */
  readonly values?: ValueSpecs<Events>;
  /** Performed on stop, on failure, and by the supervisor when the driver is dead. */
  readonly safeState?: readonly SafeStateStep[];
  /** On an orderly stop, before the safe state. */
  readonly stop?: (
    state: State,
    context: DriverContext<Events>,
  ) => void | Promise<void>;
}

/**
 * A driver of any state and events, for what runs drivers without knowing them.
 * Handlers take their state as an argument, so no one type but `any` fits all.
 */
// deno-lint-ignore no-explicit-any -- contravariant in the state and in the events
export type AnyDriver = Driver<any, any>;

/** A driver with its types inferred: returns its argument, having checked its data parts. */
export function defineDriver<State, Events extends EventMap = EventMap>(
  driver: Driver<State, Events>,
): Driver<State, Events> {
  checkDriver(driver);
  return driver;
}

function checkDriver(
  driver: Pick<Driver, "name" | "match" | "interfaces" | "profile">,
): void {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(driver.name)) {
    throw new TypeError(
      `Cannot define driver ${
        JSON.stringify(driver.name)
      }: a name is lower case letters, digits and dashes, at most 32`,
    );
  }
  if (driver.match.length === 0) {
    throw new TypeError(
      `Cannot define driver ${driver.name}: it matches no device`,
    );
  }
  if (driver.interfaces.length === 0) {
    throw new TypeError(
      `Cannot define driver ${driver.name}: it claims no interface`,
    );
  }
  const { profile = "default" } = driver;
  if (profile !== "default" && profile !== "jitless") {
    throw new TypeError(
      `Cannot define driver ${driver.name}: profiles are default and jitless, not ${
        JSON.stringify(profile)
      }`,
    );
  }
}

/** Interface and endpoint a selector found, for drivers that need the numbers. */
export interface FoundEndpoint {
  /** `bInterfaceNumber`. */
  readonly interfaceNumber: InterfaceNumber;
  /** `bEndpointAddress`. */
  readonly endpointAddress: EndpointAddress;
  /** `wMaxPacketSize` bits 10..0, in bytes. */
  readonly maxPacketSize: number;
}
