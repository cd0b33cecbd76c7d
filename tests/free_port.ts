/** Ports for servers that are started, ended and started again at the same one. */

/**
 * Below those that a system gives to whoever asks for any: from 32768 on Linux,
 * from 49152 elsewhere (RFC 6335, section 6). A free one stays free while
 * everything else on the machine connects to and fro.
 */
const [FIRST, COUNT] = [20_000, 12_000];

/** A port of the loopback address on which nobody listens. */
export function freePort(): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
