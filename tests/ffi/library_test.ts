import { UsbError, type UsbErrorCode } from "../../driver/errors.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../../driver/std.ts";
import {
  findLibrary,
  libraryCandidates,
  openLibrary,
  warningFor,
} from "../../ffi/library.ts";

function assertRefused(
  open: () => unknown,
  code: UsbErrorCode,
  text: string,
): void {
  const error = assertThrows(open, UsbError, text);
  assertEquals(error.code, code);
}

Deno.test("Each platform's candidates are absolute and begin with its usual place", () => {
  const first = (os: string, arch: string): string | undefined =>
    libraryCandidates({ os, arch })[0];
  assertEquals(
    first("linux", "x86_64"),
    "/usr/lib/x86_64-linux-gnu/libusb-1.0.so.0",
  );
  assertEquals(
    first("linux", "aarch64"),
    "/usr/lib/aarch64-linux-gnu/libusb-1.0.so.0",
  );
  assertEquals(
    first("darwin", "aarch64"),
    "/opt/homebrew/lib/libusb-1.0.0.dylib",
  );
  assertMatch(first("windows", "x86_64") ?? "", /^C:\\.*libusb-1\.0\.dll$/);
  const linux = libraryCandidates({ os: "linux", arch: "x86_64" });
  assert(linux.includes("/usr/lib64/libusb-1.0.so.0"), "Fedora");
  assert(linux.includes("/usr/lib/libusb-1.0.so.0"), "Arch and Alpine");
  assert(linux.every((path) => path.startsWith("/")));
});

Deno.test("A machine without libusb is told how to get it", () => {
  assertRefused(
    () => findLibrary(["/nonexistent/a.so", "/nonexistent/b.so"]),
    "library",
    "Cannot find libusb-1.0: there is none of /nonexistent/a.so, " +
      "/nonexistent/b.so. Install libusb 1.0",
  );
});

Deno.test("The first candidate that is there is taken", () => {
  const here = new URL(import.meta.url).pathname;
  assertEquals(findLibrary(["/nonexistent/a.so", here, "/"]), here);
});

Deno.test("A library that is none is refused with its path", () => {
  assertRefused(
    () => openLibrary({ path: "/nonexistent/libusb-1.0.so.0" }),
    "library",
    "Cannot open /nonexistent/libusb-1.0.so.0",
  );
});

Deno.test("A file that is no library is refused in the loader's words, said once", () => {
  const path = Deno.makeTempFileSync({ suffix: ".so.0" });
  try {
    assertRefused(
      () => openLibrary({ path }),
      "library",
      `Cannot open ${path}: ${path}: file too short. Install`,
    );
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("The library is found, bound, and says its version", () => {
  const library = openLibrary();
  try {
    assert(library.path.startsWith("/"));
    assertMatch(library.version.text, /^1\.0\.\d+/);
    assert(library.version.micro >= 23);
  } finally {
    library.close();
  }
});

Deno.test("Versions with known faults come with a warning that names them", () => {
  const version = { major: 1, minor: 0, micro: 26, text: "1.0.26" };
  assertStringIncludes(warningFor(version) ?? "", "libusb 1.0.26 misreads");
  assertEquals(
    warningFor({ ...version, micro: 30, text: "1.0.30" }),
    undefined,
  );
});

Deno.test({
  name: "The library's code stays in memory after it is closed",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    const library = openLibrary();
    library.close();
    // A call that is late, or a thread of libusb's, must find it.
    const maps = Deno.readTextFileSync("/proc/self/maps");
    assertStringIncludes(maps, "libusb-1.0.so");
  },
});
