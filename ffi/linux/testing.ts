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

export type * from "../../driver/port.ts";
export type * from "../../driver/usb.ts";
export * from "../../driver/sim/virtual_device.ts";
export {
  type PluggedDevice,
  type PlugOptions,
  seededRandom,
  VirtualBus,
  type VirtualBusOptions,
} from "../../driver/sim/virtual_bus.ts";
export * from "../../driver/sim/devices/boot_mouse.ts";
export * from "../../driver/sim/devices/cdc_acm_echo.ts";
export * from "../../driver/sim/devices/loopback.ts";
export * from "../../driver/sim/devices/misbehaving.ts";
export * from "../../driver/sim/devices/multimeter.ts";
export { SimulatedPort } from "../../driver/sim/simulated_port.ts";
export type { SimulatedPortOptions } from "../../driver/sim/simulated_port.ts";
export type * from "../../driver/sim/faults.ts";
export type { BusDevice } from "../../driver/sim/bus_device.ts";
export type * from "../../driver/sim/transfer_unit.ts";
export { ERRNO, type ErrnoName } from "../../driver/sim/errno.ts";
export type * from "../../driver/sim/claims.ts";
export type { QueueHost } from "../../driver/sim/endpoint_queue.ts";
export type { StandardTarget } from "../../driver/sim/standard_requests.ts";
export type { SysfsPlace } from "../../driver/sim/sysfs.ts";
export type { UsbfsMemory } from "../../driver/sim/usbfs_memory.ts";
export type { Clock, Timer } from "../../driver/loop/clock.ts";
export { VirtualClock } from "../../driver/loop/clock.ts";
export type {
  Answer,
  BusNode,
  BusObserver,
  ClientMemory,
  Readiness,
  Session,
  TreeEntry,
} from "../../driver/sim/usbfs_contract.ts";
export {
  type Availability,
  isNotifyAvailable,
  isPreloadAvailable,
} from "./virtual_bus_available.ts";
export type { PreloadRoot } from "./virtual_bus_preload_client.ts";
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
