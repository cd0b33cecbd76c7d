/**
 * Installs what a task needs and the machine lacks, through the system's own
 * package manager: shows the command, runs it where it may (root, or sudo
 * without a password), else ends with the exact line to type.
 *
 *     deno run --allow-all tests/setup.ts demo|test|bench|lab
 */

/** A package manager: how to ask whether a package is there, and how to install. */
interface PackageManager {
  readonly command: string;
  readonly query: (name: string) => readonly string[];
  readonly install: readonly (readonly string[])[];
}

/** Refreshing the lists first: a fresh machine or container has none. */
const MANAGERS: Readonly<Record<string, PackageManager>> = {
  apt: {
    command: "apt-get",
    query: (name) => ["dpkg-query", "-W", "-f=${db:Status-Abbrev}", name],
    install: [["apt-get", "update"], [
      "apt-get",
      "install",
      "--yes",
      "--no-install-recommends",
    ]],
  },
  dnf: {
    command: "dnf",
    query: (name) => ["rpm", "-q", name],
    install: [["dnf", "install", "--assumeyes"]],
  },
  pacman: {
    command: "pacman",
    query: (name) => ["pacman", "-Q", name],
    install: [["pacman", "-Sy", "--needed", "--noconfirm"]],
  },
  apk: {
    command: "apk",
    query: (name) => ["apk", "info", "-e", name],
    install: [["apk", "add"]],
  },
};

type Manager = keyof typeof MANAGERS;

/** What is needed, for what, and its name for each package manager ("" = not packaged there). */
interface Need {
  readonly why: string;
  readonly names: Readonly<Record<Manager, string>>;
}

const same = (name: string): Need["names"] => ({
  apt: name,
  dnf: name,
  pacman: name,
  apk: name,
});

const DEMO: readonly Need[] = [
  {
    why: "the library that is driven",
    names: {
      apt: "libusb-1.0-0",
      dnf: "libusb1",
      pacman: "libusb",
      apk: "libusb",
    },
  },
  {
    why: "virtual bus, transport A (its preload library)",
    names: same("umockdev"),
  },
  {
    why: "virtual bus, transport B (unshare, mount)",
    names: same("util-linux"),
  },
  {
    why: "virtual bus, transport B (ip)",
    names: {
      apt: "iproute2",
      dnf: "iproute",
      pacman: "iproute2",
      apk: "iproute2",
    },
  },
];

const TEST: readonly Need[] = [
  ...DEMO,
  { why: "a peer: lsusb", names: same("usbutils") },
  {
    why: "names of vendors and products",
    names: {
      apt: "usb.ids",
      dnf: "hwdata",
      pacman: "hwdata",
      apk: "hwdata-usb",
    },
  },
  {
    why: "a peer: pyusb",
    names: {
      apt: "python3-usb",
      dnf: "python3-pyusb",
      pacman: "python-pyusb",
      apk: "py3-usb",
    },
  },
  {
    why: "a peer: python-libusb1, for hotplug",
    names: {
      apt: "python3-libusb1",
      dnf: "python3-libusb1",
      pacman: "",
      apk: "",
    },
  },
  {
    why: "a peer: pyvisa-py against the virtual multimeter",
    names: { apt: "python3-pyvisa-py", dnf: "", pacman: "", apk: "" },
  },
  {
    why: "a peer: an MQTT broker",
    names: same("mosquitto"),
  },
  {
    why: "a peer: MQTT clients",
    names: {
      apt: "mosquitto-clients",
      dnf: "mosquitto",
      pacman: "mosquitto",
      apk: "mosquitto-clients",
    },
  },
  { why: "certificates for the MQTT broker", names: same("openssl") },
  { why: "which files a sandboxed driver opens", names: same("strace") },
  {
    why: "the unit, user and folders of the service, judged by systemd",
    names: { apt: "systemd", dnf: "systemd", pacman: "systemd", apk: "" },
  },
  {
    why: "the udev rule, judged by udev",
    names: { apt: "udev", dnf: "systemd-udev", pacman: "systemd", apk: "" },
  },
  { why: "the dashboard in a browser", names: same("chromium") },
  { why: "struct tables against the C compiler", names: same("gcc") },
  {
    why: "metrics and alert rules against promtool",
    names: {
      apt: "prometheus",
      dnf: "golang-github-prometheus",
      pacman: "prometheus",
      apk: "prometheus",
    },
  },
  {
    why: "struct tables against libusb.h",
    names: {
      apt: "libusb-1.0-0-dev",
      dnf: "libusb1-devel",
      pacman: "libusb",
      apk: "libusb-dev",
    },
  },
  {
    why: "system call tables against the kernel's headers",
    names: {
      apt: "linux-libc-dev",
      dnf: "kernel-headers",
      pacman: "linux-api-headers",
      apk: "linux-headers",
    },
  },
  {
    why: "the tables of aarch64 against its own headers",
    names: { apt: "linux-libc-dev-arm64-cross", dnf: "", pacman: "", apk: "" },
  },
  {
    why: "C programs need the C library's headers",
    names: {
      apt: "libc6-dev",
      dnf: "glibc-devel",
      pacman: "glibc",
      apk: "musl-dev",
    },
  },
];

