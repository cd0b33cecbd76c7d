import { UsbError } from "../../driver/errors.ts";
import type { Check } from "../../driver/host/doctor.ts";
import type { SystemReader } from "../../driver/host/system_reader.ts";
import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { call, fakeDevice, fakeSystem, fakeToolbox } from "./fake_parts.ts";

const SOUND = {
  "/dev/bus/usb": { uid: 0, gid: 0, mode: 0o755 },
  "/dev/bus/usb/001/007": { uid: 0, gid: 1000, mode: 0o660 },
  "/run/udev/control": "",
  "/sys/module/usbcore/parameters/usbfs_memory_mb": "16\n",
  "/proc/sys/kernel/seccomp/actions_avail": "kill_process trap errno allow\n",
  "/proc/self/status": "Name:\tdeno\nNoNewPrivs:\t0\nSeccomp:\t0\n",
  "/proc/sys/kernel/osrelease": "6.12.0-1-amd64\n",
};

async function checks(
  toolbox: ReturnType<typeof fakeToolbox>,
): Promise<{ code: number; found: Map<string, Check> }> {
  const { code, out } = await call(["doctor", "--json"], toolbox);
  const list: Check[] = JSON.parse(out);
  return { code, found: new Map(list.map((check) => [check.name, check])) };
}

Deno.test("doctor ends with 0 on a sound system", async () => {
  const { code, found } = await checks(
    fakeToolbox({ devices: [fakeDevice()], system: fakeSystem(SOUND) }),
  );
  const bad = [...found.values()].filter((check) => check.result !== "ok");
  assertEquals(bad, []);
  assertEquals(code, 0);
});

Deno.test("doctor ends with 1 and the next step when libusb is missing", async () => {
  const { code, found } = await checks(fakeToolbox({
    system: fakeSystem(SOUND),
    tools: {
      findLibrary: () => {
        throw new UsbError({
          code: "library",
          operation: "find libusb-1.0",
          reason: "there is none",
        });
      },
    },
  }));
  assertEquals(code, 1);
  assertEquals(found.get("libusb")?.result, "fail");
  assertStringIncludes(found.get("libusb")?.next ?? "", "libusb-1.0-0");
});

Deno.test("doctor warns of a libusb with known faults, and that is no failure", async () => {
  const warning = "libusb 1.0.26 misreads some malformed descriptors";
  const { code, found } = await checks(fakeToolbox({
    system: fakeSystem(SOUND),
    tools: { findLibrary: () => ({ path: "/l", version: "1.0.26", warning }) },
  }));
  assertEquals(code, 0);
  assertEquals(found.get("libusb")?.cause, warning);
});

Deno.test("doctor names owner, group and mode of a node that refuses us", async () => {
  const system = fakeSystem({
    ...SOUND,
    "/dev/bus/usb/001/007": { uid: 0, gid: 0, mode: 0o664 },
  });
  const { code, found } = await checks(
    fakeToolbox({ devices: [fakeDevice()], system }),
  );
  const check = found.get("access to 0957:1755@1-4");
  assertEquals([code, check?.result], [1, "fail"]);
  assertStringIncludes(check?.cause ?? "", "belongs to 0:0, mode 0664");
  assertStringIncludes(check?.next ?? "", "driverspace udev 0957:1755");
});

Deno.test("doctor fails without Landlock and without seccomp", async () => {
  const { "/proc/sys/kernel/seccomp/actions_avail": _, ...rest } = SOUND;
  const { code, found } = await checks(fakeToolbox({
    system: fakeSystem(rest),
    tools: {
      sandboxFacts: () =>
        Promise.resolve({
          landlockAbi: 0,
          seccomp: "",
          transports: { preload: "not installed", notify: "" },
        }),
    },
  }));
  assertEquals(code, 1);
  assertEquals(found.get("landlock")?.result, "fail");
  assertEquals(found.get("seccomp")?.result, "fail");
  assertEquals(found.get("virtual bus A (umockdev)")?.result, "note");
});

Deno.test("doctor fails where the kernel has seccomp filters and does not take ours", async () => {
  const { code, found } = await checks(fakeToolbox({
    devices: [fakeDevice()],
    system: fakeSystem(SOUND),
    tools: {
      sandboxFacts: () =>
        Promise.resolve({
          landlockAbi: 7,
          seccomp: "EPERM",
          transports: { preload: "", notify: "" },
        }),
    },
  }));
  const { result, found: what, next } = found.get("seccomp") ?? {};
  assertEquals([code, result, what], [1, "fail", "refused (EPERM)"]);
  assertStringIncludes(next ?? "", "whose own profile allows seccomp");
});

Deno.test("doctor says which kernel the jitless profile needs, and that is no failure", async () => {
  for (
    const [release, result] of [
      ["6.1.0-18-amd64", "note"],
      ["5.15.0", "note"],
      ["6.3.0", "ok"],
      ["10.0", "ok"],
    ]
  ) {
    const { code, found } = await checks(fakeToolbox({
      devices: [fakeDevice()],
      system: fakeSystem({
        ...SOUND,
        "/proc/sys/kernel/osrelease": `${release}\n`,
      }),
    }));
    assertEquals([code, found.get("profile jitless")?.result], [0, result]);
  }
});

Deno.test("doctor says when there is no USB, no udev and little memory for transfers", async () => {
  const { code, found } = await checks(fakeToolbox({
    system: fakeSystem({
      "/proc/sys/kernel/seccomp/actions_avail": "errno",
      "/sys/module/usbcore/parameters/usbfs_memory_mb": "2",
    }),
  }));
  assertEquals(code, 0);
  for (const name of ["usb device nodes", "udev", "usbfs memory"]) {
    assertEquals(found.get(name)?.result, "note", name);
  }
});

Deno.test("doctor prints each check with cause and next step for people", async () => {
  const { out } = await call(["doctor"], fakeToolbox());
  assertStringIncludes(out, "ok    libusb: 1.0.30, /usr/lib/libusb.so\n");
  assertStringIncludes(out, "note  udev: not running\n");
  assertStringIncludes(out, "      Next: ");
});

Deno.test("On a virtual bus doctor and list look at that bus, not at nodes of this machine", async () => {
  const system: SystemReader = { ...fakeSystem({}), virtualBus: "notify" };
  const toolbox = fakeToolbox({ devices: [fakeDevice()], system });
  const doctor = await call(["doctor"], toolbox);
  assertStringIncludes(doctor.out, "ok    bus: virtual, shown by notify");
  assertStringIncludes(doctor.out, "ok    access to 0957:1755@1-4: /dev/bus");
  assert(!/usb device nodes|udev|usbfs memory/.test(doctor.out), doctor.out);
  const list = await call(["list"], toolbox);
  assert(/usbtmc +- +yes\n$/.test(list.out), list.out);
});
