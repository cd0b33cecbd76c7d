/** Who is measured: how each is prepared, started, and how much it is given to do. */

import { BundleError } from "../../driver/host/bundle.ts";
import {
  heapFlag,
  MALLOC_TUNABLES,
} from "../../driver/host/sandbox_policy_command.ts";
import { type Case, isForMapped, isPromised } from "./cases.ts";

/** A peer as a command; `undefined` from `prepare` means it cannot be had here. */
export interface Peer {
  readonly name: string;
  /** Part of C's transfers it is given, so that rounds take similar times. */
  readonly share: number;
  /**
   * Part of its transfers that come first and are not counted. All for those that
   * compile while they run; the others only have caches to warm.
   */
  readonly warmUp?: number;
  /** Runs under the trap of `fake_usbfs.c`, and is compared with C under the trap. */
  readonly isTrapped?: boolean;
  /** The deepest queue it can keep. */
  readonly depthMax?: number;
  readonly isochronous: boolean;
  /** The cases it is for; default all. */
  readonly does?: (c: Case) => boolean;
  /** Makes it ready; gives the command, or why it is absent. */
  readonly prepare: (
    folder: string,
  ) => Promise<
    { readonly command: readonly string[] } | { readonly absent: string }
  >;
}

const here = new URL(".", import.meta.url).pathname;

/** Runs a command to its end; gives its output, or what it said when it failed. */
export async function run(
  command: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<{ readonly ok: boolean; readonly text: string }> {
  const [program = "", ...args] = command;
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      ...options,
    }).output();
    const text = new TextDecoder().decode(success ? stdout : stderr);
    return { ok: success, text: text.trim() };
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : "" };
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function lastLine(text: string): string {
  return text.split("\n").at(-1) ?? "";
}

async function compileC(
  folder: string,
): ReturnType<Peer["prepare"]> {
  const binary = `${folder}/client`;
  const compiler = await run(
    ["cc", "-O2", "-o", binary, `${here}client.c`, "-lusb-1.0"],
  );
  return compiler.ok
    ? { command: [binary] }
    : { absent: `cc: ${lastLine(compiler.text)}` };
}

/** Debian's Python, where Debian's packages are. */
const PYTHON = "/usr/bin/python3";

function python(module: string, script: string): Peer["prepare"] {
  return async () => {
    const found = await run([PYTHON, "-c", `import ${module}`]);
    return found.ok
      ? { command: [PYTHON, `${here}${script}`] }
      : { absent: `${module} is not installed for ${PYTHON}` };
  };
}

function npm(version: string, design: string): Peer["prepare"] {
  return async (folder) => {
    const home = `${folder}/npm-usb-${version}`;
    if (!await exists(`${home}/node_modules/usb`)) {
      await Deno.mkdir(home, { recursive: true });
      await Deno.writeTextFile(`${home}/package.json`, '{ "private": true }\n');
      const install = await run(["npm", "install", `usb@${version}`], {
        cwd: home,
      });
      if (!install.ok) return { absent: `npm: ${lastLine(install.text)}` };
    }
    const node = await run(["node", "--version"]);
    if (!node.ok) return { absent: "node is not installed" };
    return { command: ["node", `${here}client_node.cjs`, design, home] };
  };
}

/** Where the fake device's node is looked for. */
const NODE = "/dev/bus/usb/001/002";

/** A script of ours under the flags a driver has, with memory as a driver gets it: libusb by its path, one node. */
export function scopedDeno(
  library: string,
  script: string,
  more: {
    readonly files?: readonly string[];
    readonly flags?: readonly string[];
  } = {},
): string[] {
  const paths = [NODE, ...more.files ?? []].join(",");
  return [
    "env",
    `GLIBC_TUNABLES=${MALLOC_TUNABLES}`,
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    "--no-check",
    heapFlag(),
    ...more.flags ?? [],
    `--allow-ffi=${library}`,
    `--allow-read=${paths}`,
    `--allow-write=${paths}`,
    `${here}${script}`,
  ];
}

