/** Event streams on a real socket: who does not read is cut, nobody else notices. */

import { listen } from "../../../driver/host/http/server.ts";
import { assert, assertEquals } from "../../../driver/std.ts";
import { until } from "../../until.ts";
import { configure } from "../supervisor/supervisor_bench.ts";
import { HttpBench } from "./http_bench.ts";

/** Fills the kernel's buffers of a socket many times over. */
const EVENTS = 800;
const TEXT = "x".repeat(8_000);

async function follow(socket: string): Promise<Deno.UnixConn> {
  const connection = await Deno.connect({ transport: "unix", path: socket });
  await connection.write(
    new TextEncoder().encode("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"),
  );
  return connection;
}

/** Events that a client has read. */
interface Progress {
  read: number;
}

/** Reads until the last event came. */
async function readAll(
  connection: Deno.UnixConn,
  progress: Progress,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of connection.readable) {
    rest += decoder.decode(piece, { stream: true });
    const parts = rest.split("event: driver.event\n");
    progress.read += parts.length - 1;
    rest = parts.at(-1)?.slice(-9_000) ?? "";
    if (rest.includes('"last":true')) break;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("A client that reads nothing is cut, and a reading one gets every event", async () => {
  const folder = await Deno.makeTempDir();
  const socket = `${folder}/socket`;
  const bench = new HttpBench();
  await bench.supervisor.start(configure({ a: "A" }));
  await bench.pass(500);
  const server = await listen(bench.http.handle, { socket });
  try {
    const slow = await follow(socket);
    const quick = await follow(socket);
    const clients = () => bench.registry.value("driverspace_event_clients");
    await until("two clients", () => clients() === 2, clients);
    const progress: Progress = { read: 0 };
    const reading = readAll(quick, progress);
    for (let number = 1; number <= EVENTS; number++) {
      const last = number === EVENTS;
      bench.events.publish("driver.event", { number, TEXT, last }, "a");
      await turn();
      // On a busy machine a quick client is one that is waited for.
      const isNear = () => number - progress.read <= 100;
      await until("the quick client", isNear, () => progress.read);
    }
    await reading;
    assertEquals(progress.read, EVENTS);
    const cut = bench.registry.value("driverspace_event_clients_cut_total", {
      reason: "slow",
    });
    assertEquals(cut, 1);
    slow.close();
    // Two hundred that come and go leave nothing.
    const many = await Promise.all(
      Array.from({ length: 200 }, () => follow(socket)),
    );
    for (const connection of many) connection.close();
    let number = EVENTS;
    await until("no client", () => {
      bench.events.publish("driver.event", { number: ++number }, "a");
      return clients() === 0;
    }, clients);
    const live = await bench.get("/livez");
    assert(live.ok);
  } finally {
    bench.http.close();
    await server.close();
    await bench.stop();
    await Deno.remove(folder, { recursive: true });
  }
});
