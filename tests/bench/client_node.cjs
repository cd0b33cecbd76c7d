// npm usb on Node.js. Cases as client.c.
//
//   node client_node.cjs usb2-reuse|usb2|usb3 MODULE_FOLDER CASE...
// usb2-reuse: usb 2, a Transfer and a Buffer kept for all. usb2: as people use
// it, transferAsync with a new Buffer each. usb3: its WebUSB face.
"use strict";
const { createRequire } = require("node:module");
const [design, folder, ...cases] = process.argv.slice(2);
const load = createRequire(`${folder}/package.json`);
const now = () => Number(process.hrtime.bigint());
const cpuNow = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

async function openUsb3() {
  const { webusb, WebUSB } = load("usb");
  const usb = webusb ?? new WebUSB({ allowAllDevices: true });
  const device = await usb.requestDevice({ filters: [{ vendorId: 0x1209 }] });
  await device.open();
  await device.claimInterface(0);
  const setup = (request) => ({
    requestType: "vendor",
    recipient: "device",
    request,
    value: 0,
    index: 0,
  });
  return {
    model: (bytes) => device.controlTransferOut(setup(1), bytes),
    helper: async () =>
      Number(
        (await device.controlTransferIn(setup(2), 8)).data.getBigUint64(
          0,
          true,
        ),
      ),
    async loop(c, next, check) {
      const zeros = new Uint8Array(c.bytes);
      while (next()) {
        const started = now();
        if (c.endpoint & 0x80) {
          const { data } = c.endpoint === 0x80
            ? await device.controlTransferIn(setup(3), c.bytes)
            : await device.transferIn(c.endpoint & 0x7f, c.bytes);
          check(data, started);
        } else {
          await device.transferOut(c.endpoint, zeros);
          check(undefined, started);
        }
      }
    },
  };
}

function openUsb2() {
  const device = load("usb").findByIds(0x1209, 1);
  device.open();
  const claimed = device.interface(0);
  claimed.claim();
  const control = (...args) =>
    new Promise((resolve, reject) =>
      device.controlTransfer(
        ...args,
        (error, data) => error ? reject(error) : resolve(data),
      )
    );
  const reuse = (c, next, check) =>
    new Promise((resolve, reject) => {
      const endpoint = claimed.endpoint(c.endpoint);
      const buffer = Buffer.alloc(c.bytes);
      // What goes out is not checked.
      const view = c.endpoint & 0x80
        ? new DataView(buffer.buffer, buffer.byteOffset, c.bytes)
        : undefined;
      let started = 0;
      const transfer = endpoint.makeTransfer(0, (error) => {
        if (error) return reject(error);
        check(view, started);
        go();
      });
      function go() {
        if (!next()) return resolve();
        started = now();
        transfer.submit(buffer);
      }
      go();
    });
  // There is one way only.
  const controls = async (c, next, check) => {
    while (next()) {
      const started = now();
      const b = await control(0xc0, 3, 0, 0, c.bytes);
      check(new DataView(b.buffer, b.byteOffset, b.length), started);
    }
  };
  const fresh = async (c, next, check) => {
    const endpoint = claimed.endpoint(c.endpoint);
    const out = Buffer.alloc(c.bytes);
    while (next()) {
      const started = now();
      if (c.endpoint & 0x80) {
        const b = await endpoint.transferAsync(c.bytes);
        check(new DataView(b.buffer, b.byteOffset, b.length), started);
      } else {
        await endpoint.transferAsync(out);
        check(undefined, started);
      }
    }
  };
  return {
    model: (bytes) => control(0x40, 1, 0, 0, Buffer.from(bytes.buffer)),
    helper: async () =>
      Number((await control(0xc0, 2, 0, 0, 8)).readBigUInt64LE(0)),
    loop: (c, next, check) => {
      const way = design === "usb2-reuse" ? reuse : fresh;
      return (c.endpoint === 0x80 ? controls : way)(c, next, check);
    },
  };
}

async function main() {
  const device = design === "usb3" ? await openUsb3() : openUsb2();
  for (const text of cases) {
    const [mode, a, b, endpoint, bytes, depth, count, latency] = text.split(",")
      .map(Number);
    const c = { endpoint, bytes };
    await device.model(
      new Uint8Array(BigUint64Array.from([mode, a, b].map(BigInt)).buffer),
    );
    let submitted = 0, completed = 0, bad = 0, expected = 0;
    const latencies = new Float64Array(latency ? count : 0);
    const next = () => submitted < count && ++submitted;
    const check = (data, started) => {
      if (data && data.getUint32(0, true) !== expected++) bad++;
      if (latency) {
        const from = mode && data
          ? Number(data.getBigUint64(8, true))
          : started;
        latencies[completed] = now() - from;
      }
      completed++;
    };
    const helper = await device.helper(), cpu = cpuNow(), wall = now();
    const loops = Array.from(
      { length: depth },
      () => device.loop(c, next, check),
    );
    await Promise.all(loops);
    const wallNs = now() - wall;
    const cpuNs = cpuNow() - cpu - (await device.helper() - helper);
    latencies.sort();
    const at = (part) => latencies[Math.floor(latencies.length * part)] ?? 0;
    console.log(JSON.stringify({
      case: text,
      count: completed,
      wallNs: wallNs,
      cpuNs: cpuNs,
      bad,
      p50Ns: at(0.5),
      p99Ns: at(0.99),
    }));
  }
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