const debian = (name: string): Need["names"] => ({
  apt: name,
  dnf: "",
  pacman: "",
  apk: "",
});

/** The guest is made of Debian's packages, by Debian's tools. */
const LAB: readonly Need[] = [
  { why: "the lab's machine", names: debian("qemu-system-x86") },
  { why: "the guest's root image", names: debian("erofs-utils") },
  { why: "the guest's first file system", names: debian("cpio") },
  { why: "the guest's kernel modules", names: debian("kmod") },
  { why: "strip, for the guest's modules", names: debian("binutils") },
  { why: "the guest's kernel is packed", names: debian("xz-utils") },
];

const SETS: Readonly<Record<string, readonly Need[]>> = {
  demo: DEMO,
  test: TEST,
  bench: TEST,
  lab: LAB,
};

async function run(
  command: readonly string[],
  options: { readonly quiet: boolean },
): Promise<boolean> {
  const [program = "", ...args] = command;
  const output = options.quiet ? "null" : "inherit";
  try {
    const { success } = await new Deno.Command(program, {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdin: "null",
      stdout: output,
      stderr: output,
    }).output();
    return success;
  } catch {
    return false; // the program itself is not there
  }
}

/** dpkg knows removed packages, too: only "ii" means installed. */
async function isInstalled(manager: Manager, name: string): Promise<boolean> {
  const [program = "", ...args] = MANAGERS[manager]?.query(name) ?? [];
  const { success, stdout } = await new Deno.Command(program, {
    args,
    stderr: "null",
  }).output();
  const status = new TextDecoder().decode(stdout);
  return success && (manager !== "apt" || status.startsWith("ii"));
}

async function findManager(): Promise<Manager | undefined> {
  for (const [name, { command }] of Object.entries(MANAGERS)) {
    if (await run([command, "--version"], { quiet: true })) return name;
  }
  return undefined;
}

function unsupported(): never {
  console.error(
    `Cannot prepare this machine: ${Deno.build.os} is not supported by the virtual bus, ` +
      "which needs Linux with apt, dnf, pacman or apk. " +
      "Drivers for real devices run wherever Deno and libusb-1.0 do.",
  );
  Deno.exit(69);
}

async function missingPackages(
  manager: Manager,
  needs: readonly Need[],
): Promise<string[]> {
  const missing: string[] = [];
  for (const { names, why } of needs) {
    const name = names[manager] ?? "";
    if (name === "" || await isInstalled(manager, name)) continue;
    console.log(`Missing: ${name} (${why})`);
    missing.push(name);
  }
  return [...new Set(missing)];
}

/** Root needs no prefix; sudo counts only when it asks nothing. */
async function privilege(): Promise<readonly string[] | undefined> {
  if (Deno.uid() === 0) return [];
  return await run(["sudo", "--non-interactive", "true"], { quiet: true })
    ? ["sudo", "--non-interactive"]
    : undefined;
}

/**
 * `deno bundle` fetches its bundler at its first use. Programs on a virtual bus
 * have no network, so the first use is here.
 */
async function fetchBundler(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "driverspace-setup-" });
  try {
    const main = `${folder}/main.js`;
    await Deno.writeTextFile(main, "export {};\n");
    const flags = ["bundle", "--quiet", `--output=${folder}/out.js`];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...flags, main],
      stdin: "null",
    }).output();
    if (success) return;
    console.error(
      "Cannot fetch the bundler that `deno bundle` needs once, so drivers start without a sandbox " +
        `until a network is there:\n${new TextDecoder().decode(stderr)}`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function main(): Promise<void> {
  const needs = SETS[Deno.args[0] ?? ""];
  if (needs === undefined) {
    console.error(`Usage: setup.ts ${Object.keys(SETS).join("|")}`);
    Deno.exit(2);
  }
  if (Deno.build.os !== "linux") unsupported();
  await installPackages(needs);
  await fetchBundler();
}

async function installPackages(needs: readonly Need[]): Promise<void> {
  const manager = await findManager() ?? unsupported();
  const missing = await missingPackages(manager, needs);
  if (missing.length === 0) return;
  const steps = (MANAGERS[manager]?.install ?? []).map((step, index, all) =>
    index === all.length - 1 ? [...step, ...missing] : step
  );
  const prefix = await privilege();
  if (prefix === undefined) {
    const line = steps.map((step) => `sudo ${step.join(" ")}`).join(" && ");
    console.error(
      `Cannot install packages as this user. Run this line, then try again:\n  ${line}`,
    );
    Deno.exit(77);
  }
  for (const step of steps) {
    console.log(`$ ${[...prefix, ...step].join(" ")}`);
    if (await run([...prefix, ...step], { quiet: false })) continue;
    console.error(
      `Cannot prepare this machine: "${step.join(" ")}" failed, see above.`,
    );
    Deno.exit(69);
  }
}

if (import.meta.main) await main();
