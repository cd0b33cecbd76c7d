/** Standing inputs and outputs of a driver's own, which open and end under the session's guard. */

import type { AnyDriver } from "../../driver/driver.ts";
import type { DevicePort } from "../../driver/port.ts";
import { assertEquals } from "../../driver/std.ts";
import { endpointAddress } from "../../driver/usb.ts";
import {
  type Bench,
  driverWith,
  readyBench,
  stopBench,
} from "./bench_session.ts";
import { BULK_IN, outcomeOf } from "./fake_device.ts";

const BULK_OUT = endpointAddress(0x02);

/** Both ways for data to flow, and what a journal calls them. */
const FLOWS: Readonly<Record<string, (port: DevicePort) => void>> = {
  "input 0x82": (port) => {
    const sink = (): boolean => true;
    const [endpoint, onEnd] = [BULK_IN, (): void => {}];
    port.openInput({ endpoint, transfersInFlight: 1, sink, onEnd });
  },
  "output 0x02": (port) => {
    const source = (): number => 1;
    const [endpoint, onEnd] = [BULK_OUT, (): void => {}];
    port.openOutput({ endpoint, transfersInFlight: 1, source, onEnd });
  },
};

/** A driver that opens one, and thinks nothing of it when it is refused. */
function driverThatOpens(open: (port: DevicePort) => void): AnyDriver {
  return driverWith({
    commands: {
      open: {
        description: "Opens it",
        run: (_state, _params, { device }) => {
          try {
            open(device.port);
          } catch {
            return "refused";
          }
          return "open";
        },
      },
    },
  });
}

/** What the journal has of it. */
function journaled({ session }: Bench, name: string): string[] {
  return session.journal.events()
    .filter((entry) => entry.name.startsWith(name))
    .map((entry) => `${entry.kind} ${entry.name}`);
}

for (const [name, open] of Object.entries(FLOWS)) {
  Deno.test(`A driver's own ${name} that finds the device gone tells the session, and the journal`, async () => {
    const made = await readyBench(driverThatOpens(open));
    made.device.answer = () => outcomeOf("noDevice");
    made.session.command("open").catch(() => {});
    await made.clock.advance(10);
    // Nobody else says so: what is in flight finds it.
    for (const ring of made.device.rings) ring.end("noDevice");
    await made.clock.advance(3_000);
    assertEquals(made.session.state, "gone");
    assertEquals((await made.session.ended).class, "device-gone");
    assertEquals(journaled(made, name), [
      `call ${name}`,
      `over ${name} noDevice`,
    ]);
  });

  Deno.test(`A driver's own ${name} that is refused because the device is gone tells the session`, async () => {
    const made = await readyBench(driverThatOpens(open));
    made.device.isGone = true;
    made.session.command("open").catch(() => {});
    await made.clock.advance(3_000);
    assertEquals(made.session.state, "gone");
    assertEquals((await made.session.ended).class, "device-gone");
    assertEquals(journaled(made, name), []);
  });

  Deno.test(`A driver's own ${name} that ends otherwise leaves the session to its work`, async () => {
    const made = await readyBench(driverThatOpens(open));
    made.device.answer = () => outcomeOf("stall");
    const answer = made.session.command("open");
    await made.clock.advance(10);
    assertEquals(await answer, "open");
    for (const ring of made.device.rings) ring.end("stall");
    await made.clock.advance(3_000);
    assertEquals(made.session.state, "ready");
    assertEquals(journaled(made, name), [`call ${name}`, `over ${name} stall`]);
    await stopBench(made);
    assertEquals((await made.session.ended).class, "clean");
  });
}
