/**
 * npm's `web-serial-polyfill`, as it is, with the echo modem: opens the port,
 * streams both ways, moves the control signals.
 */

import { withWebUsb } from "./installed.ts";

/** What the polyfill's port can do, by Web Serial. */
interface SerialPort {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  open(options: Record<string, unknown>): Promise<void>;
  setSignals(signals: Record<string, boolean>): Promise<void>;
  getInfo(): { usbVendorId: number; usbProductId: number };
  close(): Promise<void>;
}

interface Polyfill {
  readonly serial: {
    requestPort(options?: unknown): Promise<SerialPort>;
    getPorts(): Promise<SerialPort[]>;
  };
}

/** A name the type checker does not follow: its types need a browser's. */
const LIBRARY: string = "npm:web-serial-polyfill@1.0.15";

const LINES = 200;
const STREAM_BYTES = 256 * 1024;

await withWebUsb(async () => {
  const { serial }: Polyfill = await import(LIBRARY);
  const port = await serial.requestPort({
    filters: [{ usbVendorId: 0x1209, usbProductId: 3 }],
  });
  const known = await serial.getPorts();
  await port.open({ baudRate: 115_200, bufferSize: 4096 });
  await port.setSignals({ requestToSend: true });
  const writer = port.writable.getWriter();
  const reader = port.readable.getReader();
  const echoed: boolean[] = [];
  for (let line = 0; line < LINES; line++) {
    const sent = `line ${line}\n`;
    await writer.write(new TextEncoder().encode(sent));
    echoed.push(await read(reader, sent.length) === sent);
  }
  const streamed = await stream(writer, reader);
  await port.setSignals({ break: true });
  await port.setSignals({ break: false });
  reader.releaseLock();
  writer.releaseLock();
  await port.close();
  return {
    ports: known.length,
    info: port.getInfo(),
    lines: echoed.filter((isSame) => isSame).length,
    streamed,
  };
});

async function read(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  lengthBytes: number,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < lengthBytes) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value);
  }
  return text;
}

/** Both ways at once; gives how many bytes came back as they were sent. */
async function stream(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<number> {
  const sent = Uint8Array.from(
    { length: STREAM_BYTES },
    (_, at) => at * 7 + (at >> 8) & 0xff,
  );
  const writing = (async (): Promise<void> => {
    for (let at = 0; at < sent.length; at += 3000) {
      await writer.write(sent.subarray(at, at + 3000));
    }
  })();
  let same = 0;
  while (same < sent.length) {
    const { value, done } = await reader.read();
    if (done || !value.every((byte, at) => byte === sent[same + at])) break;
    same += value.length;
  }
  await writing;
  return same;
}
