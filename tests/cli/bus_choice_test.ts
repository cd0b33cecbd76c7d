/** On which bus a virtual device is driven, and how confined: never less than was asked for by name. */

import { type BusChoice, chooseBus } from "../../driver/host/cli/bus_choice.ts";
import { CliError } from "../../driver/host/cli/exit_codes.ts";
import type { SandboxProfile } from "../../driver/host/sandbox_policy.ts";
import { UsbError } from "../../driver/errors.ts";
import { assertEquals, assertThrows } from "../../driver/std.ts";
import { call, fakeToolbox } from "./fake_parts.ts";
import { Folder } from "./spawned.ts";

const NO_A = "umockdev is not there.";
const NO_B = "Namespaces are refused.";

interface Wanted {
  readonly isDirect?: boolean;
  readonly profile?: SandboxProfile;
  readonly isProfileNamed?: boolean;
}

function choose(wanted: Wanted, preload: string, notify: string): BusChoice {
  const plan = {
    isDirect: false,
    profile: "default" as const,
    isProfileNamed: false,
    ...wanted,
  };
  return chooseBus(plan, { transports: { preload, notify } });
}

function refusal(wanted: Wanted, preload: string, notify: string): CliError {
  return assertThrows(() => choose(wanted, preload, notify), CliError);
}

Deno.test("The full sandbox is on bus B, in the profile that is wanted", () => {
  for (const profile of ["default", "jitless"] as const) {
    for (const preload of ["", NO_A]) {
      for (const isProfileNamed of [true, false]) {
        assertEquals(
          choose({ profile, isProfileNamed }, preload, ""),
          { transport: "notify", profile, why: "" },
        );
      }
    }
  }
});

Deno.test("Without bus B the profile is virtual, with the reason", () => {
  for (const profile of ["default", "jitless"] as const) {
    assertEquals(
      choose({ profile }, "", NO_B),
      {
        transport: "preload",
        profile: "virtual",
        why: "Namespaces are refused",
      },
    );
  }
});

Deno.test("A profile that was named is never exchanged for a weaker one", () => {
  const named = { profile: "default", isProfileNamed: true } as const;
  const { code, message, advice } = refusal(named, "", NO_B);
  assertEquals(code, 77);
  assertEquals(
    message,
    "Cannot run a virtual device in profile default here: Namespaces are refused.",
  );
  assertEquals(
    advice,
    "Leave --profile out for the profile virtual, which is weaker",
  );
});

Deno.test("The profile virtual is on bus A, whether or not there is a bus B", () => {
  const wanted = { profile: "virtual", isProfileNamed: true } as const;
  for (const notify of ["", NO_B]) {
    assertEquals(
      choose(wanted, "", notify),
      { transport: "preload", profile: "virtual", why: "" },
    );
    const { code, message } = refusal(wanted, NO_A, notify);
    assertEquals(code, 69);
    assertEquals(
      message,
      "Cannot show a virtual bus to programs: umockdev is not there.",
    );
  }
});

Deno.test("Direct mode takes either bus, A first", () => {
  const direct = { isDirect: true };
  assertEquals(choose(direct, "", "").transport, "preload");
  assertEquals(choose(direct, NO_A, "").transport, "notify");
  assertEquals(choose(direct, "", NO_B).transport, "preload");
});

Deno.test("A bus that cannot be shown after all ends with 69, any other failure as ever", async () => {
  using folder = new Folder();
  for (
    const [code, exitCode] of [["notSupported", 69], ["access", 77]] as const
  ) {
    const error = new UsbError({
      code,
      operation: "show a virtual bus",
      reason: "it went",
    });
    const args = ["--virtual", "multimeter", "--log", `${folder.path}/a.log`];
    const toolbox = fakeToolbox({
      tools: { startBus: () => Promise.reject(error) },
    });
    const { code: got, err } = await call(["run", "usbtmc", ...args], toolbox);
    assertEquals([got, err], [exitCode, `driverspace: ${error.message}\n`]);
  }
});

Deno.test("Without any bus the reasons of both are told", () => {
  for (const isDirect of [true, false]) {
    const { code, message } = refusal({ isDirect }, NO_A, NO_B);
    assertEquals(code, 69);
    assertEquals(
      message,
      "Cannot show a virtual bus to programs: umockdev is not there. Namespaces are refused.",
    );
  }
});
