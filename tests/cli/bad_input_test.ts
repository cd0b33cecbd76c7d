/** Everything that can be typed or found wrong: one clear sentence, the right code, nothing left claimed. */

import { assertEquals, assertStringIncludes } from "../../driver/std.ts";
import type { Toolbox } from "../../driver/host/cli/toolbox.ts";
import { UsbError } from "../../driver/errors.ts";
import { call, fakeDevice, fakeSystem, fakeToolbox } from "./fake_parts.ts";
import { assertRefused, NODE, OPEN } from "./refused.ts";
import { driverspace, Folder, testOn } from "./spawned.ts";

function refused(
  args: readonly string[],
  code: number,
  text: string,
  toolbox?: Toolbox,
): Promise<void> {
  return assertRefused(args, { code, text, ...(toolbox && { toolbox }) });
}

Deno.test("run without a device, or with two kinds, ends with 2", async () => {
  await refused(["run", "usbtmc"], 2, "Give --device VID:PID or --virtual");
  await refused(
    ["run", "usbtmc", "--device", "0957:1755", "--virtual", "multimeter"],
    2,
    "not both",
  );
});

Deno.test("A wrong VID:PID ends with 2 and an example", async () => {
  for (const device of ["957:1755", "0957", "0957:17g5", "0957:1755:", ":"]) {
    await refused(
      ["run", "usbtmc", "--device", device],
      2,
      "for example 0957:1755",
    );
  }
});

Deno.test("An unknown driver ends with 78 and a suggestion", async () => {
  await refused(
    ["run", "usbtcm", "--virtual", "multimeter"],
    78,
    'There is no driver "usbtcm". Did you mean usbtmc?',
  );
});

Deno.test("An unknown virtual device ends with 78 and a suggestion", async () => {
  await refused(
    ["run", "usbtmc", "--virtual", "multimetre"],
    78,
    "Did you mean multimeter?",
  );
  await refused(["simulate", "mutimeter", "--", "lsusb"], 78, "Did you mean");
});

Deno.test("A driver file that is missing or is no driver ends with 78", async () => {
  using folder = new Folder();
  const path = `${folder.path}/not_a_driver.ts`;
  Deno.writeTextFileSync(path, "export default { name: 'X' };\n");
  const device = ["--virtual", "multimeter"];
  await refused(
    ["run", `${folder.path}/missing.ts`, ...device],
    78,
    "Cannot load the driver",
  );
  await refused(["run", path, ...device], 78, "is not a driver");
  Deno.writeTextFileSync(path, "this is no TypeScript\n");
  await refused(["run", path, ...device], 78, "Cannot load the driver");
});

Deno.test("A driver file gets no permission while its data are read", async () => {
  using folder = new Folder();
  const path = `${folder.path}/greedy.ts`;
  Deno.writeTextFileSync(
    path,
    `Deno.writeTextFileSync("${folder.path}/trace", "x"); export default {};\n`,
  );
  await refused(
    ["run", path, "--virtual", "multimeter"],
    78,
    "Requires write access",
  );
  assertEquals([...Deno.readDirSync(folder.path)].length, 1);
});

Deno.test("A wrong option of the driver ends with 78 and names it", async () => {
  await refused(
    ["run", "usbtmc", "--virtual", "multimeter", "--set", "polll=READ?"],
    78,
    '"polll"',
  );
});

Deno.test("No such device ends with 69", async () => {
  using folder = new Folder();
  const log = ["--log", `${folder.path}/a.log`, "--direct"];
  await refused(
    ["run", "usbtmc", "--device", "0957:1755", ...log],
    69,
    "There is no device 0957:1755 on the bus",
  );
});

Deno.test("Two devices that fit end with 69 and name both with their serial numbers", async () => {
  using folder = new Folder();
  const devices = [
    fakeDevice(),
    fakeDevice({ portPath: "1-5", id: "1-5#8", serialNumber: "MY47000002" }),
  ];
  await refused(
    [
      ...["run", "usbtmc", "--device", "0957:1755", "--direct"],
      ...["--log", `${folder.path}/a.log`],
    ],
    69,
    "2 devices fit driver usbtmc: 0957:1755@1-4 (MY47000001), 0957:1755@1-5 (MY47000002)",
    fakeToolbox({ devices, system: OPEN }),
  );
});