function ours(design: string): Peer["prepare"] {
  return async () => {
    const { findLibrary } = await import("./client_support.ts");
    const library = findLibrary();
    if (library === undefined) return { absent: "libusb-1.0 is not installed" };
    return {
      command: [...scopedDeno(library, "client.ts"), design, library],
    };
  };
}

/** The zero-latency usbfs, compiled. */
export function fakeLibrary(folder: string): string {
  return `${folder}/fake_usbfs.so`;
}

/** Our own client behind the launcher, Landlock, the filter and stage 2. */
export const SANDBOXED = "driverspace, sandboxed";

async function sandboxed(folder: string): ReturnType<Peer["prepare"]> {
  const { findLibrary } = await import("./client_support.ts");
  const { confinedCommand } = await import("./confined.ts");
  const library = findLibrary();
  if (library === undefined) return { absent: "libusb-1.0 is not installed" };
  const fake = fakeLibrary(folder);
  const places = { library, fake, folder, nodePath: NODE };
  try {
    return { command: await confinedCommand(places, "input") };
  } catch (error) {
    // The bundler is fetched on its first use, which needs the network.
    if (!(error instanceof BundleError)) throw error;
    return { absent: lastLine(error.message) };
  }
}

/** What our own client costs at least: the native calls alone. */
export const FLOOR = "floor: native calls";

/** The same with the kernel's buffers mapped here: what they would gain. */
export const MAPPED_FLOOR = "floor: mapped buffers";

function floor(...options: readonly string[]): Peer["prepare"] {
  return async () => {
    const { findLibrary } = await import("./client_support.ts");
    const library = findLibrary();
    if (library === undefined) return { absent: "libusb-1.0 is not installed" };
    const command = [...scopedDeno(library, "floor.ts"), library, ...options];
    return { command };
  };
}

/** Nothing of it is compiled while it runs. */
const COMPILED = 0.05;

/** Everyone, C first: it is in every round. */
export const PEERS: readonly Peer[] = [
  {
    name: "C",
    share: 1,
    warmUp: COMPILED,
    isochronous: true,
    prepare: compileC,
  },
  { name: "driverspace", share: 1, isochronous: true, prepare: ours("input") },
  {
    name: SANDBOXED,
    share: 1,
    isochronous: true,
    does: isPromised,
    prepare: sandboxed,
  },
  {
    name: "driverspace, fresh buffers",
    share: 0.3,
    isochronous: true,
    prepare: ours("fresh"),
  },
  { name: FLOOR, share: 1, isochronous: true, prepare: floor() },
  {
    name: MAPPED_FLOOR,
    share: 1,
    isochronous: false,
    does: isForMapped,
    prepare: floor("mapped"),
  },
  {
    name: "npm usb 2, buffer reused",
    share: 0.1,
    isochronous: false,
    prepare: npm("2.18", "usb2-reuse"),
  },
  {
    name: "npm usb 2",
    share: 0.03,
    isochronous: false,
    prepare: npm("2.18", "usb2"),
  },
  {
    name: "python-libusb1",
    share: 0.15,
    warmUp: COMPILED,
    isochronous: true,
    prepare: python("usb1", "client_libusb1.py"),
  },
  {
    name: "pyusb",
    share: 0.1,
    warmUp: COMPILED,
    depthMax: 1,
    isochronous: false,
    prepare: python("usb.core", "client_pyusb.py"),
  },
  {
    name: "C, trapped",
    share: 0.2,
    warmUp: COMPILED,
    isTrapped: true,
    isochronous: true,
    prepare: compileC,
  },
  {
    name: "npm usb 3, trapped",
    share: 0.02,
    isTrapped: true,
    depthMax: 1,
    isochronous: false,
    prepare: npm("3", "usb3"),
  },
];
