/** The port contract: claims, kernel drivers, alternate settings, configurations, reset. */

import { assert, assertEquals } from "../../driver/std.ts";
import { interfaceNumber } from "../../driver/usb.ts";
import {
  bytes,
  configuration,
  type ContractTest,
  ECHO_IN,
  ECHO_OUT,
  eventually,
  FACE,
  INTERRUPT_ECHO_IN,
  INTERRUPT_ECHO_OUT,
  ISOCHRONOUS_FACE,
  openLoopback,
  plugLoopback,
  rejectsWith,
  setting,
  SOURCE,
  vendor,
  within,
} from "./contract_kit.ts";

const CLAIM_TESTS: readonly ContractTest[] = [
  {
    name: "claiming an interface twice is a no-op",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await within(bench, device.claimInterface(FACE));
      assertEquals([...device.claimed], [[FACE, setting(0)]]);
    },
  },
  {
    name: "claiming an interface that is not there is refused with notFound",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await rejectsWith(
        bench,
        "notFound",
        device.claimInterface(interfaceNumber(9)),
      );
    },
  },
  {
    name: "claiming an interface that another holds is refused with busy",
    run: async (bench) => {
      const { info, device } = await openLoopback(bench);
      const other = await within(bench, bench.port.open(info));
      await rejectsWith(bench, "busy", other.claimInterface(FACE));
      await within(bench, device.releaseInterface(FACE));
      await within(bench, other.claimInterface(FACE));
      assertEquals(device.claimed.size, 0);
    },
  },
  {
    name: "releasing what is not claimed is a no-op",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await within(bench, device.releaseInterface(ISOCHRONOUS_FACE));
      await within(bench, device.releaseInterface(FACE));
      await within(bench, device.releaseInterface(FACE));
    },
  },
  {
    name: "releasing an interface cancels and drains its transfers first",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const reading = device.transfer({
        type: "in",
        endpoint: ECHO_IN,
        lengthBytes: 64,
      });
      await within(bench, device.releaseInterface(FACE));
      assertEquals((await within(bench, reading)).status, "cancelled");
    },
  },
  {
    name: "a kernel driver keeps its interface when it is not to be detached",
    needs: ["kernelDrivers"],
    run: async (bench) => {
      const { info } = await plugLoopback(bench, {
        kernelDrivers: { 0: "usbtest" },
      });
      const device = await within(bench, bench.port.open(info));
      assert(await within(bench, device.kernelDriverActive(FACE)));
      await rejectsWith(bench, "busy", device.claimInterface(FACE));
    },
  },
  {
    name: "a detached kernel driver comes back when the device is closed",
    needs: ["kernelDrivers"],
    run: async (bench) => {
      const { info, device } = await openLoopback(bench, {
        kernelDrivers: { 0: "usbtest" },
        kernelDriver: "detach",
      });
      assert(!await within(bench, device.kernelDriverActive(FACE)));
      await within(bench, device.close());
      const again = await within(bench, bench.port.open(info));
      assert(await within(bench, again.kernelDriverActive(FACE)));
    },
  },
  {
    name: "kernel drivers are detached and attached by hand",
    needs: ["kernelDrivers"],
    run: async (bench) => {
      const { info } = await plugLoopback(bench, {
        kernelDrivers: { 0: "usbtest" },
      });
      const device = await within(bench, bench.port.open(info));
      await within(bench, device.detachKernelDriver(FACE));
      assert(!await within(bench, device.kernelDriverActive(FACE)));
      await rejectsWith(bench, "notFound", device.detachKernelDriver(FACE));
      await within(bench, device.attachKernelDriver(FACE));
      assert(await within(bench, device.kernelDriverActive(FACE)));
    },
  },
];

const ALTERNATE_TESTS: readonly ContractTest[] = [
  {
    name: "an alternate setting brings its endpoints and takes the others",
    run: async (bench) => {
      const { device, read, write } = await openLoopback(bench);
      await within(bench, device.setAlternateSetting(FACE, setting(1)));
      assertEquals(device.claimed.get(FACE), setting(1));
      await write(INTERRUPT_ECHO_OUT, bytes(20));
      const echoed = await read(INTERRUPT_ECHO_IN, 64);
      assertEquals(echoed.data, bytes(20));
      await rejectsWith(bench, "notFound", write(ECHO_OUT, bytes(1)));
      await within(bench, device.setAlternateSetting(FACE, setting(0)));
      assertEquals((await write(ECHO_OUT, bytes(1))).status, "completed");
    },
  },
  {
    name:
      "an alternate setting cancels and drains the interface's transfers first",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      const reading = device.transfer({
        type: "in",
        endpoint: ECHO_IN,
        lengthBytes: 64,
      });
      await within(bench, device.setAlternateSetting(FACE, setting(1)));
      assertEquals((await within(bench, reading)).status, "cancelled");
    },
  },
  {
    name: "an alternate setting that is not there is refused with notFound",
    run: async (bench) => {
      const { device, read, write } = await openLoopback(bench);
      await rejectsWith(
        bench,
        "notFound",
        device.setAlternateSetting(FACE, setting(7)),
      );
      assertEquals(device.claimed.get(FACE), setting(0));
      await write(ECHO_OUT, bytes(3));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(3));
    },
  },
  {
    name: "an alternate setting needs the claim",
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await rejectsWith(
        bench,
        "state",
        device.setAlternateSetting(ISOCHRONOUS_FACE, setting(1)),
      );
    },
  },
];

