/** In place of the process that makes a device safe: says anything but what it should. */

const line = new TextEncoder().encode('{"type":"safeState","result":"fine"}');
await Deno.stdout.write(line);
await Deno.stdout.write(new Uint8Array(100_000).fill(0x20));
await new Promise(() => setInterval(() => {}, 1_000));
