/**
 * Runs a command in a User Mode Linux guest: a process tree of the host, with
 * no emulation and none of QEMU's devices.
 */

import { guestScript } from "./guest_script.ts";
import { EXIT_TIMEOUT, type GuestRun } from "./qemu_guest.ts";

/** Runs `command` in the guest and gives its exit code. */
export async function runInUml(
  { options, cache, output }: GuestRun,
  command: readonly string[],
): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "lab-" });
  const share = await Deno.realPath(options.share);
  const script = guestScript(options, command).join("\n");
  await Deno.writeTextFile(`${folder}/script`, script);
  // On one CPU: kernel and processes only ever take turns here, and a turn
  // across CPUs costs several times as much. In a process group of its own, so
  // that its helpers end with it.
  const cpu = Deno.pid % navigator.hardwareConcurrency;
  const uml = new Deno.Command("taskset", {
    // deno-fmt-ignore
    args: [
      "-c", `${cpu}`, "setsid", `${cache}/linux-uml`,
      `mem=${options.mem}`, `uml_dir=${folder}/`, "root=/dev/root",
      "rootfstype=hostfs", `rootflags=${cache}/root`, "ro",
      "init=/sbin/lab-init-uml", `lab_dir=${folder}`, `lab_share=${share}`,
      "con=null", "con0=null,fd:1", "con1=null,fd:2", "quiet", "loglevel=0",
      ...options.append,
    ],
    env: { TMPDIR: "/dev/shm" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const end = (): void => endGroup(uml.pid);
  const timer = setTimeout(end, options.timeoutSeconds * 1_000);
  for (const signal of SIGNALS) Deno.addSignalListener(signal, end);
  try {
    await Promise.all([
      copy(uml.stdout, (chunk) => output.out(chunk)),
      copy(uml.stderr, (chunk) => output.err(chunk)),
      uml.status,
    ]);
    const code = await Deno.readTextFile(`${folder}/exit`)
      .catch(() => `${EXIT_TIMEOUT}`);
    if (options.console) {
      console.error(
        await Deno.readTextFile(`${folder}/console`).catch(() => ""),
      );
    }
    return Number(code);
  } finally {
    clearTimeout(timer);
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, end);
    end();
    await Deno.remove(folder, { recursive: true });
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

async function copy(
  from: ReadableStream<Uint8Array>,
  to: (chunk: Uint8Array) => void,
): Promise<void> {
  for await (const chunk of from) to(chunk);
}

function endGroup(leader: number): void {
  try {
    Deno.kill(-leader, "SIGKILL");
  } catch {
    // It had ended.
  }
}