Deno.test("Two devices with one serial number are told apart by their ports", async () => {
  using folder = new Folder();
  const system = fakeSystem({ [NODE]: { uid: 0, gid: 0, mode: 0o664 } });
  const devices = [
    fakeDevice(),
    fakeDevice({ portPath: "1-5", id: "1-5#8" }),
  ];
  const toolbox = fakeToolbox({ devices, system });
  const args = (device: string): string[] => [
    ...["run", "usbtmc", "--device", device, "--direct"],
    ...["--log", `${folder.path}/a.log`],
  ];
  await refused(
    args("0957:1755:MY47000001"),
    69,
    "by its port: --device 0957:1755@1-4",
    toolbox,
  );
  // The one that was named is taken: what is in the way now is its node.
  await refused(
    args("0957:1755@1-5"),
    77,
    "Cannot open 0957:1755@1-5",
    toolbox,
  );
  await refused(args("0957:1755@1-6"), 69, "no device 0957:1755@1-6", toolbox);
});

Deno.test("A device that the driver is not for ends with 78", async () => {
  using folder = new Folder();
  const descriptor = { ...fakeDevice().descriptor, productId: 0x9999 };
  const device = fakeDevice({ descriptor: descriptor as never });
  await refused(
    [
      ...["run", "usbtmc", "--device", "0957:9999", "--direct"],
      ...["--log", `${folder.path}/a.log`],
    ],
    78,
    "Driver usbtmc is not for 0957:9999@1-4",
    fakeToolbox({ devices: [device], system: OPEN }),
  );
});

Deno.test("No permission ends with 77 in three parts: tried, in the way, the fix", async () => {
  using folder = new Folder();
  const system = fakeSystem({ [NODE]: { uid: 0, gid: 0, mode: 0o664 } });
  const { code, err } = await call(
    [
      ...["run", "usbtmc", "--device", "0957:1755", "--direct"],
      ...["--log", `${folder.path}/a.log`],
    ],
    fakeToolbox({ devices: [fakeDevice()], system }),
  );
  assertEquals(code, 77);
  assertStringIncludes(err, "Cannot open 0957:1755@1-4");
  assertStringIncludes(err, "belongs to 0:0, mode 0664");
  assertStringIncludes(err, "driverspace udev 0957:1755");
});

Deno.test("A missing and an outdated libusb end with 72", async () => {
  using folder = new Folder();
  for (const reason of ["there is none", "it is libusb 1.0.21"]) {
    await refused(
      [
        ...["run", "usbtmc", "--device", "0957:1755"],
        ...["--log", `${folder.path}/a.log`],
      ],
      72,
      reason,
      fakeToolbox({
        tools: {
          findLibrary: () => {
            throw new UsbError({
              code: "library",
              operation: "use libusb",
              reason,
            });
          },
        },
      }),
    );
  }
});

Deno.test("The libusb that was named is used, and no other", async () => {
  using folder = new Folder();
  const given: (string | undefined)[] = [];
  const toolbox = fakeToolbox({
    tools: {
      findLibrary: (path) => {
        given.push(path);
        throw new UsbError({
          code: "library",
          operation: `open ${path}`,
          reason: "file too short",
        });
      },
      openPort: (path) => {
        given.push(path);
        return Promise.reject(
          new UsbError({ code: "library", operation: "list", reason: "no" }),
        );
      },
    },
  });
  const library = ["--library", "/opt/x/../libusb.so"];
  const device = ["--device", "0957:1755", "--log", `${folder.path}/a.log`];
  await refused(["run", "usbtmc", ...device, ...library], 72, "", toolbox);
  await refused(
    ["call", "usbtmc", "*IDN?", ...device, ...library],
    72,
    "",
    toolbox,
  );
  await refused(["list", ...library], 72, "", toolbox);
  await call(["doctor", ...library], toolbox);
  assertEquals(new Set(given), new Set(["/opt/libusb.so"]));
});

testOn(
  "preload",
  "A program that is not there, or cannot be run, ends as in a shell",
  async () => {
    using folder = new Folder();
    const absent = await driverspace([
      ...["simulate", "multimeter", "--", "no-such-program"],
    ]);
    assertEquals(absent.code, 127, absent.err);
    assertStringIncludes(absent.err, "Install it, or give its path behind --");
    const file = `${folder.path}/file`;
    Deno.writeTextFileSync(file, "");
    const plain = await driverspace(["simulate", "multimeter", "--", file]);
    assertEquals(plain.code, 126, plain.err);
  },
);

