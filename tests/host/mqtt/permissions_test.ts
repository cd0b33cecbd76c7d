/** The rights of the bridge: exactly these, and refused with more or less. */

import {
  bridgeFlags,
  type BridgeGrants,
  checkBridgePermissions,
  giveUpFiles,
} from "../../../driver/host/mqtt/permissions.ts";
import { assertEquals, assertThrows } from "../../../driver/std.ts";

const GRANTS: BridgeGrants = {
  settings: {
    host: "broker.lan",
    port: 8883,
    isTls: true,
    clientId: "driverspace",
    prefix: "driverspace",
    takesCommands: true,
    tellsHomeAssistant: true,
    discoveryPrefix: "homeassistant",
    user: "lab",
    passwordFile: "/etc/driverspace/password",
    caFile: "/etc/driverspace/ca,1.pem",
  },
  socket: "/run/driverspace/socket",
  configuration: "/etc/driverspace/lab.toml",
};

/** What a runtime with exactly the needed rights says. */
function exactly(descriptor: Deno.PermissionDescriptor): boolean {
  if (descriptor.name === "net") {
    return ["broker.lan:8883", "unix:/run/driverspace/socket"]
      .includes(descriptor.host ?? "");
  }
  const files = ["/run/driverspace/socket"];
  if (descriptor.name === "read") {
    files.push(
      "/etc/driverspace/lab.toml",
      "/etc/driverspace/password",
      "/etc/driverspace/ca,1.pem",
    );
  }
  const isFile = descriptor.name === "read" || descriptor.name === "write";
  return isFile && files.includes(String(descriptor.path));
}

Deno.test("The flags name one broker, one socket and the files of the configuration", () => {
  assertEquals(bridgeFlags(GRANTS), [
    "--ignore-env",
    "--allow-net=broker.lan:8883,unix:/run/driverspace/socket",
    "--allow-read=/run/driverspace/socket,/etc/driverspace/lab.toml,/etc/driverspace/password,/etc/driverspace/ca,,1.pem",
    "--allow-write=/run/driverspace/socket",
  ]);
  assertThrows(
    () => bridgeFlags({ ...GRANTS, socket: "/run/a,b" }),
    TypeError,
    "comma",
  );
});

Deno.test("Exactly the rights that are needed are neither too few nor too many", () => {
  assertEquals(checkBridgePermissions(GRANTS, exactly), {
    missing: [],
    excess: [],
  });
});

Deno.test("What is missing is named, and what is too much", () => {
  const { missing, excess } = checkBridgePermissions(GRANTS, () => false);
  assertEquals(missing.length, 7);
  assertEquals(excess, []);
  const all = checkBridgePermissions(GRANTS, () => true);
  assertEquals(all.missing, []);
  for (
    const flag of [
      ...["net", "read", "write", "env", "run", "sys", "ffi"]
        .map((name) => `--allow-${name}`),
      "--allow-net=broker.lan",
      "--allow-read=/etc/driverspace",
      "--allow-write=/run/driverspace",
      "--allow-write=/etc/driverspace/lab.toml",
    ]
  ) assertEquals(all.excess.includes(flag), true, flag);
});

Deno.test("A folder around what is needed is more than it", () => {
  const { excess } = checkBridgePermissions(
    GRANTS,
    (descriptor) =>
      exactly(descriptor) ||
      (descriptor.name === "read" && descriptor.path === "/etc/driverspace"),
  );
  assertEquals(excess, ["--allow-read=/etc/driverspace"]);
});

Deno.test("The files are given up, the broker and the socket are not", () => {
  const given: unknown[] = [];
  giveUpFiles(GRANTS, (descriptor) => void given.push(descriptor));
  assertEquals(given, [
    { name: "read", path: "/etc/driverspace/lab.toml" },
    { name: "read", path: "/etc/driverspace/password" },
    { name: "read", path: "/etc/driverspace/ca,1.pem" },
  ]);
});
