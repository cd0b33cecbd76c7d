/** The QEMU machine: its command line, and a snapshot of it ready to run. */

import type { LabOptions } from "./options.ts";
import { connectUnix, delay, Qmp, readLines } from "./qmp.ts";

/**
 * Guest memory is not part of the state file: it stays in the file behind it,
 * and a restore maps that copy-on-write.
 */
export const IGNORE_SHARED = {
  capabilities: [{ capability: "x-ignore-shared", state: true }],
};

/** What a machine is made of besides its options. */
export interface MachineFiles {
  readonly cache: string;
  /** Folder for this run's sockets. */
  readonly folder: string;
  readonly share: string;
  /** File behind the guest's memory. */
  readonly ram: string;
  /** Changes of memory go to the file: for taking a snapshot. */
  readonly keepRam: boolean;
}

const KERNEL_COMMAND_LINE = [
  "console=ttyS0",
  "panic=-1",
  "quiet",
  "mitigations=off",
  "nokaslr",
  "tsc=reliable",
  "audit=0",
  "apparmor=0",
  "cryptomgr.notests",
  "random.trust_cpu=on",
].join(" ");

/** The part of QEMU's command line that a snapshot is bound to. */
export function machineArguments(
  options: LabOptions,
  files: MachineFiles,
): string[] {
  const { cache, folder, ram, keepRam, share } = files;
  const { cpu, mem, smp } = options;
  const memory =
    `memory-backend-file,id=ram,size=${mem},mem-path=${ram},share=${
      keepRam ? "on" : "off"
    }`;
  // deno-fmt-ignore
  return [
    "-nodefaults", "-display", "none", "-no-reboot",
    "-cpu", cpu, "-smp", smp, "-m", mem,
    "-accel", "tcg,thread=multi,tb-size=512",
    "-object", memory,
    "-machine", "q35,memory-backend=ram,hpet=off",
    "-kernel", `${cache}/vmlinux`, "-initrd", `${cache}/initrd.cpio`,
    "-append", KERNEL_COMMAND_LINE,
    "-drive", `file=${cache}/root.erofs,if=virtio,format=raw,readonly=on`,
    "-serial", `file:${folder}/console`,
    "-fsdev", `local,id=work,path=${share},security_model=none,multidevs=remap`,
    "-device", "virtio-9p-pci,fsdev=work,mount_tag=work",
    "-device", "virtio-serial-pci,id=vs",
    ...serialPort("ctl", folder), ...serialPort("out", folder),
    ...serialPort("err", folder),
    // A monitor that the guest can use: QEMU's own socket, joined to a port.
    "-chardev", `socket,id=mon,path=${folder}/mon,server=on,wait=off`,
    "-mon", "chardev=mon,mode=control",
    "-chardev", `socket,id=gmon,path=${folder}/mon`,
    "-device", "virtserialport,bus=vs.0,chardev=gmon,name=lab.qmp",
    "-qmp", `unix:${folder}/qmp,server=on,wait=off`,
    "-device", "qemu-xhci,id=xhci,p2=15,p3=15",
  ];
}

function serialPort(id: string, folder: string): string[] {
  return [
    "-chardev",
    `socket,id=${id},path=${folder}/${id},server=on,wait=off`,
    "-device",
    `virtserialport,bus=vs.0,chardev=${id},name=lab.${id}`,
  ];
}

/** Starts QEMU; whoever starts it ends it. */
export function startQemu(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command("qemu-system-x86_64", {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

/** Boots to the guest's "ready" and stores memory and device state; gives their folder. */
export async function snapshot(
  options: LabOptions,
  cache: string,
): Promise<string> {
  const name = [options.smp, options.mem, options.cpu].join("-");
  const folder = `${cache}/snap-${name.replace(/[^\w.-]/g, "_")}`;
  if (await exists(`${folder}/state`)) return folder;
  const temporary = await Deno.makeTempDir({ dir: cache, prefix: "new-" });
  console.error("lab: booting the guest, to take a snapshot");
  const qemu = startQemu(machineArguments(options, {
    cache,
    folder: temporary,
    share: "/",
    ram: `${temporary}/ram`,
    keepRam: true,
  }));
  try {
    await store(temporary);
    await qemu.status;
    // Another run may have been first; then this one is not needed.
    await Deno.rename(temporary, folder).catch(() =>
      Deno.remove(temporary, { recursive: true })
    );
  } catch (error) {
    endProcess(qemu);
    throw error;
  }
  return folder;
}

async function store(folder: string): Promise<void> {
  const qmp = await Qmp.open(`${folder}/qmp`);
  const control = readLines((await connectUnix(`${folder}/ctl`)).readable);
  const { value } = await control.read();
  if (value !== "ready") {
    throw new Error(`The guest said "${value}"; see ${folder}/console`);
  }
  await qmp.command("stop");
  await qmp.command("migrate-set-capabilities", IGNORE_SHARED);
  await qmp.command("migrate", { uri: `exec:cat >${folder}/state` });
  while ((await qmp.command("query-migrate")).status !== "completed") {
    await delay(20);
  }
  await qmp.command("quit");
}

/** Ends a process that may have ended already. */
export function endProcess(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It had ended.
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
