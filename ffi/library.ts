/**
 * Finds and opens libusb. The path found is absolute and is the text that
 * `--allow-ffi=` must name: the runtime compares it letter by letter and
 * follows no links.
 *
 * @module
 */

import { UsbError } from "../driver/errors.ts";
import { bindSymbols } from "./bind_symbols.ts";
import {
  LIBUSB_HOT_SYMBOLS,
  LIBUSB_SYMBOLS,
  type LibusbSymbols,
} from "./libusb_symbols.ts";
import { VERSION } from "./libusb_structs.ts";
import { Memory, nativeBytes } from "./memory.ts";

/** A version of libusb. */
export interface LibusbVersion {
  /** First number. */
  readonly major: number;
  /** Second number. */
  readonly minor: number;
  /** Third number: what changes between releases of 1.0. */
  readonly micro: number;
  /** `1.0.26`, with the release candidate's suffix if it is one. */
  readonly text: string;
}

/** libusb, opened and bound. */
export interface Library {
  /** Absolute path, as `--allow-ffi=` must name it. */
  readonly path: string;
  readonly version: LibusbVersion;
  /** A sentence for the person, when the version has known faults. */
  readonly warning: string | undefined;
  readonly symbols: LibusbSymbols;
  readonly memory: Memory;
  /** Closes it. SAFETY: no call may be under way, and no symbol be used afterwards. */
  close(): void;
}

/** How to find the library. */
export interface LibraryOptions {
  /** Use this file and look for no other. */
  readonly path?: string;
}

/** Needed: `libusb_wrap_sys_device`, 1.0.23. */
const MICRO_MIN = 23;
/** From here on the parser of descriptors holds against what devices send. */
const MICRO_ADVISED = 30;

/**
 * Opens libusb and binds its functions.
 *
 * @throws {UsbError} `library` when there is none or it is older than 1.0.23, `access`
 *   when the runtime does not allow it, `notSupported` on Windows and 32-bit platforms.
 */
export function openLibrary(options: LibraryOptions = {}): Library {
  checkPlatform();
  const path = options.path ?? findLibrary();
  const library = bind(path);
  const { symbols } = library;
  const memory = new Memory(symbols);
  const version = readVersion(symbols, memory);
  if (version.major !== 1 || version.minor !== 0 || version.micro < MICRO_MIN) {
    library.close();
    throw new UsbError({
      code: "library",
      operation: `use ${path}`,
      reason: `it is libusb ${version.text}, and 1.0.${MICRO_MIN} is needed`,
      advice: INSTALL_ADVICE,
    });
  }
  keepLoaded(path, symbols);
  return {
    path,
    version,
    warning: warningFor(version),
    symbols,
    memory,
    close: () => library.close(),
  };
}

/**
 * The library's path on this machine, by looking. Where the runtime does not
 * let us look, the platform's first candidate.
 *
 * @throws {UsbError} `library` when there is none.
 */
export function findLibrary(
  candidates: readonly string[] = libraryCandidates(Deno.build),
): string {
  for (const path of candidates) {
    const state = fileState(path);
    if (state === "unknown") return grantedCandidate(candidates) ?? path;
    if (state === "present") return path;
  }
  throw new UsbError({
    code: "library",
    operation: "find libusb-1.0",
    reason: `there is none of ${candidates.join(", ")}`,
    advice: INSTALL_ADVICE,
  });
}

/** What the candidates depend on, in Deno's words. */
export interface LibraryPlatform {
  readonly os: string;
  readonly arch: string;
}

/** Where distributions put the library, most usual first. */
export function libraryCandidates(platform: LibraryPlatform): string[] {
  const { os, arch } = platform;
  if (os === "darwin") {
    return [
      "/opt/homebrew/lib/libusb-1.0.0.dylib",
      "/usr/local/lib/libusb-1.0.0.dylib",
      "/opt/local/lib/libusb-1.0.0.dylib",
    ];
  }
  if (os === "windows") return ["C:\\Windows\\System32\\libusb-1.0.dll"];
  const name = "libusb-1.0.so.0";
  return [
    `/usr/lib/${arch}-linux-gnu/${name}`, // Debian, Ubuntu
    `/lib/${arch}-linux-gnu/${name}`, // Debian before the merge of /usr
    `/usr/lib64/${name}`, // Fedora, openSUSE
    `/usr/lib/${name}`, // Arch, Alpine
    `/lib/${name}`,
    `/usr/local/lib/${name}`,
  ];
}

