import {
  assert,
  assertEquals,
  assertStringIncludes,
} from "../../driver/std.ts";
import { UsbError } from "../../driver/errors.ts";
import { parseUsbIds } from "../../driver/host/usb_ids.ts";
import { productId, vendorId } from "../../driver/usb.ts";
import { call, fakeDevice, fakeSystem, fakeToolbox } from "./fake_parts.ts";

const NODE = "/dev/bus/usb/001/007";
const ACCESSIBLE = { [NODE]: { uid: 0, gid: 1000, mode: 0o660 } };

Deno.test("list shows a device with its driver and that it may be opened", async () => {
  const system = fakeSystem(ACCESSIBLE);
  const toolbox = fakeToolbox({ devices: [fakeDevice()], system });
  const { code, out } = await call(["list"], toolbox);
  assertEquals(code, 0);
  assert(
    /1-4 +0957:1755 +Agilent 34410A +MY47000001 +high +usbtmc +- +yes/.test(
      out,
    ),
    out,
  );
});

Deno.test("list --json has stable names and what stands in the way", async () => {
  const system = fakeSystem({
    [NODE]: { uid: 0, gid: 0, mode: 0o664 },
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/:/bin/sh\n",
    "/etc/group": "root:x:0:\n",
  });
  const toolbox = fakeToolbox({ devices: [fakeDevice()], system });
  const { out } = await call(["list", "--json"], toolbox);
  assertEquals(JSON.parse(out), [{
    vendor_id: "0957",
    product_id: "1755",
    port: "1-4",
    vendor: "Agilent",
    product: "34410A",
    serial: "MY47000001",
    speed: "high",
    node: NODE,
    interfaces: [],
    drivers: ["usbtmc"],
    access: {
      granted: false,
      problem: `${NODE} belongs to root:root, mode 0664, and we are user anna`,
      next: "Install the rule that driverspace udev 0957:1755 prints",
    },
  }]);
});

Deno.test("list tells to join the group where the rule is there already", async () => {
  const system = fakeSystem({
    [NODE]: { uid: 0, gid: 46, mode: 0o660 },
    "/etc/group": "plugdev:x:46:\n",
  });
  const toolbox = fakeToolbox({ devices: [fakeDevice()], system });
  const { out } = await call(["list"], toolbox);
  assertStringIncludes(out, "usermod --append --groups plugdev");
});

Deno.test("list escapes what a device says of itself", async () => {
  const device = fakeDevice({ product: "\x1b[2Jfake\nline" });
  const toolbox = fakeToolbox({
    devices: [device],
    system: fakeSystem(ACCESSIBLE),
  });
  const { out } = await call(["list"], toolbox);
  assert(!out.includes("\x1b"));
  assertEquals(out.trimEnd().split("\n").length, 2);
});

Deno.test("list says so when there is nothing", async () => {
  const { code, out } = await call(["list"]);
  assertEquals([code, out], [0, "No devices besides hubs.\n"]);
});

Deno.test("list without libusb ends with 72 and how to install it", async () => {
  const toolbox = fakeToolbox({
    tools: {
      openPort: () =>
        Promise.reject(
          new UsbError({
            code: "library",
            operation: "find libusb-1.0",
            reason: "there is none",
            advice: "Install libusb 1.0",
          }),
        ),
    },
  });
  const { code, err } = await call(["list"], toolbox);
  assertEquals(code, 72);
  assertEquals(
    err,
    "driverspace: Cannot find libusb-1.0: there is none. Install libusb 1.0\n",
  );
});

Deno.test("Names come from usb.ids, and its other sections are passed over", () => {
  const names = parseUsbIds(
    [
      "# comment",
      "0957  Agilent Technologies, Inc.",
      "\t1755  34410A Multimeter",
      "\t\t01  an interface",
      "1d6b  Linux Foundation",
      "\t0002  2.0 root hub",
      "C 00  (Defined at Interface level)",
      "\t0001  not a product",
      "garbage",
    ].join("\n"),
  );
  assertEquals(names.vendor(0x0957), "Agilent Technologies, Inc.");
  assertEquals(names.product(0x0957, 0x1755), "34410A Multimeter");
  assertEquals(names.product(0x1d6b, 0x0001), undefined);
  assertEquals(names.vendor(0xffff), undefined);
});

Deno.test("A device that no driver matches shows none", async () => {
  const descriptor = {
    ...fakeDevice().descriptor,
    vendorId: vendorId(0x1234),
    productId: productId(0),
  };
  const toolbox = fakeToolbox({
    devices: [fakeDevice({ descriptor })],
    system: fakeSystem(ACCESSIBLE),
  });
  const { out } = await call(["list", "--json"], toolbox);
  assertEquals(JSON.parse(out)[0].drivers, []);
});
