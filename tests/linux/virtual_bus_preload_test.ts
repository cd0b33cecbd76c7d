import { assert, assertEquals, assertRejects } from "../../driver/std.ts";
import type {
  BusNode,
  BusObserver,
  ClientMemory,
  Readiness,
  Session,
  TreeEntry,
} from "../../driver/sim/usbfs_contract.ts";
import { PreloadTransport } from "../../ffi/linux/virtual_bus_preload.ts";
import type { ObservableBus } from "../../ffi/linux/virtual_bus_process.ts";
import { until } from "../until.ts";

const NODE = "/dev/bus/usb/001/002";
const PLACE = "/devices/usb1/1-1";

/** A bus of one device, whose sessions do what the test says. */
class StandInBus implements ObservableBus {
  readonly node = new StandInNode();
  observer: BusObserver | undefined;
  get nodes(): readonly BusNode[] {
    return [this.node];
  }
  observe(observer: BusObserver): { stop(): void } {
    this.observer = observer;
    return { stop: () => this.observer = undefined };
  }
}

class StandInNode implements BusNode {
  readonly nodePath = NODE;
  readonly minor = 1;
  readonly properties = {
    DEVPATH: PLACE,
    SUBSYSTEM: "usb",
    DEVTYPE: "usb_device",
    MAJOR: "189",
    MINOR: "1",
  };
  readonly tree: readonly TreeEntry[] = [
    { kind: "directory", path: `/sys${PLACE}` },
    { kind: "file", path: `/sys${PLACE}/idVendor`, content: "1209\n" },
    {
      kind: "link",
      path: "/sys/bus/usb/devices/1-1",
      target: `../../..${PLACE}`,
    },
  ];
  readiness: Readiness | undefined;
  isFull = false;
  open_ = 0;
  onClosed: () => void = () => {};
  ioctl: (memory: ClientMemory) => Promise<readonly [number, number]> = () =>
    Promise.resolve([0, 0]);
  open(): Session {
    if (this.isFull) throw new RangeError("Too many");
    this.open_++;
    return {
      minor: this.minor,
      ioctl: (_request, _argument, memory) => this.ioctl(memory),
      read: (count) => new Uint8Array(Math.min(count, 18)),
      seek: () => {},
      readiness: undefined,
      closed: (): void => {
        this.open_--;
        this.onClosed();
      },
    };
  }
  setNodeReadiness(readiness: Readiness): void {
    this.readiness = readiness;
  }
}

/** The preload's side of a connection. */
class Client implements Disposable {
  readonly #connection: Deno.UnixConn;
  constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
  }
  static async open(root: string): Promise<Client> {
    const path = `${root}/ioctl/${NODE}`;
    return new Client(await Deno.connect({ transport: "unix", path }));
  }
  async send(...words: (number | bigint)[]): Promise<void> {
    const frame = new BigUint64Array(words.map(BigInt));
    await this.#connection.write(new Uint8Array(frame.buffer));
  }
  async sendBytes(lengthBytes: number): Promise<void> {
    const bytes = new Uint8Array(lengthBytes).fill(7);
    for (let at = 0; at < lengthBytes;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
  }
  /** As the preload reads a header: with one call. `undefined` at the end. */
  async receive(): Promise<bigint[] | undefined> {
    const frame = new Uint8Array(24);
    const count = await this.#connection.read(frame);
    if (count === null) return undefined;
    assertEquals(count, 24, "A frame may not straddle two buffers");
    return [...new BigUint64Array(frame.buffer)];
  }
  async receiveBytes(lengthBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes;) {
      const count = await this.#connection.read(bytes.subarray(at));
      assert(count !== null, "The connection ended");
      at += count;
    }
    return bytes;
  }
  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

const OPERATION = {
  ioctl: 1,
  result: 2,
  done: 3n,
  readMemory: 5n,
  writeMemory: 6n,
  read: 7,
  write: 8,
};

