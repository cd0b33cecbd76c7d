import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { call } from "./fake_parts.ts";

Deno.test("udev prints a rule for one device and one group, never for all", async () => {
  const { code, out } = await call(["udev", "0957:1755"]);
  assertEquals(code, 0);
  assertStringIncludes(
    out,
    'SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ATTR{idVendor}=="0957", ' +
      'ATTR{idProduct}=="1755", MODE="0660", GROUP="driverspace"\n',
  );
  assertStringIncludes(out, 'ENV{PRODUCT}=="957/1755/*", TAG+="systemd"');
  assertStringIncludes(
    out,
    "# /etc/udev/rules.d/70-driverspace-0957-1755.rules",
  );
  assert(!out.includes("0666"));
});

Deno.test("udev takes a group and the seat", async () => {
  const { out } = await call([
    "udev",
    "0957:1755",
    "--group",
    "plugdev",
    "--seat",
  ]);
  assertStringIncludes(out, 'GROUP="plugdev", TAG+="uaccess"');
});

Deno.test("udev refuses what is no device and what is no group", async () => {
  const device = await call(["udev", "957:1755"]);
  assertEquals(device.code, 2);
  assertStringIncludes(device.err, "expected VID:PID, VID:PID:SERIAL");
  const group = await call(["udev", "0957:1755", "--group", 'x", RUN+="sh']);
  assertEquals(group.code, 2);
  assertEquals(group.out, "");
});
