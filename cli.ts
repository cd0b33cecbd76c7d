/**
 * The `driverspace` command: puts the program together and runs it.
 *
 * ```sh
 * deno run --allow-all cli.ts run usbtmc --virtual multimeter
 * ```
 *
 * @module
 */

import usbtmc from "./driver/class/usbtmc/driver.ts";
import { runCli } from "./driver/host/cli/main.ts";
import { processIo } from "./driver/host/cli/process_io.ts";
import type {
  FoundLibrary,
  RunningBus,
  SandboxFacts,
  Toolbox,
  VirtualDeviceKind,
} from "./driver/host/cli/toolbox.ts";
import type {
  ClientOptions,
  ClientProcess,
} from "./driver/host/client_process.ts";
import { systemClock } from "./driver/host/system_clock.ts";
import { systemReader } from "./driver/host/system_reader.ts";
import { VERSION } from "./driver/host/version.ts";
import { BootMouse } from "./driver/sim/devices/boot_mouse.ts";
import { CdcAcmEcho } from "./driver/sim/devices/cdc_acm_echo.ts";
import {
  MisbehavingInstrument,
  MISCHIEF_NAMES,
} from "./driver/sim/devices/misbehaving.ts";
import { Loopback } from "./driver/sim/devices/loopback.ts";
import { VirtualMultimeter } from "./driver/sim/devices/multimeter.ts";
import { SimulatedPort } from "./driver/sim/simulated_port.ts";
import { seededRandom, VirtualBus } from "./driver/sim/virtual_bus.ts";
import type { VirtualDevice } from "./driver/sim/virtual_device.ts";
import { libraryCandidates, openLibrary } from "./ffi/library.ts";
import { LibusbPort } from "./ffi/libusb_port.ts";
import { landlockAbi } from "./ffi/linux/landlock.ts";
import { Libc } from "./ffi/linux/libc.ts";
import { filterRefusal } from "./ffi/linux/seccomp_available.ts";
import {
  type Availability,
  isNotifyAvailable,
  isPreloadAvailable,
} from "./ffi/linux/virtual_bus_available.ts";
import { confinedClients } from "./ffi/linux/virtual_bus_confined.ts";
import type {
  BusTransport,
  ClientCommand,
  ClientProcess as BusClient,
} from "./ffi/linux/virtual_bus_process.ts";
import { showBus } from "./ffi/linux/virtual_bus_simulate.ts";

/** A virtual device, and how to make one. */
interface DeviceKind extends VirtualDeviceKind {
  /** `variant` is one of its variants, if it has any. */
  readonly make: (variant: string | undefined) => VirtualDevice;
}

const DEVICES: readonly DeviceKind[] = [
  {
    name: "multimeter",
    description: "USB488 multimeter with SCPI, service requests and noise",
    suggests: {
      usbtmc: [
        "poll=MEASure:VOLTage:DC?",
        "poll-interval-ms=250",
        "service-request=true",
      ],
    },
    make: () => new VirtualMultimeter(),
  },
  {
    name: "misbehaving",
    description: "An instrument that breaks USBTMC as field reports tell",
    variants: MISCHIEF_NAMES,
    make: makeMisbehaving,
  },
  {
    name: "loopback",
    description: "Source, sink, echo, interrupt and isochronous endpoints",
    make: () => new Loopback(),
  },
  {
    name: "mouse",
    description: "Boot protocol mouse that moves in a circle",
    make: () => new BootMouse(),
  },
  {
    name: "serial",
    description: "CDC-ACM serial port that echoes",
    make: () => new CdcAcmEcho(),
  },
];

function makeMisbehaving(variant: string | undefined): VirtualDevice {
  const mischief = MISCHIEF_NAMES.find((name) => name === variant);
  return new MisbehavingInstrument(
    mischief === undefined ? {} : { mischief, isHabit: true },
  );
}

