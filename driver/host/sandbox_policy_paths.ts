/**
 * Which files a sandboxed driver may open, as data with reasons. There is no
 * entry for a device, a log, or anything that may be written (but for the
 * virtual bus's own folder).
 *
 * @module
 */

import type { SandboxPolicy } from "./sandbox_policy.ts";

/** A path that stays open to the driver. Absent ones that are optional are skipped. */
export interface PathGrant {
  readonly path: string;
  readonly access: "read" | "execute" | "readWriteBelow";
  readonly optional: boolean;
  readonly reason: string;
}

/** What the paths depend on besides the policy. */
export interface PathMachine {
  /** `Deno.execPath()`. */
  readonly denoPath: string;
  readonly architecture: "x86_64" | "aarch64";
}

/** What Deno is linked with, and libudev, with which distributions link libusb. */
const LIBRARIES = [
  "libc.so.6",
  "libm.so.6",
  "libdl.so.2",
  "libpthread.so.0",
  "librt.so.1",
  "libgcc_s.so.1",
  "libudev.so.1",
] as const;

/** The loader's name is part of the platform's ABI. */
const LOADERS = {
  "x86_64": ["/lib64/ld-linux-x86-64.so.2"],
  "aarch64": ["/lib/ld-linux-aarch64.so.1"],
} as const;

/** The files a driver starts from. */
export function pathGrants(
  policy: SandboxPolicy,
  machine: PathMachine,
): readonly PathGrant[] {
  const libraries = libraryFolders(machine.architecture).flatMap((folder) =>
    LIBRARIES.map((name) =>
      grant(`${folder}/${name}`, "read", "shared library", true)
    )
  );
  return [
    grant(machine.denoPath, "execute", "the runtime"),
    ...LOADERS[machine.architecture].map((path) =>
      grant(path, "execute", "loads the runtime's shared libraries")
    ),
    ...libraries,
    grant(policy.libraryPath, "read", "libusb"),
    grant(policy.driverPath, "read", "the driver's code, one file"),
    ...virtualGrants(policy),
  ];
}

/** Where distributions keep shared libraries: Debian's first, then Fedora's and Arch's. */
export function libraryFolders(
  architecture: "x86_64" | "aarch64",
): readonly string[] {
  return [`/lib/${architecture}-linux-gnu`, "/lib64", "/usr/lib64", "/usr/lib"];
}

/**
 * libc by its own path, so that the launcher loads nothing else; `undefined`
 * where it is kept elsewhere, and is reached through the policy's library.
 */
export function findLibc(
  architecture: "x86_64" | "aarch64",
  exists: (path: string) => boolean,
): string | undefined {
  return findShared("libc.so.6", architecture, exists);
}

/** A shared library by its own path, for what may not ask the loader's cache. */
export function findShared(
  name: string,
  architecture: "x86_64" | "aarch64",
  exists: (path: string) => boolean,
): string | undefined {
  return libraryFolders(architecture)
    .map((folder) => `${folder}/${name}`)
    .find(exists);
}

function virtualGrants(policy: SandboxPolicy): readonly PathGrant[] {
  const { virtualBus } = policy;
  if (virtualBus === undefined) return [];
  return [
    grant(virtualBus.preloadPath, "read", "plays the kernel's USB"),
    grant(
      virtualBus.folderPath,
      "readWriteBelow",
      "nodes and sockets of the virtual bus",
    ),
  ];
}

function grant(
  path: string,
  access: PathGrant["access"],
  reason: string,
  optional = false,
): PathGrant {
  return { path, access, optional, reason };
}
