/** What `deno task lab` runs, in this order. */

/** Tests that share a guest. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  /** The test file, below `tests/lab/`. */
  readonly entry: string;
  /** Programs it starts: name in the guest's folder to source, from the root. */
  readonly programs?: Readonly<Record<string, string>>;
  /** QEMU devices to plug in first. */
  readonly devices?: readonly string[];
  /** Run by an ordinary user. */
  readonly user?: boolean;
}

const DEVICE_WORKER = {
  device_worker: "tests/lab/programs/device_worker.ts",
} as const;

/** All of them. */
export const SUITES: readonly Suite[] = [
  {
    name: "gadget",
    title: "libusb on the kernel's gadget: source, sink, loopback, HID",
    entry: "suites/gadget.ts",
  },
  {
    name: "contract",
    title: "the port contract, on the loopback device by USB/IP",
    entry: "suites/port_contract.ts",
    programs: DEVICE_WORKER,
  },
  {
    name: "multimeter",
    title: "the virtual multimeter by USB/IP, and the usbtmc client",
    entry: "suites/multimeter.ts",
    programs: DEVICE_WORKER,
  },
  {
    name: "sandbox",
    title: "the sandboxed driver: Landlock, seccomp and the interface mask",
    entry: "suites/sandbox.ts",
    programs: {
      ...DEVICE_WORKER,
      launcher: "ffi/linux/launcher_main.ts",
      bus_driver: "tests/sandbox/bus_driver.ts",
      raw_driver: "tests/lab/programs/raw_driver.ts",
      driverspace: "tests/lab/programs/driverspace.ts",
      watch: "ffi/watch_process.ts",
      safe_state: "ffi/safe_state_process.ts",
      usbtmc_driver: "tests/lab/programs/usbtmc_driver.ts",
    },
  },
  {
    name: "kernel",
    title: "what the emulation takes from a real usbfs",
    entry: "suites/kernel_facts.ts",
    programs: DEVICE_WORKER,
  },
];
