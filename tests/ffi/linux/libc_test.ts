import { assert, assertEquals, assertThrows } from "../../../driver/std.ts";
import { cstring, Libc, SyscallError } from "../../../ffi/linux/libc.ts";
import {
  handledRights,
  landlockAbi,
  rulesetAttributes,
} from "../../../ffi/linux/landlock.ts";
import { ERRNO } from "../../../ffi/linux/errno.ts";

const FOLDER = `/lib/${Deno.build.arch}-linux-gnu`;
const LIBUSB = `/usr${FOLDER}/libusb-1.0.so.0`;
const isLinux = Deno.build.os === "linux";
const noLinux = isLinux ? "" : " [not run: needs Linux]";
const hasLibusb = isLinux && exists(LIBUSB);
const noLibusb = hasLibusb ? "" : ` [not run: needs ${LIBUSB}]`;

Deno.test({
  name:
    `Libc is reached by its own path and through libusb's handle${noLibusb}`,
  ignore: !hasLibusb,
  fn(): void {
    for (const path of [`${FOLDER}/libc.so.6`, LIBUSB]) {
      using libc = Libc.open(path);
      assertEquals(libc.call("getpid"), Deno.pid);
    }
  },
});

Deno.test({
  name:
    `Libc gives the negated errno, and throws it where success is demanded${noLinux}`,
  ignore: !isLinux,
  fn(): void {
    using libc = Libc.open(`${FOLDER}/libc.so.6`);
    const args = [-100, cstring("/nonexistent"), 0, 0];
    assertEquals(libc.call("openat", args), -ERRNO.ENOENT);
    const error = assertThrows(
      () => libc.check("openat", args),
      SyscallError,
      "openat: ENOENT",
    );
    assertEquals(error.errno, ERRNO.ENOENT);
  },
});

Deno.test({
  name: `Libc copies bytes in and back${noLinux}`,
  ignore: !isLinux,
  fn(): void {
    using libc = Libc.open(`${FOLDER}/libc.so.6`);
    const bytes = new Uint8Array(32);
    assertEquals(libc.check("getrandom", [bytes, bytes.length, 0]), 32);
    assert(bytes.some((byte) => byte !== 0));
    const address = libc.allocate(bytes);
    const back = new Uint8Array(32);
    libc.peek(address, back);
    assertEquals(back, bytes);
  },
});

Deno.test({
  name: `Libc makes calls on a pool thread${noLinux}`,
  ignore: !isLinux,
  async fn(): Promise<void> {
    using libc = Libc.open(`${FOLDER}/libc.so.6`);
    assert(await libc.callOnPool("gettid") !== libc.call("gettid"));
    const args = [-100, cstring("/nonexistent"), 0, 0];
    assertEquals(await libc.callOnPool("openat", args), -1);
  },
});

Deno.test("Text with a NUL byte does not pass to C", () => {
  assertThrows(() => cstring("a\0b"), RangeError, "NUL");
});

Deno.test({
  name: `A library that is not there is refused by the loader${noLinux}`,
  ignore: !isLinux,
  fn(): void {
    assertThrows(() => Libc.open("/nonexistent/libc.so.6"));
  },
});

Deno.test("Landlock handles every right that a version knows", () => {
  const bits = [1, 2, 3, 4, 5, 6, 7].map((abi) =>
    handledRights(abi).toString(2).length
  );
  assertEquals(bits, [13, 14, 15, 15, 16, 16, 16]);
  const words = [1, 3, 4, 5, 6, 7].map((abi) => rulesetAttributes(abi).length);
  assertEquals(words, [1, 1, 2, 2, 3, 3]);
});

Deno.test({
  name: `The kernel tells its Landlock version or that it has none${noLinux}`,
  ignore: !isLinux,
  fn(): void {
    using libc = Libc.open(`${FOLDER}/libc.so.6`);
    const abi = landlockAbi(libc);
    assert(Number.isInteger(abi) && abi >= 0);
  },
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
