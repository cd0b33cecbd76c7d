/** How the page asks the supervisor, and what it makes of each way not to be answered. */

import {
  Api,
  keyOf,
  LinkError,
  RefusedError,
} from "../../driver/host/dashboard/page/api.js";
import { Model } from "../../driver/host/dashboard/page/model.js";
import { Poller, STALE_MS } from "../../driver/host/dashboard/page/poller.js";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "../../driver/std.ts";

const STATUS = { version: "0", "uptime_ms": 0, stopping: false, drivers: [] };

type Answer = () => Response | Error;

/** An api over a network in a test's hands. */
function apiOf(
  answer: Answer,
  token?: string,
  nowMs?: () => number,
): {
  readonly api: Api;
  readonly asked: { readonly path: string; readonly init: RequestInit }[];
} {
  const asked: { readonly path: string; readonly init: RequestInit }[] = [];
  const api = new Api(
    (path, init) => {
      asked.push({ path: String(path), init: init ?? {} });
      const made = answer();
      return made instanceof Error
        ? Promise.reject(made)
        : Promise.resolve(made);
    },
    token,
    nowMs,
  );
  return { api, asked };
}

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status });
}

Deno.test("The token goes out in a header, with no cookie and to no other place", async () => {
  const { api, asked } = apiOf(() => json(200, {}), "secret");
  await api.get("/status");
  api.token = undefined;
  await api.get("/status");
  const [first, second] = asked.map(({ init }) => new Headers(init.headers));
  assertEquals(first?.get("authorization"), "Bearer secret");
  assertEquals(second?.get("authorization"), null);
  for (const { path, init } of asked) {
    assertEquals(path, "/status");
    assertEquals([init.credentials, init.redirect], ["omit", "error"]);
  }
});

Deno.test("Commands of any name are sent whole, each with a key", async () => {
  const { api, asked } = apiOf(() => json(200, { value: [1] }));
  const key = keyOf(Uint8Array.of(0, 255));
  const call = { driver: "a/b", command: "?", params: { x: 1 }, key };
  assertEquals(await api.run(call), [1]);
  assertEquals(asked[0]?.path, "/drivers/a%2Fb/commands/%3F");
  assertEquals(asked[0]?.init.body, '{"params":{"x":1}}');
  assertEquals(
    new Headers(asked[0]?.init.headers).get("idempotency-key"),
    "00ff",
  );
});

Deno.test("Each way not to be answered is told apart", async () => {
  const rows: readonly [answer: Answer, name: string, text: string][] = [
    [() => new TypeError("x"), "LinkError", "It cannot be reached"],
    [
      () => new DOMException("x", "TimeoutError"),
      "LinkError",
      "It does not answer in time",
    ],
    [() => new Response("<p>", { status: 502 }), "LinkError", "status 502"],
    [() => json(401, { error: { message: "x" } }), "TokenError", "needed"],
    [
      () => json(502, { error: { code: "unavailable", message: "No one" } }),
      "LinkError",
      "No one",
    ],
    [
      () => json(409, { error: { code: "state", message: "It is away" } }),
      "RefusedError",
      "It is away",
    ],
  ];
  for (const [answer, name, text] of rows) {
    const { api } = apiOf(answer);
    const { signal } = new AbortController();
    for (
      const asking of [
        api.get("/x"),
        api.stream("/e", { lastEventId: "", signal }),
      ]
    ) {
      const error = await asking.catch((error) => error);
      assertEquals(error.name, name);
      assertStringIncludes(error.message, text);
    }
  }
  const broken = apiOf(() => new Response("{", { status: 200 })).api;
  await assertRejects(() => broken.get("/x"), LinkError);
  const { api } = apiOf(() =>
    json(409, { error: { code: "state", message: "m", advice: "a" } })
  );
  const error = await api.get("/x").catch((error) => error);
  assertInstanceOf(error, RefusedError);
  assertEquals([error.status, error.code, error.advice], [409, "state", "a"]);
});

Deno.test("Ages are told by the supervisor's clock, whose date has whole seconds", async () => {
  const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 999);
  const skewOf = async (aheadMs: number): Promise<number> => {
    const date = new Date(nowMs + aheadMs).toUTCString();
    const answer = (): Response => new Response("{}", { headers: { date } });
    const { api } = apiOf(answer, undefined, () => nowMs);
    await api.get("/x");
    return api.skewMs;
  };
  assertEquals(await skewOf(0), 0);
  assertEquals(await skewOf(-1_000), 0);
  assertEquals(await skewOf(-2_000), -2_999);
  assertEquals(await skewOf(3_600_000), 3_600_000 - 999);
});

/** A poller whose time and network are a test's. */
function bench(answer: Answer): {
  readonly poller: Poller;
  readonly model: Model;
  readonly asked: { readonly path: string }[];
  readonly tokens: string[];
  nowMs: number;
  poll: () => Promise<void>;
} {
  const model = new Model();
  const { api, asked } = apiOf(answer);
  const tokens: string[] = [];
  let changed = Promise.withResolvers<void>();
  const time = { nowMs: 1_000 };
  let isPolling = false;
  const poller = new Poller({
    api,
    model,
    nowMs: () => time.nowMs,
    selected: () => undefined,
    onChange: () => isPolling && changed.resolve(),
    onToken: (problem) => void tokens.push(problem),
  });
  return Object.assign(time, {
    poller,
    model,
    asked,
    tokens,
    poll: async (): Promise<void> => {
      changed = Promise.withResolvers();
      poller.start();
      isPolling = true;
      await changed.promise;
      isPolling = false;
      poller.stop();
    },
  });
}

Deno.test("The link is live while answers come, lost when they fail, live again after", async () => {
  let answer: Response | Error = json(200, STATUS);
  const made = bench(() => answer);
  assertEquals(made.poller.link, { kind: "connecting" });
  await made.poll();
  assertEquals(made.poller.link, { kind: "live" });
  made.nowMs += 500;
  answer = new TypeError("network");
  await made.poll();
  assertEquals(made.poller.link, {
    kind: "lost",
    sinceMs: 1_000,
    reason: "It cannot be reached",
  });
  answer = json(200, STATUS);
  await made.poll();
  assertEquals(made.poller.link, { kind: "live" });
});

Deno.test("A supervisor that says nothing is as good as lost", async () => {
  const made = bench(() => json(200, STATUS));
  await made.poll();
  made.nowMs += STALE_MS + 1;
  assertEquals(made.poller.link, {
    kind: "lost",
    sinceMs: 1_000,
    reason: "It does not answer",
  });
});

Deno.test("A page that never heard anything says why", async () => {
  const made = bench(() => new TypeError("network"));
  await made.poll();
  assertEquals(made.poller.link.kind, "lost");
});

Deno.test("A refused token is asked for, and no link is called lost for it", async () => {
  const made = bench(() => json(401, { error: { message: "Show it" } }));
  await made.poll();
  assertEquals(made.tokens, ["This is not the token."]);
  assertEquals(made.poller.link, { kind: "connecting" });
});
