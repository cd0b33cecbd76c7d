/** A `driverspace` without a machine: what it prints, on a system we make up. */

import type { Driver } from "../../driver/driver.ts";
import type { CliIo } from "../../driver/host/cli/command.ts";
import { runCli } from "../../driver/host/cli/main.ts";
import type { Toolbox } from "../../driver/host/cli/toolbox.ts";
import type {
  FileFacts,
  SystemReader,
} from "../../driver/host/system_reader.ts";
import { VirtualClock } from "../../driver/loop/clock.ts";
import type { DeviceInfo, UsbPort } from "../../driver/port.ts";
import { productId, vendorId } from "../../driver/usb.ts";

/** What a call printed and ended with. */
export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Calls `driverspace` with these arguments. */
export async function call(
  args: readonly string[],
  toolbox: Toolbox = fakeToolbox(),
): Promise<CliResult> {
  let out = "";
  let err = "";
  const io: CliIo = {
    out: (text) => out += text,
    err: (text) => err += text,
    isTerminal: false,
    hasColor: false,
    columns: () => 80,
    onInterrupt: () => () => {},
    clock: new VirtualClock(),
    random: () => 0.5,
  };
  const code = await runCli(args, { toolbox, io });
  return { code, out, err };
}

/** A driver for 0957:1755, without code that runs. */
export const METER_DRIVER: Driver = {
  name: "usbtmc",
  description: "Lab instruments",
  match: [{ vendorId: 0x0957, productId: 0x1755 }],
  interfaces: [{ interfaceClass: 0xfe }],
  init: () => undefined,
  values: {
    reading: {
      volts: { description: "Voltage", type: "number", unit: "V" },
    },
  },
  commands: {
    query: {
      description: "Sends a message and reads the answer",
      params: {
        message: { type: "string", maxLength: 80, description: "The message" },
      },
      run: () => null,
    },
  },
};

/** A toolbox for a system of `files` with `devices` on its bus. */
export function fakeToolbox(parts: {
  readonly devices?: readonly DeviceInfo[];
  readonly system?: SystemReader;
  readonly tools?: Partial<Toolbox>;
} = {}): Toolbox {
  const { devices = [], system = fakeSystem({}), tools = {} } = parts;
  return {
    version: "0.1.0",
    drivers: [{ driver: METER_DRIVER, moduleUrl: "file:///usbtmc.ts" }],
    virtualDevices: [{ name: "multimeter", description: "A multimeter" }],
    driverProcessUrl: "file:///driver_process.ts",
    confinedProcessUrl: "file:///confined_process.ts",
    safeStateUrl: "file:///safe_state_process.ts",
    watchUrl: "file:///watch_process.ts",
    libraryCandidates: ["/usr/lib/libusb.so"],
    launcherUrl: "file:///launcher_main.ts",
    system,
    findLibrary: () => ({ path: "/usr/lib/libusb.so", version: "1.0.30" }),
    openPort: () => Promise.resolve(fakePort(devices)),
    startBus: () => Promise.reject(new Error("There is no bus in this test")),
    sandboxFacts: () =>
      Promise.resolve({
        landlockAbi: 7,
        seccomp: "",
        transports: { preload: "", notify: "" },
      }),
    ...tools,
  };
}

/** A system whose files have these facts or texts. */
export function fakeSystem(
  files: Readonly<Record<string, string | FileFacts>>,
  uid = 1000,
): SystemReader {
  return {
    platform: "linux",
    readText: (path) => {
      const file = files[path];
      return typeof file === "string" ? file : undefined;
    },
    fileFacts: (path) => {
      const file = files[path];
      if (typeof file !== "string") return file;
      return { uid: 0, gid: 0, mode: 0o644 };
    },
    linkName: (path) => {
      const file = files[path];
      return typeof file === "string" ? file : undefined;
    },
    identity: () => ({ uid, gids: [uid] }),
  };
}

/** A device as a bus would list it. */
export function fakeDevice(parts: Partial<DeviceInfo> = {}): DeviceInfo {
  return {
    id: "1-4#7",
    busNumber: 1,
    deviceAddress: 7,
    portPath: "1-4",
    speed: "high",
    descriptor: {
      usbVersion: 0x0200,
      deviceClass: 0,
      deviceSubclass: 0,
      deviceProtocol: 0,
      maxPacketSize0: 64,
      vendorId: vendorId(0x0957),
      productId: productId(0x1755),
      deviceVersion: 0x0100,
      manufacturerIndex: 1,
      productIndex: 2,
      serialNumberIndex: 3,
      configurationCount: 1,
    },
    manufacturer: "Agilent",
    product: "34410A",
    serialNumber: "MY47000001",
    configurations: [],
    configurationValue: undefined,
    nodePath: "/dev/bus/usb/001/007",
    ...parts,
  };
}

function fakePort(devices: readonly DeviceInfo[]): UsbPort {
  const close = (): Promise<void> => Promise.resolve();
  return {
    devices: () => Promise.resolve(devices),
    watch: () => {
      throw new Error("Nothing is watched in this test");
    },
    open: () => Promise.reject(new Error("Nothing is opened in this test")),
    close,
    [Symbol.asyncDispose]: close,
  };
}