const CONFIGURATION_TESTS: readonly ContractTest[] = [
  {
    name: "a configuration brings its endpoints",
    needs: ["configurations"],
    run: async (bench) => {
      const { device, read, write } = await openLoopback(bench);
      await within(bench, device.releaseInterface(FACE));
      await within(bench, device.setConfiguration(configuration(2)));
      assertEquals(device.configuration?.configurationValue as number, 2);
      await within(bench, device.claimInterface(FACE));
      await write(ECHO_OUT, bytes(7));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(7));
      await rejectsWith(bench, "notFound", read(SOURCE, 64));
    },
  },
  {
    name: "a configuration is not changed under a claim",
    needs: ["configurations"],
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await rejectsWith(
        bench,
        "busy",
        device.setConfiguration(configuration(2)),
      );
      assertEquals(device.configuration?.configurationValue as number, 1);
    },
  },
  {
    name: "a configuration that is not there is refused with notFound",
    needs: ["configurations"],
    run: async (bench) => {
      const { device } = await openLoopback(bench);
      await within(bench, device.releaseInterface(FACE));
      await rejectsWith(
        bench,
        "notFound",
        device.setConfiguration(configuration(9)),
      );
    },
  },
  {
    name: "a reset keeps claims and alternate settings",
    needs: ["reset"],
    run: async (bench) => {
      const { device, read, write } = await openLoopback(bench);
      await within(bench, device.setAlternateSetting(FACE, setting(1)));
      await within(bench, device.reset());
      assertEquals([...device.claimed], [[FACE, setting(1)]]);
      await write(INTERRUPT_ECHO_OUT, bytes(9));
      assertEquals((await read(INTERRUPT_ECHO_IN, 64)).data, bytes(9));
    },
  },
  {
    name: "a reset ends transfers and clears halts",
    needs: ["reset"],
    run: async (bench) => {
      const { device, read, write, command } = await openLoopback(bench);
      const reading = device.transfer({
        type: "in",
        endpoint: ECHO_IN,
        lengthBytes: 64,
      });
      await command("halt", 0, SOURCE);
      await within(bench, device.reset());
      assertEquals((await within(bench, reading)).status, "cancelled");
      assertEquals((await read(SOURCE, 64)).status, "completed");
      await write(ECHO_OUT, bytes(5));
      assertEquals((await read(ECHO_IN, 64)).data, bytes(5));
    },
  },
  {
    name: "a reset that brings another device is refused with noDevice",
    needs: ["resetSeen", "hotplug"],
    run: async (bench) => {
      const { device, info, read } = await openLoopback(bench, {
        leavesOnReset: true,
      });
      await rejectsWith(bench, "noDevice", device.reset());
      assertEquals((await read(ECHO_IN, 64)).status, "noDevice");
      await within(bench, device.close());
      await eventually(bench, async () => {
        const [again] = await bench.port.devices();
        return again !== undefined && again.id !== info.id;
      }, "it is back");
    },
  },
  {
    name: "capabilities come from the binary object store",
    needs: ["superSpeed"],
    run: async (bench) => {
      const { device, info } = await openLoopback(bench, { speed: "super" });
      assertEquals(info.speed, "super");
      const capabilities = await within(bench, device.readCapabilities());
      assertEquals(
        capabilities.map(({ capabilityType, bytes }) => [
          capabilityType,
          bytes.length,
        ]),
        [[2, 7], [3, 10]],
      );
    },
  },
  {
    name: "a device without a binary object store has no capabilities",
    run: async (bench) => {
      const { device, transfer } = await openLoopback(bench);
      assertEquals(await within(bench, device.readCapabilities()), []);
      const after = await transfer({
        type: "controlIn",
        setup: vendor(1),
        lengthBytes: 4,
      });
      assertEquals(after.status, "completed");
    },
  },
];

/** Claims, alternate settings, configurations. */
export const SETTINGS_TESTS: readonly ContractTest[] = [
  ...CLAIM_TESTS,
  ...ALTERNATE_TESTS,
  ...CONFIGURATION_TESTS,
];
