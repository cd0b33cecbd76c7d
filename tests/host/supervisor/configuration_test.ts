import {
  CONFIGURATION_BYTES_MAX,
  ConfigurationError,
  parseConfiguration,
} from "../../../driver/host/supervisor/configuration.ts";
import { diffConfigurations } from "../../../driver/host/supervisor/configuration_diff.ts";
import { Chance } from "../../../driver/loop/chance.ts";
import { assertEquals, assertThrows, fail } from "../../../driver/std.ts";

const SOUND = `
# Two instruments of one laboratory.
state_file = "/var/lib/driverspace/state.json"

[server]
socket = "/run/driverspace/socket"

[drivers.dmm]
driver = "usbtmc"
device = { vendor = "0957", product = 0x1755, serial = "MY47000001" }
log = "/var/log/driverspace/dmm.log"

[drivers.dmm.options]
poll = "READ?"
"poll-interval-ms" = 250

[drivers.dmm.restart]
failures_max = 3

[drivers.scope]
driver = "usbtmc"
required = false
standby = false
device.port = "1-4.2"
`;

function problemsOf(source: string): string[] {
  try {
    parseConfiguration(source, "lab.toml");
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split("\n");
    throw error;
  }
  return fail("The configuration was taken");
}

Deno.test("A configuration names drivers, devices, options and limits", () => {
  const { drivers, server, stateFile } = parseConfiguration(SOUND, "lab.toml");
  assertEquals(server, { socket: "/run/driverspace/socket" });
  assertEquals(stateFile, "/var/lib/driverspace/state.json");
  assertEquals([...drivers.keys()], ["dmm", "scope"]);
  const dmm = drivers.get("dmm");
  assertEquals(dmm?.device, {
    vendorId: 0x0957,
    productId: 0x1755,
    serialNumber: "MY47000001",
  });
  assertEquals(dmm?.options, { "poll": "READ?", "poll-interval-ms": 250 });
  assertEquals(dmm?.restart.failuresMax, 3);
  assertEquals(dmm?.restart.quarantineMs, 300_000);
  assertEquals(drivers.get("scope")?.isRequired, false);
  assertEquals([...drivers.values()].map((one) => one.hasStandby), [
    true,
    false,
  ]);
  assertEquals(drivers.get("scope")?.device, { portPath: "1-4.2" });
});

Deno.test("A configuration tells every mistake with its line and column", () => {
  assertEquals(
    problemsOf(
      [
        "[server]",
        "port = 8080",
        "[drivers.dmm]",
        'drive = "usbtmc"',
        'device = { vendor = "957", product = "1755" }',
        '  log = "dmm.log"',
        "[drivers.Scope]",
        "[drivers.pen]",
        'driver = "hid"',
        "required = 1",
        'standby = "yes"',
      ].join("\n"),
    ),
    [
      "lab.toml:2:1: server.port needs a token_file: whoever reaches a port must show the token",
      "lab.toml:3:2: drivers.dmm.driver is missing: which driver is it?",
      "lab.toml:4:1: drivers.dmm.drive is not known here. Did you mean driver?",
      'lab.toml:5:12: drivers.dmm.device.vendor must be four hexadecimal digits, as "0957"',
      "lab.toml:6:3: drivers.dmm.log must be an absolute path without ..",
      "lab.toml:7:2: drivers.Scope must be lower case letters, digits and dashes, at most 32",
      "lab.toml:8:2: drivers.pen.device is missing: say which by vendor and product, serial, port, interface_class, or virtual",
      "lab.toml:10:1: drivers.pen.required must be true or false",
      "lab.toml:11:1: drivers.pen.standby must be true or false",
    ],
  );
});

Deno.test("A configuration that is no TOML names the place", () => {
  const [problem] = problemsOf('[server]\nsocket = "/run/x\n');
  assertEquals(problem?.startsWith("lab.toml:2:"), true, problem);
  assertEquals(problem?.includes("This is no TOML"), true, problem);
});

Deno.test("A configuration refuses a key that is given twice, and an empty one", () => {
  const twice = SOUND + 'driver = "hid"\n';
  assertEquals(
    problemsOf(twice).some((line) =>
      line.endsWith("drivers.scope.driver is given twice")
    ),
    true,
  );
  assertEquals(problemsOf(""), [
    "lab.toml:1:1: drivers names no driver: add [drivers.NAME]",
  ]);
});

Deno.test("A configuration of the wrong shape is refused, whatever it holds", () => {
  for (
    const source of [
      "drivers = 1",
      "[[drivers]]\nx = 1",
      "[drivers]\na = 1",
      '[drivers.a]\ndriver = ["x"]\ndevice = []',
      "[__proto__]\npolluted = true",
      "[drivers.a]\noptions = 1979-05-27",
      '[drivers.a]\ndriver = "x"\ndevice = { virtual = "m", vendor = "0957" }',
    ]
  ) problemsOf(source);
  assertEquals(Object.hasOwn(Object.prototype, "polluted"), false);
  assertThrows(
    () =>
      parseConfiguration(`#${"x".repeat(CONFIGURATION_BYTES_MAX)}`, "lab.toml"),
    ConfigurationError,
    "longer than",
  );
});

Deno.test("A configuration under random damage is refused or read, never worse", () => {
  const chance = new Chance(20_261);
  for (let round = 0; round < 300; round++) {
    const letters = [...SOUND];
    for (let change = 0; change < 3; change++) {
      letters[chance.integer(0, letters.length - 1)] = chance.pick(
        [..."[]{}=\"'.,#\n\\a0"],
      );
    }
    try {
      parseConfiguration(letters.join(""), "lab.toml");
    } catch (error) {
      if (!(error instanceof ConfigurationError)) {
        throw new Error(`Seed 20261, round ${round}`, { cause: error });
      }
    }
  }
});

Deno.test("A reload touches only what changed", () => {
  const before = parseConfiguration(SOUND, "lab.toml");
  const after = parseConfiguration(
    SOUND.replace("READ?", "FETCH?").replace("[drivers.scope]", "[drivers.pen]")
      .replace("/run/driverspace/socket", "/run/driverspace/other"),
    "lab.toml",
  );
  const diff = diffConfigurations(before, after);
  assertEquals(diff.added.map(({ name }) => name), ["pen"]);
  assertEquals(diff.changed.map(({ name }) => name), ["dmm"]);
  assertEquals(diff.removed, ["scope"]);
  assertEquals(diff.unchanged, []);
  assertEquals([diff.needsRestart, diff.isBridgeStale], [["server"], false]);

  const reordered = parseConfiguration(
    SOUND.replace(
      'poll = "READ?"\n"poll-interval-ms" = 250',
      'poll-interval-ms = 250\npoll = "READ?"',
    ),
    "lab.toml",
  );
  assertEquals(diffConfigurations(before, reordered).unchanged, [
    "dmm",
    "scope",
  ]);
});
