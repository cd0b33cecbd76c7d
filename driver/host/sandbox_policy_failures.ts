/**
 * Why a launcher refused to start a driver: a name for machines, a sentence for
 * people, an exit code. There is no weaker start.
 *
 * @module
 */

/** Exit code: the driver could not be confined, or the device or log was wrong. */
export const REFUSED_EXIT_CODE = 77;
/** Exit code: the command line is wrong (EX_CONFIG of sysexits.h). */
export const CONFIGURATION_EXIT_CODE = 78;

/** Names of refusals, with what to do about each. Part of the interface. */
export const LAUNCHER_REFUSALS = {
  "configuration": "Correct the command line",
  "library": "Install libusb, or name its file",
  "device-missing": "Look the device up again: it was unplugged",
  "device-access":
    "Install the udev rule that driverspace udev VID:PID prints, and log in again",
  "device-symlink": "Name the node itself",
  "device-not-usb": "Name a node below /dev/bus/usb",
  "device-other": "Look the device up again: another one took its place",
  "device-io": "Check cable and hub, then try again",
  "interface-busy":
    'Stop the program that holds it; a driver that declares kernelDriver: "detach" takes it from the kernel',
  "interface-mask": "Use a kernel that has USBDEVFS_DROP_PRIVILEGES (4.9)",
  "log-missing": "Create the folder of the log",
  "log-access": "Give the folder of the log to this user",
  "log-symlink": "Name the file itself",
  "log-not-file": "Name a regular file",
  "log-hard-link": "Name a file that has no other name",
  "log-folder-shared": "Use a folder that only this user, or root, may write",
  "log-overlap": "Keep logs apart from code and libraries",
  "landlock-missing":
    "Use a kernel with Landlock (5.13, CONFIG_SECURITY_LANDLOCK, lsm=landlock)",
  "executable-memory":
    "The jitless profile needs Linux 6.3 (PR_SET_MDWE): use a newer kernel, or the default profile",
  "landlock-old": "Use a newer kernel, or lower the required version",
  "landlock-path": "Check that the named file exists and may be read",
  "seccomp":
    "Use a kernel with CONFIG_SECCOMP_FILTER; in a container, one whose own profile allows seccomp",
  "descriptors":
    "Every kernel with Landlock has it, so a container keeps it back: use a newer container runtime, or a seccomp profile that allows close_range",
  "parent-gone": "Start it from a process that stays",
  "limits":
    "Raise the limits it is started with: ulimit -n 1024, LimitNOFILE= of a unit",
  "identity": "Start it as root, or without changing the user",
  "namespaces": "Start it as root, or without isolation",
  "memory": "Try again: no free address was found for the secret page",
  "execute": "Check that the Deno binary may be executed",
  "not-confined":
    "Start the driver through the launcher; if it was, this kernel does not hold what it promises: report it",
  "internal": "This is a bug: report it",
} as const satisfies Readonly<Record<string, string>>;

/** Why a launcher refused. */
export type LauncherRefusal = keyof typeof LAUNCHER_REFUSALS;

/** A start that must not happen. */
export class LaunchRefused extends Error {
  override readonly name = "LaunchRefused";
  readonly refusal: LauncherRefusal;

  /** `reason` is a sentence that begins with `Cannot`. */
  constructor(refusal: LauncherRefusal, reason: string) {
    super(`${reason}. ${LAUNCHER_REFUSALS[refusal]}`);
    this.refusal = refusal;
  }

  /** 78 for a wrong command line, 77 for everything else. */
  get exitCode(): number {
    return this.refusal === "configuration"
      ? CONFIGURATION_EXIT_CODE
      : REFUSED_EXIT_CODE;
  }
}

/** The line a launcher ends with on stderr. */
export function formatRefusal(
  refusal: LauncherRefusal,
  message: string,
): string {
  return `launcher: ${refusal}: ${message}`;
}

/** Finds that line in what a launcher wrote; `undefined` when it did not refuse. */
export function parseRefusal(
  stderr: string,
): { refusal: LauncherRefusal; message: string } | undefined {
  const found = /^launcher: ([a-z-]+): (.*)$/m.exec(stderr);
  const [, name = "", message = ""] = found ?? [];
  if (!Object.hasOwn(LAUNCHER_REFUSALS, name)) return undefined;
  return { refusal: name as LauncherRefusal, message };
}
