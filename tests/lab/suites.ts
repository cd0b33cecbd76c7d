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

/** All of them. */
export const SUITES: readonly Suite[] = [
  {
    name: "kernel",
    title: "what the emulation takes from a real usbfs",
    entry: "suites/kernel_facts.ts",
    programs: { device_worker: "tests/lab/programs/device_worker.ts" },
  },
];