/** Everything commands use that reaches hardware or simulates it. */
function makeToolbox(): Toolbox {
  return {
    version: VERSION,
    drivers: [{
      driver: usbtmc,
      moduleUrl: new URL("./driver/class/usbtmc/driver.ts", import.meta.url)
        .href,
    }],
    virtualDevices: DEVICES,
    driverProcessUrl: new URL("./ffi/driver_process.ts", import.meta.url).href,
    confinedProcessUrl:
      new URL("./ffi/confined_process.ts", import.meta.url).href,
    safeStateUrl: new URL("./ffi/safe_state_process.ts", import.meta.url).href,
    watchUrl: new URL("./ffi/watch_process.ts", import.meta.url).href,
    libraryCandidates: libraryCandidates(Deno.build),
    launcherUrl: new URL("./ffi/linux/launcher_main.ts", import.meta.url).href,
    system: systemReader(),
    findLibrary,
    openPort: (libraryPath) =>
      LibusbPort.open(libraryPath === undefined ? {} : { libraryPath }),
    startBus,
    sandboxFacts,
  };
}

function findLibrary(given?: string): FoundLibrary {
  const { path, version, warning, close } = openLibrary(
    given === undefined ? {} : { path: given },
  );
  close();
  return {
    path,
    version: version.text,
    ...(warning === undefined ? {} : { warning }),
  };
}

async function startBus(
  names: readonly string[],
  transport: "preload" | "notify",
): Promise<RunningBus> {
  const bus = new VirtualBus({
    clock: systemClock(),
    random: seededRandom(crypto.getRandomValues(new Uint32Array(1))[0] ?? 1),
  });
  for (const name of names) {
    const [base, variant] = name.split(":");
    const kind = DEVICES.find((device) => device.name === base);
    if (kind !== undefined) bus.plug(kind.make(variant));
  }
  const port = new SimulatedPort(bus);
  const shown = await showBus(bus, { transport });
  return {
    ...virtualProfile(shown),
    transport: shown.name,
    devices: () => port.devices(),
    spawn: (command, options) => spawnOn(shown, command, options),
    [Symbol.asyncDispose]: async () => {
      await shown.close();
      await port.close();
      bus.close();
    },
  };
}

/** What a driver of the profile `virtual` needs. */
function virtualProfile(
  bus: BusTransport,
): Pick<RunningBus, "access" | "spawnVirtual"> {
  const confined = confinedClients(bus);
  if (confined === undefined) return {};
  return {
    access: confined.access,
    spawnVirtual: async (commandFor) => {
      let stdio: ClientOptions["stdio"] = "inherit";
      const client = await confined.spawn((access) => {
        const { line, ...options } = commandFor(access);
        stdio = options.stdio;
        return busCommand(line, options);
      });
      return asClient(client, stdio);
    },
  };
}

async function spawnOn(
  bus: BusTransport,
  command: readonly string[],
  options: ClientOptions,
): Promise<ClientProcess> {
  const client = await bus.spawn(busCommand(command, options));
  return asClient(client, options.stdio);
}

function busCommand(
  command: readonly string[],
  { stdio, env }: ClientOptions,
): ClientCommand {
  const [program = "", ...args] = command;
  return {
    program,
    args,
    stdin: stdio,
    stdout: stdio,
    stderr: stdio,
    ...(env === undefined ? {} : { env, clearEnv: true }),
  };
}

function asClient(
  client: BusClient,
  stdio: ClientOptions["stdio"],
): ClientProcess {
  const { child, status } = client;
  const isPiped = stdio === "piped";
  return {
    pid: child.pid,
    stdin: isPiped ? child.stdin : undefined,
    stdout: isPiped ? child.stdout : undefined,
    stderr: isPiped ? child.stderr : undefined,
    status,
    kill: (signal) => client.kill(signal),
  };
}

async function sandboxFacts(): Promise<SandboxFacts> {
  const [preload, notify] = await Promise.all([
    isPreloadAvailable(),
    isNotifyAvailable(),
  ]);
  return {
    ...readLayers(),
    transports: { preload: whyNot(preload), notify: whyNot(notify) },
  };
}

function whyNot(availability: Availability): string {
  return availability.isAvailable ? "" : availability.reason;
}

function readLayers(): Pick<SandboxFacts, "landlockAbi" | "seccomp"> {
  const none = { landlockAbi: 0, seccomp: "ENOSYS" };
  if (Deno.build.os !== "linux") return none;
  try {
    using libc = Libc.open("libc.so.6");
    return {
      landlockAbi: landlockAbi(libc),
      seccomp: filterRefusal(libc, { hasListener: false }) ?? "",
    };
  } catch {
    return none;
  }
}

if (import.meta.main) {
  const parts = { toolbox: makeToolbox(), io: processIo() };
  Deno.exit(await runCli(Deno.args, parts));
}
