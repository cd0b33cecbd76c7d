import { Throughput } from "../../driver/host/throughput.ts";
import type { HeartbeatFrame } from "../../driver/host/wire.ts";
import { assertEquals } from "../../driver/std.ts";
import { beat, TELEMETRY } from "./fake_process.ts";

/** A heartbeat of a driver that has read so many reports and bytes. */
function beatOf(reports: number, bytesIn: number): HeartbeatFrame {
  const [endpoint, ...others] = TELEMETRY.endpoints;
  if (endpoint === undefined) throw new Error("It has an endpoint");
  const endpoints = [{ ...endpoint, bytesIn }, ...others];
  const telemetry = { ...TELEMETRY, endpoints };
  return { ...beat(1, reports), telemetry } as HeartbeatFrame;
}

Deno.test("Throughput is what came within the last two seconds", () => {
  const throughput = new Throughput();
  assertEquals(throughput.rates, undefined);
  for (let at = 0; at <= 10_000; at += 250) {
    const isFast = at > 5_000;
    const reports = isFast ? 50 + (at - 5_000) / 10 : at / 100;
    throughput.take(beatOf(reports, reports * 8), at);
    if (at === 0) assertEquals(throughput.rates, undefined);
    if (at === 5_000) {
      assertEquals(throughput.rates, {
        reportsPerSecond: 10,
        bytesPerSecond: 80,
      });
    }
  }
  assertEquals(throughput.rates, {
    reportsPerSecond: 100,
    bytesPerSecond: 800,
  });
});

Deno.test("Throughput begins anew with each process, and a lie is no negative rate", () => {
  const throughput = new Throughput();
  throughput.take(beatOf(1_000, 1_000), 0);
  throughput.take(beatOf(2_000, 2_000), 250);
  throughput.ended();
  assertEquals(throughput.rates, undefined);
  throughput.take(beatOf(10, 10), 500);
  throughput.take(beatOf(5, 0), 750);
  assertEquals(throughput.rates, { reportsPerSecond: 0, bytesPerSecond: 0 });
});