testOn(
  "preload",
  "The sandbox on the preload's bus is refused with the ways that work",
  async () => {
    using folder = new Folder();
    const { code, err } = await driverspace([
      ...["simulate", "multimeter", "--transport", "preload", "--"],
      ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
      new URL("../../cli.ts", import.meta.url).pathname,
      ...["run", "usbtmc", "--device", "1209:0002"],
      ...["--log", `${folder.path}/a.log`],
    ]);
    assertEquals(code, 77, err);
    assertStringIncludes(err, "--direct, or simulate with --transport notify");
  },
);

Deno.test("An unknown profile, log level, transport and time end with 2", async () => {
  const device = ["--virtual", "multimeter"];
  await refused(
    ["run", "usbtmc", ...device, "--profile", "jitles"],
    2,
    "Did you mean jitless?",
  );
  await refused(
    ["run", "usbtmc", ...device, "--log-level", "loud"],
    2,
    "There is no log level",
  );
  await refused(["run", "usbtmc", ...device, "--for", "soon"], 2, "12s");
  await refused(
    ["run", "usbtmc", ...device, "--start-timeout", "soon"],
    2,
    "--start-timeout",
  );
  await refused(
    ["simulate", "multimeter", "--transport", "preloaded", "--", "lsusb"],
    2,
    "Did you mean preload?",
  );
  await refused(["simulate", "multimeter"], 2, "Give it behind --");
  await refused(["explain", "usbtmc", "--profile", "y"], 2, "no profile");
});

Deno.test("An unknown command of a driver, and a wrong parameter, end with 2", async () => {
  const device = ["--virtual", "multimeter"];
  await refused(
    ["call", "usbtmc", "querry", ...device],
    2,
    "Did you mean query?",
  );
  await refused(
    ["call", "usbtmc", "query", "massage=*IDN?", ...device],
    2,
    '"massage"',
  );
  await refused(["call", "usbtmc", "query", ...device], 2, "without message");
});

testOn("preload", "Excess permissions are refused in direct mode", async () => {
  // The driver process itself, started with everything granted.
  const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", fixture("started_by_hand.ts")],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 77, new TextDecoder().decode(stderr));
  assertStringIncludes(text, "grants more than it needs");
  assertStringIncludes(text, "--allow-run");
});

Deno.test("The program itself refuses with a sentence on stderr and nothing on stdout", async () => {
  const { code, out, err } = await driverspace(["rum", "usbtmc"]);
  assertEquals([code, out], [2, ""]);
  assertStringIncludes(err, "Did you mean run?");
});

for (const mode of ["--direct", ""]) {
  const where = mode === "" ? "in the sandbox" : "in direct mode";
  testOn(
    "notify",
    `A busy interface ends with 75 ${where} and leaves nothing claimed`,
    async () => {
      using folder = new Folder();
      // Two drivers on one virtual bus: the inner driverspace sees the outer's bus.
      const { code, err } = await driverspace([
        ...["simulate", "multimeter", "--transport", "notify"],
        ...["--", "sh", fixture("busy.sh")],
        Deno.execPath(),
        new URL("../../cli.ts", import.meta.url).pathname,
        folder.path,
        mode,
      ]);
      assertEquals(code, 75, err);
      assertStringIncludes(
        err,
        mode === "" ? "usbfs holds it" : "another program holds it",
      );
    },
  );
}

function fixture(name: string): string {
  return new URL(`./fixtures/${name}`, import.meta.url).pathname;
}

Deno.test("A system without any virtual bus says what is missing for each", async () => {
  using folder = new Folder();
  await refused(
    [
      ...["run", "usbtmc", "--virtual", "multimeter"],
      ...["--log", `${folder.path}/a.log`],
    ],
    69,
    "Install the package umockdev. Namespaces are refused.",
    fakeToolbox({
      tools: {
        sandboxFacts: () =>
          Promise.resolve({
            landlockAbi: 7,
            seccomp: "",
            transports: {
              preload: "Install the package umockdev.",
              notify: "Namespaces are refused.",
            },
          }),
      },
    }),
  );
});
