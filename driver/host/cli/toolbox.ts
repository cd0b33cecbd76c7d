/**
 * What commands use that reaches hardware or simulates it. `driver/host` never
 * imports `ffi/`: whoever puts the program together (`cli.ts`) passes these in.
 *
 * @module
 */

import type { AnyDriver } from "../../driver.ts";
import type { DeviceInfo, UsbPort } from "../../port.ts";
import type { ClientOptions, ClientProcess } from "../client_process.ts";
import type { VirtualBusAccess } from "../sandbox_policy.ts";
import type { SystemReader } from "../system_reader.ts";

/** A driver that comes with the package. */
export interface BundledDriver {
  readonly driver: AnyDriver;
  /** URL of the module whose default export it is. */
  readonly moduleUrl: string;
}

/** A virtual device by name. */
export interface VirtualDeviceKind {
  readonly name: string;
  readonly description: string;
  /** Ways to make it, chosen as `NAME:VARIANT`. */
  readonly variants?: readonly string[];
  /** By driver: options (`NAME=VALUE`) that show the device off, used when none are given. */
  readonly suggests?: Readonly<Record<string, readonly string[]>>;
}

/** The libusb that was found. */
export interface FoundLibrary {
  /** Path, as the runtime's permission must name it. */
  readonly path: string;
  /** `1.0.26`. */
  readonly version: string;
  /** Why this version is not the best, if so. */
  readonly warning?: string;
}

/** A: umockdev's preload. B: user namespaces and seccomp notification. */
export type BusTransport = "preload" | "notify";

/** A virtual bus with its devices plugged in. */
export interface RunningBus extends AsyncDisposable {
  readonly transport: BusTransport;
  /** What is plugged in now, as its clients would list it. */
  devices(): Promise<readonly DeviceInfo[]>;
  /** Starts a program that sees this bus and no other. */
  spawn(
    command: readonly string[],
    options: ClientOptions,
  ): Promise<ClientProcess>;
  /** What a driver of the profile `virtual` needs of it; `undefined` where none can be had. */
  readonly access?: VirtualBusAccess;
  /** Starts a launcher whose driver has that profile, with a root of its own. */
  readonly spawnVirtual?: (
    commandFor: (access: VirtualBusAccess) => VirtualCommand,
  ) => Promise<ClientProcess>;
}

/** A command line, and what it is started with. */
export interface VirtualCommand extends ClientOptions {
  readonly line: readonly string[];
}

/** What this system offers for confinement and simulation. */
export interface SandboxFacts {
  /** 0: no Landlock. */
  readonly landlockAbi: number;
  /** Empty if the kernel takes seccomp filters, else the name of its error. */
  readonly seccomp: string;
  /** Empty if a transport can be used, else why not. */
  readonly transports: Readonly<Record<BusTransport, string>>;
}

/** Paths of programs that stand alone. */
export interface BundledPrograms {
  readonly launcherPath: string;
  /** What makes a device safe when its driver is dead. */
  readonly safeStatePath: string;
  /** What watches the bus for a supervisor. */
  readonly watchPath: string;
  /** A driver with its process around it, by the driver's name. */
  readonly driverPaths: Readonly<Record<string, string>>;
}

/** Everything commands need from outside `driver/host`. */
export interface Toolbox {
  /** Of this package. */
  readonly version: string;
  readonly drivers: readonly BundledDriver[];
  readonly virtualDevices: readonly VirtualDeviceKind[];
  /** URL of the module that exports `serveDriver`, the body of a driver process. */
  readonly driverProcessUrl: string;
  /** The same for a driver that is only confined: no standby, no full journal. */
  readonly confinedProcessUrl: string;
  /** URL of the main module of the process that makes a device safe. */
  readonly safeStateUrl: string;
  /** URL of the main module of the process that watches the bus. */
  readonly watchUrl: string;
  /** Where libusb may be on this platform, most usual first. */
  readonly libraryCandidates: readonly string[];
  /** URL of the launcher's main module. */
  readonly launcherUrl: string;
  /** Programs made into one file ahead, where there are no sources to make them from. */
  readonly bundles?: BundledPrograms;
  readonly system: SystemReader;
  /** Without a path it looks for one. @throws {UsbError} `library` when there is none. */
  findLibrary(path?: string): FoundLibrary;
  /** @throws {UsbError} `library`, `access`, `notSupported`. */
  openPort(libraryPath?: string): Promise<UsbPort>;
  /** @throws {UsbError} `notSupported` when the transport cannot be had here. */
  startBus(
    devices: readonly string[],
    transport: BusTransport,
  ): Promise<RunningBus>;
  sandboxFacts(): Promise<SandboxFacts>;
}
