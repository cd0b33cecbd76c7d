import { assert, assertEquals } from "../../../driver/std.ts";
import {
  ALLOWED_CALLS,
  CHECKED_CALLS,
  FATAL_CALLS,
  STAGE2_PATH_CALLS,
  VIRTUAL_CALLS,
} from "../../../driver/host/sandbox_policy_calls.ts";
import {
  USB_REQUESTS,
  USB_REQUESTS_NEVER,
  USB_REQUESTS_OF_THE_LAUNCHER,
  USB_REQUESTS_ON_DEMAND,
} from "../../../driver/host/sandbox_policy_requests.ts";
import { ERRNO, errnoName } from "../../../ffi/linux/errno.ts";
import { openFlags } from "../../../ffi/linux/file_status.ts";
import {
  isSyscallName,
  syscallNumber,
  SYSCALLS,
} from "../../../ffi/linux/syscalls.ts";

/** linux-libc-dev; the second is what aarch64 has. */
const X86_64_HEADER = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
const USBFS = ["/usr/bin/gcc", "/usr/include/linux/usbdevice_fs.h"];
const GENERIC_HEADER = "/usr/include/asm-generic/unistd.h";
const ERRNO_HEADERS = [
  "/usr/include/asm-generic/errno-base.h",
  "/usr/include/asm-generic/errno.h",
];

/** `#define __NR_x N` and, one step further, `#define __NR_x __NR3264_y`; the 64-bit part comes first. */
function numbersIn(header: string): Map<string, number> {
  const raw = new Map<string, string>();
  const define = /^#\s*define\s+(__NR(?:3264)?_\w+)\s+(\w+)/gm;
  for (const [, name = "", value = ""] of header.matchAll(define)) {
    if (!raw.has(name)) raw.set(name, value);
  }
  const numbers = new Map<string, number>();
  for (const [name, value] of raw) {
    const number = Number(raw.get(value) ?? value);
    if (name.startsWith("__NR_") && Number.isInteger(number)) {
      numbers.set(name.slice("__NR_".length), number);
    }
  }
  return numbers;
}

function compare(
  header: string,
  architecture: "x86_64" | "aarch64",
): { compared: number; wrong: string[] } {
  const numbers = numbersIn(header);
  const wrong: string[] = [];
  let compared = 0;
  for (const name of Object.keys(SYSCALLS)) {
    assert(isSyscallName(name));
    const ours = syscallNumber(name, architecture);
    const theirs = numbers.get(name);
    // A header older than a call does not have it; a call it has must agree.
    if (theirs === undefined && (ours ?? 0) >= 424) continue;
    compared++;
    if (ours !== theirs) wrong.push(`${name}: ${ours}, header ${theirs}`);
  }
  return { compared, wrong };
}

/** linux-libc-dev-arm64-cross: what aarch64 itself includes, on any machine. */
const AARCH64_HEADERS = "/usr/aarch64-linux-gnu/include";
const hasAarch64 = exists(`${AARCH64_HEADERS}/asm/unistd.h`) &&
  exists("/usr/bin/gcc");
const noAarch64 = hasAarch64
  ? ""
  : " [not run: needs gcc and linux-libc-dev-arm64-cross]";