Deno.test("Preload transport ends a connection whose frame is malformed, and no other", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using root = transport.addClient();
  using good = await Client.open(root.root);
  using bad = await Client.open(root.root);
  await bad.send(99, 0, 0);
  assertEquals(await bad.receive(), undefined);
  using early = await Client.open(root.root);
  await early.send(OPERATION.result, 0, 0);
  assertEquals(await early.receive(), undefined);
  await good.send(OPERATION.ioctl, 0x5514, 0);
  assertEquals(await good.receive(), [OPERATION.done, 0n, 0n]);
  assertEquals(bus.node.open_, 1);
});

Deno.test("Preload transport ends a session when its client goes in the middle of an answer", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using root = transport.addClient();
  const failed = Promise.withResolvers<unknown>();
  bus.node.ioctl = async (memory) => {
    try {
      await memory.peek(0x1000n, 8);
    } catch (error) {
      failed.resolve(error);
      throw error;
    }
    return [0, 0];
  };
  {
    using client = await Client.open(root.root);
    await client.send(OPERATION.ioctl, 0x5514, 0);
    assertEquals(await client.receive(), [OPERATION.readMemory, 0x1000n, 8n]);
  }
  assert(await failed.promise instanceof Error);
  await until("a closed node", () => bus.node.open_ === 0);
});

Deno.test("Preload transport ends a session when its client goes while a call takes long", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using root = transport.addClient();
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<readonly [number, number]>();
  bus.node.onClosed = () => ended.resolve([-1, 108]);
  bus.node.ioctl = () => {
    begun.resolve();
    return ended.promise;
  };
  {
    using client = await Client.open(root.root);
    await client.send(OPERATION.ioctl, 0xc0185500, 0);
    await begun.promise;
  }
  await ended.promise;
  assertEquals(bus.node.open_, 0);
});

Deno.test("Preload transport answers a call that took long, and the next", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using root = transport.addClient();
  bus.node.ioctl = async (memory) => {
    await new Promise((later) => setTimeout(later, 200));
    return [(await memory.peek(0x10n, 3)).length, 0];
  };
  using client = await Client.open(root.root);
  for (let round = 0; round < 2; round++) {
    await client.send(OPERATION.ioctl, 0xc0185500, 0);
    assertEquals(await client.receive(), [OPERATION.readMemory, 0x10n, 3n]);
    await client.sendBytes(3);
    assertEquals(await client.receive(), [OPERATION.done, 3n, 0n]);
  }
});

Deno.test("Preload transport refuses to ask a client for more than a transfer has", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using root = transport.addClient();
  using client = await Client.open(root.root);
  bus.node.ioctl = async (memory) => {
    await assertRejects(() => memory.peek(0n, 2 ** 31));
    await assertRejects(() => memory.peek(0n, -1));
    return [3, 0];
  };
  await client.send(OPERATION.ioctl, 0x5514, 0);
  assertEquals(await client.receive(), [OPERATION.done, 3n, 0n]);
});

Deno.test("Preload transport keeps frames whole around large data, in both directions", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using root = transport.addClient();
  using client = await Client.open(root.root);
  const lengthBytes = 1_000_000;
  bus.node.ioctl = async (memory) => {
    const data = await memory.peek(0x2000n, lengthBytes);
    memory.poke(0x3000n, data);
    memory.poke(0x4000n, Uint8Array.of(1, 2));
    return [-1, 11];
  };
  await client.send(OPERATION.ioctl, 0x8038550a, 0x1000);
  await client.receive();
  await client.sendBytes(lengthBytes);
  const length = BigInt(lengthBytes);
  assertEquals(await client.receive(), [
    OPERATION.writeMemory,
    0x3000n,
    length,
  ]);
  const data = await client.receiveBytes(lengthBytes);
  assert(data.every((byte) => byte === 7));
  assertEquals(await client.receive(), [OPERATION.writeMemory, 0x4000n, 2n]);
  assertEquals([...await client.receiveBytes(2)], [1, 2]);
  assertEquals(await client.receive(), [
    OPERATION.done,
    0xffff_ffff_ffff_ffffn,
    11n,
  ]);
});

