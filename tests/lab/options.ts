/** What a run of the lab can be told, and how it is said on a command line. */

import { parseArgs } from "../../driver/std.ts";

/** Usage text of `lab.ts`. */
export const USAGE = `lab.ts build [--uml] | run [options] -- COMMAND [ARG...]

  --device D      plug a QEMU device in first, e.g. usb-tablet (repeatable)
  --qemu ARG      hand ARG to QEMU as it is (repeatable)
  --modprobe M    load a kernel module, e.g. "dummy_hcd is_super_speed=1" (repeatable)
  --share DIR     folder to mount at the same path, read and write (default: working directory)
  --env K=V       set a variable for COMMAND (repeatable)
  --user          run COMMAND as an ordinary user (uid 1000) instead of root
  --qmp PATH      leave a second QMP socket at PATH on the host
  --no-snapshot   boot from scratch instead of restoring the snapshot
  --uml           a User Mode Linux guest: no emulation, but no xHCI and none of
                  QEMU's devices: dummy_hcd, vhci_hcd and gadgets only
  --append ARG    hand ARG to the UML kernel, e.g. dummy_hcd.is_super_speed=1 (repeatable)
  --smp N --mem SIZE --cpu MODEL     the machine (default 2, 1G, max)
  --timeout S     end the guest after S seconds, exit code 124 (default 600)
  --time          print when each stage was reached
  --console       print the guest's kernel log afterwards

COMMAND runs in the guest in the same directory. Its output, and its exit code,
become those of lab. /dev/virtio-ports/lab.qmp in the guest is the monitor (QMP)
of the guest's own machine.`;

/** How a guest is made and what runs in it. */
export interface LabOptions {
  readonly device: readonly string[];
  readonly qemu: readonly string[];
  readonly modprobe: readonly string[];
  readonly env: readonly string[];
  readonly append: readonly string[];
  readonly share: string;
  readonly workingFolder: string;
  readonly qmp: string;
  readonly smp: string;
  readonly mem: string;
  readonly cpu: string;
  readonly timeoutSeconds: number;
  readonly user: boolean;
  readonly snapshot: boolean;
  readonly uml: boolean;
  readonly time: boolean;
  readonly console: boolean;
}

/** Where a guest's output goes. */
export interface Output {
  out(chunk: Uint8Array): void;
  err(chunk: Uint8Array): void;
}

/** What holds unless something else is said. */
export function defaultOptions(folder: string): LabOptions {
  return {
    device: [],
    qemu: [],
    modprobe: [],
    env: [],
    append: [],
    share: folder,
    workingFolder: folder,
    qmp: "",
    smp: "2",
    mem: "1G",
    cpu: "max",
    timeoutSeconds: 600,
    user: false,
    snapshot: true,
    uml: false,
    time: false,
    console: false,
  };
}

/** @throws {RangeError} On an option it does not know. */
export function parseOptions(
  args: readonly string[],
): { readonly options: LabOptions; readonly command: readonly string[] } {
  const end = args.indexOf("--");
  const command = end < 0 ? [] : args.slice(end + 1);
  const parsed = parseArgs(end < 0 ? [...args] : args.slice(0, end), {
    string: ["share", "qmp", "smp", "mem", "cpu", "timeout"].concat(LISTS),
    boolean: ["user", "snapshot", "uml", "time", "console"],
    negatable: ["snapshot"],
    collect: LISTS,
    unknown: (argument: string): never => {
      throw new RangeError(`Unknown option ${argument}\n\n${USAGE}`);
    },
  }) as Record<string, unknown>;
  const given = Object.fromEntries(
    Object.entries(parsed).filter(([name, value]) =>
      name !== "_" && name !== "timeout" && value !== undefined &&
      !(name === "snapshot" && !args.includes("--no-snapshot"))
    ),
  );
  const options = { ...defaultOptions(Deno.cwd()), ...given };
  const { timeout } = parsed;
  if (timeout === undefined) return { options, command };
  return { options: { ...options, timeoutSeconds: Number(timeout) }, command };
}

const LISTS = ["device", "qemu", "modprobe", "env", "append"];
