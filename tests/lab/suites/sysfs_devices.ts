/** Devices as the guest's kernel shows them in sysfs. */

const DEVICES = "/sys/bus/usb/devices";
/** Enumeration takes the kernel some 300 ms, more on a busy machine. */
const WAIT_MS = 20_000;

/** A device the kernel has enumerated. */
export interface SysfsDevice {
  /** `3-1`. */
  readonly name: string;
  /** `/dev/bus/usb/003/002`. */
  readonly nodePath: string;
  readonly deviceAddress: number;
  readonly busNumber: number;
}

/** Reads an attribute of a device or interface; `undefined` where it has none. */
export function attribute(name: string, file: string): string | undefined {
  try {
    return Deno.readTextFileSync(`${DEVICES}/${name}/${file}`).trim();
  } catch {
    return undefined;
  }
}

/** Name of the kernel driver bound to an interface: `usbhid`. */
export function driverOf(
  device: string,
  interfaceNumber: number,
  configuration = 1,
): string | undefined {
  const path =
    `${DEVICES}/${device}:${configuration}.${interfaceNumber}/driver`;
  try {
    return Deno.readLinkSync(path).split("/").at(-1);
  } catch {
    return undefined;
  }
}

/** The device with these ids, `1209:0001`, that is there and configured. */
export function findDevice(ids: string): SysfsDevice | undefined {
  const [vendor, product] = ids.split(":");
  for (const { name } of Deno.readDirSync(DEVICES)) {
    if (attribute(name, "idVendor") !== vendor) continue;
    if (attribute(name, "idProduct") !== product) continue;
    if ((attribute(name, "bConfigurationValue") ?? "") === "") continue;
    const busNumber = Number(attribute(name, "busnum"));
    const deviceAddress = Number(attribute(name, "devnum"));
    const number = (value: number): string => `${value}`.padStart(3, "0");
    const nodePath = `/dev/bus/usb/${number(busNumber)}/${
      number(deviceAddress)
    }`;
    return { name, busNumber, deviceAddress, nodePath };
  }
  return undefined;
}

/** Names of the devices on vhci_hcd's buses, root hubs left out. */
export function exportedDevices(): string[] {
  return [...Deno.readDirSync(DEVICES)].map(({ name }) => name)
    .filter((name) => /^\d+-[\d.]+$/.test(name) && isExported(name));
}

function isExported(name: string): boolean {
  try {
    return Deno.readLinkSync(`${DEVICES}/${name}`).includes("/vhci_hcd");
  } catch {
    return false; // it has left meanwhile
  }
}

/** Waits for it. */
export async function waitForDevice(ids: string): Promise<SysfsDevice> {
  let found: SysfsDevice | undefined;
  await until(`device ${ids}`, () => {
    found = findDevice(ids);
    return found !== undefined && exists(found.nodePath);
  });
  return found as SysfsDevice;
}

/** Waits until something holds. */
export async function until(
  what: string,
  holds: () => boolean,
): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  while (!holds()) {
    if (performance.now() > endMs) {
      throw new Error(`Waited ${WAIT_MS} ms in vain: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Runs a program to its end. */
export async function run(...command: string[]): Promise<string> {
  const [program = "", ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program, { args })
    .output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`${command.join(" ")}: ${decoder.decode(stderr)}`);
  }
  return decoder.decode(stdout);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isCharDevice === true;
  } catch {
    return false;
  }
}
