import { defineDriver } from "@driverspace/usb";

export default defineDriver({
  name: "mouse",
  description: "HID boot mouse",
  match: [{ interfaceClass: 3, interfaceSubclass: 1, interfaceProtocol: 2 }],
  interfaces: [{ interfaceClass: 3, interfaceProtocol: 2 }],
  init: () => ({ x: 0, y: 0 }),
  inputs: [{
    endpoint: { type: "interrupt", direction: "in" },
    handle(state, report, context) {
      const [buttons = 0, dx = 0, dy = 0] = new Int8Array(report.data);
      state.x += dx;
      state.y += dy;
      context.emit("moved", { x: state.x, y: state.y, buttons });
    },
  }],
  commands: {
    home: {
      description: "Counts from here",
      run(state) {
        state.x = state.y = 0;
        return null;
      },
    },
  },
});
