import { assertEquals, assertThrows } from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import {
  type Abi,
  abiOf,
  ABIS,
  encodeStat,
  encodeStatx,
} from "../../ffi/linux/virtual_bus_abi.ts";
import { assembleFilter } from "../../ffi/linux/virtual_bus_filter.ts";

/** What the kernel would do with a call, by a small interpreter of the filter. */
function verdict(
  abi: Abi,
  call: number,
  first: bigint,
  second = 0n,
  architecture = abi.auditArchitecture,
): string {
  const data = new DataView(new ArrayBuffer(64)); // struct seccomp_data
  data.setUint32(0, call, true);
  data.setUint32(4, architecture, true);
  data.setBigUint64(16, first, true);
  data.setBigUint64(24, second, true);
  const program = new DataView(assembleFilter(abi).buffer);
  let accumulator = 0;
  for (let at = 0;; at++) {
    const constant = program.getUint32(8 * at + 4, true);
    const jump = (isTrue: boolean): void => {
      at += program.getUint8(8 * at + (isTrue ? 2 : 3));
    };
    switch (program.getUint16(8 * at, true)) {
      case 0x20:
        accumulator = data.getUint32(constant, true);
        break;
      case 0x54:
        accumulator = (accumulator & constant) >>> 0;
        break;
      case 0x15:
        jump(accumulator === constant);
        break;
      case 0x35:
        jump(accumulator >= constant);
        break;
      case 0x06:
        return VERDICTS.get(constant) ?? String(constant);
      default:
        throw new Error(`Unknown instruction at ${at}`);
    }
  }
}

const VERDICTS = new Map([
  [0x7fff0000, "allow"],
  [0x7fc00000, "notify"],
  [0x80000000, "kill"],
]);

const SUBMITURB = 0x8038550an;
const TCGETS = 0x5401n;
const AT_FDCWD = 0xffffff9cn;

for (const [name, abi] of Object.entries(ABIS)) {
  const { calls } = abi;

  Deno.test(`The notification filter on ${name} asks about every way to open`, () => {
    for (const call of [calls.open, calls.openat, calls.openat2]) {
      if (call !== undefined) assertEquals(verdict(abi, call, 0n), "notify");
    }
  });

  Deno.test(`The notification filter on ${name} asks about usbfs ioctls on any descriptor, and no others`, () => {
    assertEquals(verdict(abi, calls.ioctl, 3n, SUBMITURB), "notify");
    assertEquals(verdict(abi, calls.ioctl, 900n, SUBMITURB), "notify");
    assertEquals(verdict(abi, calls.ioctl, 900n, TCGETS), "allow");
  });

  Deno.test(`The notification filter on ${name} asks about the bus's descriptors and the inherited one`, () => {
    const onDescriptors = [
      calls.read,
      calls.pread64,
      calls.lseek,
      calls.fstat,
      calls.newfstatat,
      calls.statx,
      calls.close,
    ];
    for (const call of onDescriptors) {
      assertEquals(verdict(abi, call, 100n), "notify");
      assertEquals(verdict(abi, call, 900n), "notify");
      assertEquals(verdict(abi, call, 1500n), "notify");
      assertEquals(verdict(abi, call, 899n), "allow");
      assertEquals(verdict(abi, call, AT_FDCWD), "allow");
    }
  });

  Deno.test(`The notification filter on ${name} kills calls of another architecture`, () => {
    const other = abi === ABIS.x86_64 ? ABIS.aarch64 : ABIS.x86_64;
    assertEquals(
      verdict(abi, calls.read, 0n, 0n, other.auditArchitecture),
      "kill",
    );
    if (abi.foreignNumbersFrom === undefined) return;
    const foreign = abi.foreignNumbersFrom + calls.read;
    assertEquals(verdict(abi, foreign, 0n), "kill");
  });
}

Deno.test("An unknown architecture is refused in words", () => {
  assertThrows(() => abiOf("riscv64"), UsbError, "riscv64");
});

Deno.test("struct stat of a device node has a character device and its numbers", () => {
  for (const abi of Object.values(ABIS)) {
    const view = new DataView(encodeStat(abi, 300).buffer);
    assertEquals(view.byteLength, abi.stat.lengthBytes);
    assertEquals(view.getUint32(abi.stat.mode, true), 0o020666);
    assertEquals(view.getUint32(abi.stat.linkCount, true), 1);
    // Linux, include/linux/kdev_t.h: new_encode_dev.
    assertEquals(view.getUint32(abi.stat.deviceNumbers, true), 0x10bd2c);
  }
  const view = new DataView(encodeStatx(300).buffer);
  assertEquals(view.getUint16(28, true), 0o020666);
  assertEquals([view.getUint32(128, true), view.getUint32(132, true)], [
    189,
    300,
  ]);
});

Deno.test("System call numbers and struct stat are those of the C headers", async () => {
  const abi = abiOf(Deno.build.arch);
  const { foreignNumbersFrom: _, calls } = abi;
  const names = Object.entries(calls)
    .filter(([, number]) => number !== undefined).map(([name]) => name);
  const source = `
    #define _GNU_SOURCE
    #include <linux/audit.h>
    #include <stddef.h>
    #include <stdio.h>
    #include <sys/stat.h>
    #include <sys/syscall.h>
    int main(void) {
      ${names.map((name) => `printf("%d ", SYS_${name});`).join("\n")}
      printf("%d %d %d ", SYS_seccomp, SYS_pidfd_open, SYS_pidfd_getfd);
      printf("%zu %zu %zu %zu ", sizeof(struct stat),
        offsetof(struct stat, st_mode), offsetof(struct stat, st_nlink),
        offsetof(struct stat, st_rdev));
      printf("%zu %zu", offsetof(struct statx, stx_mode),
        offsetof(struct statx, stx_rdev_major));
    }`;
  const { stat } = abi;
  assertEquals(await compiledOutput(source), [
    ...Object.values(calls).filter((number) => number !== undefined),
    ...[abi.seccomp, 434, 438],
    ...[stat.lengthBytes, stat.mode, stat.linkCount, stat.deviceNumbers],
    ...[28, 128],
  ]);
});

/** Compiles and runs a C program that prints numbers. */
async function compiledOutput(source: string): Promise<number[]> {
  const program = await Deno.makeTempFile({ prefix: "numbers." });
  try {
    const compiler = new Deno.Command("cc", {
      args: ["-x", "c", "-", "-o", program],
      stdin: "piped",
    }).spawn();
    const writer = compiler.stdin.getWriter();
    await writer.write(new TextEncoder().encode(source));
    await writer.close();
    assertEquals((await compiler.status).code, 0);
    const { stdout } = await new Deno.Command(program).output();
    return new TextDecoder().decode(stdout).trim().split(" ").map(Number);
  } finally {
    await Deno.remove(program);
  }
}