/** Every macro of a header as aarch64 has it. */
async function aarch64Macros(header: string): Promise<string> {
  const include = ["-nostdinc", `-I${AARCH64_HEADERS}`, "-include", header];
  const args = ["-E", "-dM", ...include, "-x", "c", "/dev/null"];
  return await run("/usr/bin/gcc", args);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Behind the name of a test: which file it needs and has not. */
function without(...paths: readonly string[]): string {
  const missing = paths.find((path) => !exists(path));
  return missing === undefined ? "" : ` [not run: needs ${missing}]`;
}

Deno.test({
  name: `System call numbers of x86_64 equal the kernel's header${
    without(X86_64_HEADER)
  }`,
  ignore: without(X86_64_HEADER) !== "",
  fn(): void {
    const header = Deno.readTextFileSync(X86_64_HEADER);
    const { compared, wrong } = compare(header, "x86_64");
    assertEquals(wrong, []);
    assert(compared > 180, `${compared} compared`);
  },
});

Deno.test({
  name: `System call numbers of aarch64 equal the kernel's generic header${
    without(GENERIC_HEADER)
  }`,
  ignore: without(GENERIC_HEADER) !== "",
  fn(): void {
    const header = Deno.readTextFileSync(GENERIC_HEADER);
    const { compared, wrong } = compare(header, "aarch64");
    // Calls of the generic table's optional parts, which aarch64 does not take.
    assertEquals(
      wrong.filter((line) => !/^(renameat|umount2):/.test(line)),
      [],
    );
    assert(compared > 150, `${compared} compared`);
  },
});

Deno.test({
  name: `System call numbers of aarch64 equal its own headers${noAarch64}`,
  ignore: !hasAarch64,
  async fn(): Promise<void> {
    const macros = await aarch64Macros("asm/unistd.h");
    const { compared, wrong } = compare(macros, "aarch64");
    assertEquals(wrong, []);
    assert(compared > 150, `${compared} compared`);
  },
});

Deno.test({
  name: `Flags to open files by equal aarch64's own headers${noAarch64}`,
  ignore: !hasAarch64,
  async fn(): Promise<void> {
    const macros = await aarch64Macros("asm/fcntl.h");
    const values = new Map(
      [...macros.matchAll(/^#define O_(\w+) 0*([0-7]+)$/gm)].map((
        [, name = "", octal = ""],
      ) => [name, parseInt(octal, 8)]),
    );
    const flags = openFlags({ architecture: "aarch64" });
    for (const [name, value] of Object.entries(flags)) {
      assertEquals(values.get(name), value, name);
    }
  },
});

Deno.test({
  name: `Error numbers equal the kernel's headers${without(...ERRNO_HEADERS)}`,
  ignore: without(...ERRNO_HEADERS) !== "",
  fn(): void {
    const text = ERRNO_HEADERS.map((path) => Deno.readTextFileSync(path)).join(
      "\n",
    );
    const numbers = new Map(
      [...text.matchAll(/^#define\s+(E\w+)\s+(\d+)/gm)].map((
        [, name, number],
      ) => [name, Number(number)]),
    );
    for (const [name, number] of Object.entries(ERRNO)) {
      assertEquals(numbers.get(name), number, name);
    }
    assertEquals(errnoName(13), "EACCES");
    assertEquals(errnoName(250), "errno 250");
  },
});

Deno.test("Every call the policy names has a number, and one verdict only", () => {
  const allowed = ALLOWED_CALLS.flatMap(({ calls }) => calls);
  const checked = CHECKED_CALLS.map(({ call }) => call);
  const virtual = VIRTUAL_CALLS.calls;
  const all = [...allowed, ...checked, ...FATAL_CALLS, ...virtual];
  assertEquals(all.filter((name) => !isSyscallName(name)), []);
  assertEquals(new Set(all).size, all.length);
  assertEquals(STAGE2_PATH_CALLS.filter((name) => !isSyscallName(name)), []);
});

const REQUESTS = [
  ...USB_REQUESTS.map(({ name, number }) => [name, number] as const),
  ...Object.values(USB_REQUESTS_ON_DEMAND).flat().map(({ name, number }) =>
    [name, number] as const
  ),
  ...Object.entries(USB_REQUESTS_OF_THE_LAUNCHER),
  ...Object.entries(USB_REQUESTS_NEVER),
];

Deno.test("No request is granted twice, nor granted and forbidden", () => {
  assertEquals(new Set(REQUESTS.map(([name]) => name)).size, REQUESTS.length);
  assertEquals(
    new Set(REQUESTS.map(([, number]) => number)).size,
    REQUESTS.length,
  );
});

Deno.test({
  name: `ioctl requests of usbfs equal the C compiler's${without(...USBFS)}`,
  ignore: without(...USBFS) !== "",
  async fn(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "driverspace-ioctl-" });
    try {
      const lines = REQUESTS.map(([name]) =>
        `printf("${name} %u\\n", (unsigned) USBDEVFS_${name});`
      );
      await Deno.writeTextFile(
        `${folder}/numbers.c`,
        `#include <stdio.h>\n#include <sys/ioctl.h>\n#include <linux/usbdevice_fs.h>\nint main(void){${
          lines.join("\n")
        }}\n`,
      );
      await run("/usr/bin/gcc", [
        "-o",
        `${folder}/numbers`,
        `${folder}/numbers.c`,
      ]);
      const printed = await run(`${folder}/numbers`, []);
      const ours = REQUESTS.map(([name, number]) => `${name} ${number}`);
      assertEquals(printed.trim().split("\n"), ours);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("An architecture without a call has no number for it", () => {
  assertEquals(syscallNumber("fork", "aarch64"), undefined);
  assertEquals(syscallNumber("fork", "x86_64"), 57);
  assertEquals(isSyscallName("no_such_call"), false);
});

async function run(command: string, args: string[]): Promise<string> {
  const output = await new Deno.Command(command, { args }).output();
  const decoder = new TextDecoder();
  assert(output.success, decoder.decode(output.stderr));
  return decoder.decode(output.stdout);
}