Deno.test("Preload transport cuts a read of any length to the descriptors, and refuses to write", async () => {
  await using transport = new PreloadTransport(new StandInBus());
  using root = transport.addClient();
  using client = await Client.open(root.root);
  await client.send(OPERATION.read, 0x5000, 2n ** 63n);
  // Data of this size come in one write with the answer.
  const answer = await client.receiveBytes(24 + 18 + 24);
  assertEquals(
    new DataView(answer.buffer).getBigUint64(24 + 18 + 8, true),
    18n,
  );
  await client.send(OPERATION.write, 0x5000, 1);
  assertEquals((await client.receive())?.[2], 22n);
});

Deno.test("Preload transport ends a connection when the bus has too many open files", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using root = transport.addClient();
  bus.node.isFull = true;
  using client = await Client.open(root.root);
  assertEquals(await client.receive(), undefined);
});

Deno.test("Preload transport shows a device in every root and takes it away from all, node first", async () => {
  const bus = new StandInBus();
  await using transport = new PreloadTransport(bus);
  using first = transport.addClient();
  using second = transport.addClient();
  const seen = (path: string): boolean[] =>
    [first, second].map(({ root }) => exists(root + path));
  assertEquals(seen(NODE), [true, true]);
  assertEquals(seen("/sys/bus/usb/devices/1-1/idVendor"), [true, true]);
  bus.observer?.changed(`/sys${PLACE}/idVendor`, "ffff\n");
  assertEquals(
    Deno.readTextFileSync(`${second.root}/sys${PLACE}/idVendor`),
    "ffff\n",
  );
  bus.observer?.unplugged(bus.node, () => {
    assertEquals(seen(NODE), [false, false]);
    assertEquals(seen("/sys/bus/usb/devices/1-1"), [true, true]);
  });
  assertEquals(seen("/sys/bus/usb/devices/1-1"), [false, false]);
  assertEquals(seen(`/sys${PLACE}`), [false, false]);
  bus.observer?.changed(`/sys${PLACE}/idVendor`, "late\n");
  assertEquals(seen(`/sys${PLACE}`), [false, false]);
});

Deno.test("Preload transport keeps the connection of a device that left, and closes quietly", async () => {
  const bus = new StandInBus();
  const transport = new PreloadTransport(bus);
  const root = transport.addClient();
  using client = await Client.open(root.root);
  await client.send(OPERATION.ioctl, 0x5514, 0);
  await client.receive();
  bus.observer?.unplugged(bus.node, () => {});
  bus.node.ioctl = () => Promise.resolve([-1, 19]);
  await client.send(OPERATION.ioctl, 0x5514, 0);
  assertEquals((await client.receive())?.[2], 19n);
  await assertRejects(() => Client.open(root.root), Deno.errors.NotFound);
  const observer = bus.observer;
  await transport.close();
  await transport.close();
  assertEquals(bus.observer, undefined);
  assert(!exists(root.root));
  // Told after its end, it does nothing but what it was asked to.
  let isKilled = false;
  observer?.plugged(bus.node);
  observer?.unplugged(bus.node, () => isKilled = true);
  assert(isKilled);
});

for (const node of ["fifo", "pty", "file"] as const) {
  Deno.test(`Preload transport makes ${node} nodes that can be opened`, async () => {
    const bus = new StandInBus();
    await using transport = new PreloadTransport(bus, { node });
    using root = transport.addClient();
    const file = await Deno.open(root.root + NODE, { read: true, write: true });
    bus.node.readiness?.setReady(true);
    bus.node.readiness?.setReady(false);
    bus.node.readiness?.hangup();
    bus.node.readiness?.close();
    file.close();
  });
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}
