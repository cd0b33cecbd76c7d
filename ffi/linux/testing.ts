/**
 * For tests of drivers: virtual devices in TypeScript, a bus to plug them into,
 * and ways to reach it: the real libusb in another process, any libusb program,
 * or, fastest, a simulated port in this process.
 *
 * ```ts ignore
 * import { Loopback, simulate } from "@driverspace/usb/testing";
 *
 * const code = await simulate({
 *   devices: [new Loopback()],
 *   command: ["lsusb", "-v"],
 * });
 * ```
 *
 * @module
 */

export * from "../../driver/sim/virtual_device.ts";
export {
  type PluggedDevice,
  seededRandom,
  VirtualBus,
  type VirtualBusOptions,
} from "../../driver/sim/virtual_bus.ts";
export * from "../../driver/sim/devices/loopback.ts";
export {
  type Availability,
  isNotifyAvailable,
  isPreloadAvailable,
} from "./virtual_bus_available.ts";
export { SystemClock } from "./virtual_bus_clock.ts";
export type { NodeKind } from "./virtual_bus_nodes.ts";
export { type NotifyOptions, NotifyTransport } from "./virtual_bus_notify.ts";
export {
  type PreloadOptions,
  PreloadTransport,
} from "./virtual_bus_preload.ts";
export type {
  BusTransport,
  ClientCommand,
  ClientProcess,
  ObservableBus,
} from "./virtual_bus_process.ts";
export {
  showBus,
  simulate,
  type SimulateOptions,
  type TransportName,
  type TransportOptions,
} from "./virtual_bus_simulate.ts";
