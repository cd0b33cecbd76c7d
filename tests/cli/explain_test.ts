import type { DeviceInfo } from "../../driver/port.ts";
import { configurationValue, interfaceNumber } from "../../driver/usb.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "../../driver/std.ts";
import { call, fakeDevice, fakeSystem, fakeToolbox } from "./fake_parts.ts";
import { driverspace, testOn } from "./spawned.ts";

/** The meter with the one interface its driver claims. */
const METER: DeviceInfo = fakeDevice({
  configurationValue: configurationValue(1),
  configurations: [{
    configurationValue: configurationValue(1),
    configurationIndex: 0,
    attributes: 0x80,
    maxPowerMilliamperes: 100,
    interfaces: [{
      interfaceNumber: interfaceNumber(2),
      alternates: [{
        interfaceNumber: interfaceNumber(2),
        alternateSetting: 0 as never,
        interfaceClass: 0xfe,
        interfaceSubclass: 3,
        interfaceProtocol: 1,
        interfaceIndex: 0,
        endpoints: [],
        extra: [],
      }],
    }],
    associations: [],
    extra: [],
    bytes: new Uint8Array(),
  }],
});

Deno.test("explain without a device says what the driver matches, and what is there", async () => {
  const toolbox = fakeToolbox({ devices: [METER] });
  const { code, out } = await call(["explain", "usbtmc"], toolbox);
  assertEquals(code, 0);
  assertStringIncludes(out, "vendorId 0x957, productId 0x1755");
  assertStringIncludes(out, "matches   0957:1755@1-4  34410A");
});

Deno.test("explain with a device names every right, each layer, and what none protects", async () => {
  const toolbox = fakeToolbox({ devices: [METER] });
  const { code, out } = await call(
    ["explain", "usbtmc", "--device", "0957:1755"],
    toolbox,
  );
  assertEquals(code, 0);
  for (
    const text of [
      "100: /dev/bus/usb/001/007: the one device",
      "2 (mask 0x4)",
      "SUBMITURB",
      "yes  Landlock",
      "What none of it protects:",
    ]
  ) assertStringIncludes(out, text);
});

Deno.test("explain --json is one object of rights, layers and limits", async () => {
  const toolbox = fakeToolbox({ devices: [METER] });
  const { out } = await call(
    ["explain", "usbtmc", "--device", "0957:1755", "--json"],
    toolbox,
  );
  const { rights, layers, limits } = JSON.parse(out);
  assert(rights.length > 10 && layers.length > 5 && limits.length > 0);
});

Deno.test("explain --json says that the jitless profile needs Linux 6.3 where it cannot hold", async () => {
  const args = ["explain", "usbtmc", "--device", "0957:1755", "--json"];
  const layerOn = async (release: string): Promise<unknown> => {
    const toolbox = fakeToolbox({
      devices: [METER],
      system: fakeSystem({ "/proc/sys/kernel/osrelease": release }),
    });
    const { out } = await call([...args, "--profile", "jitless"], toolbox);
    const { layers } = JSON.parse(out) as {
      layers: { name: string; isActive: boolean; detail: string }[];
    };
    return layers.find(({ name }) => name === "no new code");
  };
  assertEquals(await layerOn("6.1.0-18-amd64\n"), {
    name: "no new code",
    isActive: false,
    detail: "profile jitless needs Linux 6.3; this is 6.1.0-18-amd64",
  });
  assertEquals(await layerOn("6.12.1\n"), {
    name: "no new code",
    isActive: true,
    detail: "jitless: no executable memory can be made",
  });
});

Deno.test("The profile is the one that is named, else the driver's own", async () => {
  const toolbox = fakeToolbox({ devices: [METER] });
  const [bundled] = toolbox.drivers;
  assert(bundled !== undefined);
  const tight = { ...bundled.driver, profile: "jitless" } as const;
  const tools = {
    ...toolbox,
    drivers: [{ ...bundled, driver: tight }],
  };
  const args = ["explain", "usbtmc", "--device", "0957:1755"];
  const profileOf = async (...more: string[]): Promise<string | undefined> => {
    const { out } = await call([...args, ...more], tools);
    return /profile (\w+)/.exec(out)?.[1];
  };
  assertEquals(await profileOf(), "jitless");
  assertEquals(await profileOf("--profile", "default"), "default");
});

