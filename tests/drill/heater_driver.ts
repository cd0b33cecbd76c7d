/**
 * Drives the heater of the drill, and breaks on command in every way a driver
 * can break. `safeState` is what this is about: off, whoever has to do it.
 */

import { defineDriver, type SafeStateStep } from "../../mod.ts";
import { HEATER } from "../host/safe_state/heater.ts";

const INTERFACE = {
  interfaceClass: HEATER.interfaceClass,
  interfaceSubclass: HEATER.interfaceSubclass,
};
const POWER = {
  requestType: "class",
  recipient: "interface",
  request: HEATER.power,
} as const;
const ON = { ...POWER, value: 80, index: 1 } as const;

const TURN_OFF: SafeStateStep = {
  description: "Turn the heater off",
  setup: { ...POWER, value: 0, index: 0 },
  indexFrom: INTERFACE,
};

/** About a megabyte of numbers a tick, which cost the collector little: heartbeats go on. */
const LEAK_ITEMS = 125_000;
const LEAK_TICK_MS = 1;
const leaked: unknown[] = [];

const scribble = bindScribble();

export default defineDriver({
  name: "heater",
  description: "Heater of the drill, with ways to break it",
  match: [{ vendorId: HEATER.vendorId, productId: HEATER.productId }],
  interfaces: [INTERFACE],
  init: () => ({}),
  start: async (_state, context) => {
    await context.device.controlOut(ON);
  },
  inputs: [{
    endpoint: { type: "interrupt", direction: "in" },
    handle(_state, { data }, context): void {
      if (data.length < HEATER.reportBytes) return;
      const view = new DataView(data.buffer, data.byteOffset, data.length);
      const number = view.getUint32(0, true);
      const celsius = view.getInt16(4, true) / 100;
      context.emit("temperature", { number, celsius });
      context.log("info", "heater.temperature", `${celsius} °C`, { number });
    },
  }],
  commands: {
    hang: {
      description: "Never comes back",
      run(): null {
        for (;;);
      },
    },
    crash: {
      description: "Writes to address 0 from native code",
      run(): null {
        scribble?.();
        return null;
      },
    },
    leak: {
      description: "Takes memory until there is none",
      run(_state, _params, context): null {
        context.setTimer("leak", LEAK_TICK_MS);
        return null;
      },
    },
  },
  onTimer(_state, _name, context): void {
    leaked.push(new Array(LEAK_ITEMS).fill(0.5));
    context.setTimer("leak", LEAK_TICK_MS);
  },
  safeState: [TURN_OFF],
});

/**
 * A native bug, bound while a driver still may load libraries: before READY.
 * Where only its data are read, there is no library, and none is needed.
 */
function bindScribble(): (() => void) | undefined {
  const [, path] = /"library":"([^"]+)"/.exec(Deno.args.join(" ")) ?? [];
  if (path === undefined) return undefined;
  // SAFETY: it is meant to be unsafe: nothing is mapped at address 0.
  const { symbols } = Deno.dlopen(path, {
    memset: { parameters: ["usize", "i32", "usize"], result: "void" },
  });
  return () => symbols.memset(0n, 0, 8n);
}
