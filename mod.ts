/**
 * USB drivers in user space: devices, transfers and streams over libusb, and
 * drivers as plain typed objects that the loop runs one message at a time.
 * Importing this opens nothing, reads nothing and starts nothing.
 *
 * ```ts ignore
 * import { Device, LibusbPort } from "@driverspace/usb";
 *
 * await using port = await LibusbPort.open();
 * for (const info of await port.devices()) console.log(info.product);
 * ```
 *
 * @module
 */

export * from "./driver/device.ts";
export * from "./driver/driver.ts";
export * from "./driver/endpoint.ts";
export * from "./driver/errors.ts";
export * from "./driver/match.ts";
export * from "./driver/port.ts";
export * from "./driver/usb.ts";
export { AssertionError } from "./driver/assert.ts";
export { type Clock, type Timer, VirtualClock } from "./driver/loop/clock.ts";
export {
  type ChoosableDevice,
  type ChooserIo,
  terminalChooser,
} from "./driver/host/cli/device_chooser.ts";
export { systemClock } from "./driver/host/system_clock.ts";
export {
  type DriverEvent,
  type RunningDriver,
  startDriver,
  type StartOptions,
} from "./driver/host/start_driver.ts";
export { Session } from "./driver/loop/session.ts";
export type {
  Heartbeat,
  SessionCounters,
  SessionOptions,
} from "./driver/loop/session_options.ts";
export type {
  CommandCounters,
  CommandOptions,
} from "./driver/loop/commands.ts";
export { Chance, type Random } from "./driver/loop/chance.ts";
export type {
  EmitEvent,
  EventCounters,
} from "./driver/loop/handler_context.ts";
export type { TransferCounters } from "./driver/loop/guarded_port.ts";
export type { InputReport } from "./driver/loop/inputs.ts";
export * from "./driver/loop/journal.ts";
export * from "./driver/loop/recording.ts";
export type {
  DropReason,
  InputTally,
  LaneDepths,
  LaneRefusals,
} from "./driver/loop/messages.ts";
export type {
  DropPolicy,
  InputDrops,
  RetryReason,
  TelemetrySums,
} from "./driver/loop/telemetry.ts";
export type { EndpointSums } from "./driver/loop/endpoint_counters.ts";
export type { HistogramCounts } from "./driver/loop/histogram.ts";
export type {
  SafeStateReport,
  SafeStateResult,
} from "./driver/loop/safe_state.ts";
export type { ReadableOptions } from "./driver/endpoint_input.ts";
export type { ReaderOptions } from "./driver/endpoint_reader.ts";
export type { WriterOptions } from "./driver/endpoint_writer.ts";
export type { SessionState } from "./driver/loop/session_state.ts";
export type {
  EndClass,
  EndReason,
  SessionEnd,
} from "./driver/loop/end_reason.ts";
export {
  type InheritedPlace,
  LibusbPort,
  type LibusbPortOptions,
} from "./ffi/libusb_port.ts";
export type { KnownPlace } from "./ffi/device_list.ts";
export type { LibusbVersion } from "./ffi/library.ts";