testOn(
  "preload",
  "explain says of the profile virtual that it is weaker, and what does not hold in it",
  async () => {
    const args = ["explain", "usbtmc", "--virtual", "multimeter"];
    const { code, out, err } = await driverspace(
      [...args, "--profile", "virtual"],
    );
    assertEquals([code, err], [0, ""]);
    for (
      const line of [
        /^usbtmc with 1209:0002@1-1, profile virtual, which is WEAKER: see below\n/,
        /path +read and write below \/.*: nodes and sockets of the virtual bus/,
        /usb request +any: the preload library answers, no kernel/,
        /no +interface mask /,
        /What none of it protects:\n {2}WEAKER: profile virtual/,
      ]
    ) assertMatch(out, line);
    assert(!out.includes("  100: "), out);
  },
);

Deno.test("A real device is not driven in the profile virtual", async () => {
  for (const command of ["run", "call", "explain"]) {
    const { code, err } = await call([
      ...[
        command,
        "usbtmc",
        ...(command === "call" ? ["query", "message=x"] : []),
      ],
      ...["--device", "0957:1755", "--profile", "virtual"],
    ], fakeToolbox({ devices: [METER] }));
    assertEquals(code, 2, err);
    assertStringIncludes(err, "for virtual devices: never for a real one");
  }
});

Deno.test("explain says which layers this machine lacks, and that nothing starts without them", async () => {
  const actions = "/proc/sys/kernel/seccomp/actions_avail";
  const args = ["explain", "usbtmc", "--device", "0957:1755"];
  const explained = async (
    landlockAbi: number,
    files: Readonly<Record<string, string>>,
  ): Promise<string> => {
    const transports = { preload: "", notify: "" };
    const toolbox = fakeToolbox({
      devices: [METER],
      system: fakeSystem(files),
      tools: {
        sandboxFacts: () =>
          Promise.resolve({ landlockAbi, seccomp: "", transports }),
      },
    });
    return (await call(args, toolbox)).out;
  };
  const lacking = await explained(0, {});
  for (
    const line of [
      /no +Landlock +not in this kernel: nothing will start/,
      /no +seccomp +not in this kernel: nothing will start/,
      /no +stage 2 /,
    ]
  ) assertMatch(lacking, line);
  const sound = await explained(4, { [actions]: "kill_process errno allow\n" });
  for (const layer of ["Landlock", "seccomp", "stage 2"]) {
    assertMatch(sound, new RegExp(`yes +${layer} `));
  }
});

Deno.test("permissions prints exactly the flags of direct mode, and what they do not do", async () => {
  const toolbox = fakeToolbox({ devices: [METER] });
  const { code, out, err } = await call([
    ...["permissions", "usbtmc", "--device", "0957:1755"],
    ...["--log", "/tmp/a.log", "--json"],
  ], toolbox);
  assertEquals(code, 0);
  assertEquals(JSON.parse(out), [
    "--allow-ffi=/usr/lib/libusb.so",
    "--allow-read=/dev/bus/usb/001/007",
    "--allow-write=/dev/bus/usb/001/007,/tmp/a.log",
  ]);
  assertEquals(err, "");
  const text = await call(
    ["permissions", "usbtmc", "--device", "0957:1755"],
    toolbox,
  );
  assertStringIncludes(text.err, "They confine no native code");
});

Deno.test("drivers shows commands with their parameters, and the virtual devices", async () => {
  const { code, out } = await call(["drivers"]);
  assertEquals(code, 0);
  assertStringIncludes(
    out,
    "query message=STRING  Sends a message and reads the answer",
  );
  assertStringIncludes(out, "multimeter  A multimeter");
  const { out: json } = await call(["drivers", "--json"]);
  assertEquals(JSON.parse(json).drivers[0].name, "usbtmc");
});
