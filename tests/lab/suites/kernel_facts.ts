Deno.test("The guest has a USB stack", () => {
  const roots = [...Deno.readDirSync("/sys/bus/usb/devices")]
    .filter((entry) => /^usb\d+$/.test(entry.name));
  if (roots.length < 2) throw new Error("No root hubs");
});
