/**
 * What the loop costs, without a bus: nanoseconds from a completed transfer to
 * the end of its handler, and for a transfer of the driver's own.
 *
 *     deno run --allow-hrtime tests/loop/report_bench.ts [ROUNDS]
 *
 * One JSON line: the best and the middle of the rounds.
 */

import { systemClock } from "../../driver/host/system_clock.ts";
import { Session } from "../../driver/loop/session.ts";
import { driverWith } from "./bench_session.ts";
import { FakeDevice, INTERRUPT_IN, outcomeOf } from "./fake_device.ts";

const REPORTS = 1_000_000;
/** Offered between two yields: half of what a mailbox holds. */
const BURST = 512;
const TRANSFERS = 100_000;

interface Figures {
  readonly best: number;
  readonly middle: number;
}

function figures(values: number[]): Figures {
  values.sort((a, b) => a - b);
  return {
    best: Math.round(values[0] ?? 0),
    middle: Math.round(values[values.length >> 1] ?? 0),
  };
}

async function main(rounds: number): Promise<void> {
  const clock = systemClock();
  const device = new FakeDevice(clock);
  device.answer = () => outcomeOf("completed");
  let handled = 0;
  const session = new Session({
    driver: driverWith({
      inputs: [{
        endpoint: { type: "interrupt", direction: "in" },
        handle: () => void handled++,
      }],
      commands: {
        transfers: {
          description: "Makes many",
          timeoutMs: 60_000,
          run: async (_state, _params, { device }) => {
            const setup = {
              requestType: "vendor",
              recipient: "device",
              request: 1,
              value: 0,
              index: 0,
            } as const;
            for (let made = 0; made < TRANSFERS; made++) {
              await device.controlIn(setup, 8);
            }
            return null;
          },
        },
      },
    }),
    device,
    clock,
    random: () => 0.5,
    log: () => {},
    emit: () => true,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
    heartbeat: () => {},
  });
  await session.start();
  const { sink } = device.ring(INTERRUPT_IN).options;
  const report = { data: new Uint8Array(8), timestampMs: 0 };
  const perReport: number[] = [];
  const perTransfer: number[] = [];
  let offeredSoFar = 0;
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    for (let offered = 0; offered < REPORTS; offered += BURST) {
      report.timestampMs = performance.now();
      for (let n = 0; n < BURST; n++) sink(report);
      // Several turns of the loop, each with its budget.
      const wanted = offeredSoFar += BURST;
      while (handled < wanted) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    perReport.push((performance.now() - startMs) / REPORTS * 1e6);
    const beforeMs = performance.now();
    await session.command("transfers", {});
    perTransfer.push((performance.now() - beforeMs) / TRANSFERS * 1e6);
  }
  console.log(JSON.stringify({
    reportNs: figures(perReport),
    transferNs: figures(perTransfer),
    handled,
  }));
  await session.stop();
}

await main(Number(Deno.args[0] ?? 15));