/** Why a version is not what we would choose, if so. */
export function warningFor(version: LibusbVersion): string | undefined {
  if (version.micro >= MICRO_ADVISED) return undefined;
  return `libusb ${version.text} misreads some malformed descriptors (libusb issue 1813, ` +
    `fixed in 1.0.${MICRO_ADVISED}); descriptors are read by our own parser where the system shows them raw`;
}

const INSTALL_ADVICE =
  "Install libusb 1.0 (Debian, Ubuntu: libusb-1.0-0; Fedora: libusb1; Arch, Alpine, Homebrew: libusb), " +
  "or give its path: --library PATH, LibusbPort.open({ libraryPath })";

function checkPlatform(): void {
  const { os, arch } = Deno.build;
  if (os === "windows") {
    throw new UsbError({
      code: "notSupported",
      operation: "use libusb on Windows",
      reason: "its event handling has no descriptors to wait for there",
      advice: "Use Linux or macOS",
    });
  }
  if (arch !== "x86_64" && arch !== "aarch64") {
    throw new UsbError({
      code: "notSupported",
      operation: `use libusb on ${arch}`,
      reason: "its structs are known for x86_64 and aarch64 only",
    });
  }
}

function bind(path: string): Deno.DynamicLibrary<typeof LIBUSB_SYMBOLS> {
  try {
    // SAFETY: the table is checked against the header and the compiler by
    // tests/ffi; the port closes the library after the last call has returned.
    return bindSymbols(path, LIBUSB_SYMBOLS, { hot: LIBUSB_HOT_SYMBOLS });
  } catch (cause) {
    throw bindError(path, cause);
  }
}

function bindError(path: string, cause: unknown): UsbError {
  if (cause instanceof Deno.errors.NotCapable) {
    return new UsbError({
      code: "access",
      operation: `open ${path}`,
      reason: "the runtime does not allow it",
      advice: `Run with --allow-ffi=${path}`,
      cause,
    });
  }
  return new UsbError({
    code: "library",
    operation: `open ${path}`,
    reason: reasonOf(cause),
    advice: INSTALL_ADVICE,
    cause,
  });
}

/** The loader's own words: the runtime says its prefix twice, and the path is in our sentence. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const [first = ""] = text.split("\n");
  return first.replace(/^(Could not open library: )+/, "").slice(0, 200);
}

/**
 * Keeps the library's code in memory until the process ends. A program that
 * ends with a port open, by an error that nobody caught, has the runtime unload
 * its libraries while libusb's own thread runs in them.
 */
function keepLoaded(path: string, symbols: LibusbSymbols): void {
  const text = new TextEncoder().encode(`${path}\0`);
  const name = nativeBytes(text.length);
  name.set(text);
  const flags = Deno.build.os === "darwin" ? RTLD.darwin : RTLD.linux;
  // SAFETY: a path that ends in NUL, used during the call only; nothing is
  // loaded that is not. Where it fails, things are as they were.
  symbols.dlopen?.(name, flags);
}

/** RTLD_LAZY, RTLD_NOLOAD and RTLD_NODELETE of dlfcn.h. */
const RTLD = { linux: 0x1 | 0x4 | 0x1000, darwin: 0x1 | 0x10 | 0x80 } as const;

function readVersion(symbols: LibusbSymbols, memory: Memory): LibusbVersion {
  // SAFETY: returns a constant struct of the library, valid while it is open.
  const pointer = symbols.libusb_get_version();
  if (pointer === null) return { major: 0, minor: 0, micro: 0, text: "0" };
  const view = memory.readView(pointer, VERSION.sizeBytes);
  const number = (field: "major" | "minor" | "micro"): number =>
    view.getUint16(VERSION.fields[field][0], true);
  const [major, minor, micro] = [
    number("major"),
    number("minor"),
    number("micro"),
  ];
  const rc = memory.pointer(view.getBigUint64(VERSION.fields.rc[0], true));
  const suffix = rc === null ? "" : memory.cString(rc);
  return { major, minor, micro, text: `${major}.${minor}.${micro}${suffix}` };
}

type FileState = "present" | "absent" | "unknown";

function fileState(path: string): FileState {
  try {
    Deno.statSync(path);
    return "present";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "absent";
    return "unknown";
  }
}

/** Under a scoped flag we may not look, but may ask which path was granted. */
function grantedCandidate(candidates: readonly string[]): string | undefined {
  return candidates.find((path) =>
    Deno.permissions.querySync({ name: "ffi", path }).state === "granted"
  );
}
