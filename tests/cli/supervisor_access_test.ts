/** How commands find a supervisor, and what they say when they cannot have it. */

import {
  SERVICE_SOCKET,
  socketOf,
  unreachable,
} from "../../driver/host/cli/supervisor_access.ts";
import { defaultSocket } from "../../driver/host/cli/serve_command.ts";
import {
  askSupervisor,
  UnreachableError,
  type UnreachableKind,
} from "../../driver/host/supervisor/client.ts";
import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";
import { call } from "./fake_parts.ts";
import { Folder } from "./spawned.ts";

Deno.test("A supervisor is looked for where it was named, at our own place, then at the system service's", () => {
  const nothingGiven = { value: () => undefined };
  const own = defaultSocket();
  const at = (...there: string[]) =>
    socketOf(nothingGiven, (path) => there.includes(path));
  assertEquals(at(own, SERVICE_SOCKET), own);
  assertEquals(at(SERVICE_SOCKET), SERVICE_SOCKET);
  assertEquals(at(), own);
  assertEquals(socketOf({ value: () => "/x" }, () => true), "/x");
});

Deno.test("Each way of not reaching a supervisor has its code and its next step", () => {
  const of = (kind: UnreachableKind) => {
    const { code, advice } = unreachable(new UnreachableError(kind, "x"));
    return [code, advice ?? ""] as const;
  };
  assertEquals(of("absent")[0], 69);
  assertStringIncludes(of("absent")[1], "driverspace serve CONFIG starts one");
  assertEquals(of("deaf")[0], 69);
  assertStringIncludes(of("deaf")[1], "see its log");
  assertEquals(of("denied")[0], 77);
  assertStringIncludes(of("denied")[1], "sudo -u driverspace");
});

Deno.test("status names the socket that is not there, and ends with 69", async () => {
  const { code, err } = await call(["status", "--socket", "/nowhere/socket"]);
  assertEquals(code, 69);
  assertStringIncludes(err, "/nowhere/socket: there is no such socket\n");
  assertStringIncludes(err, "driverspace serve CONFIG starts one");
});

Deno.test("A socket that a killed supervisor left behind is told from one that never was", async () => {
  using folder = new Folder();
  const path = `${folder.path}/socket`;
  const listener = Deno.listen({ transport: "unix", path: `${path}.made` });
  // Under another name it outlives its listener, as after SIGKILL.
  Deno.renameSync(`${path}.made`, path);
  listener.close();
  const error = await assertRejects(
    () => askSupervisor(path, "/status"),
    UnreachableError,
    "nobody listens there",
  );
  assertEquals(error.kind, "deaf");
});
