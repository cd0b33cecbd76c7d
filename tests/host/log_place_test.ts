/** The host's look at a log's place: what the launcher would refuse, in its words. */

import { checkLogPlace } from "../../driver/host/log_place.ts";
import { LogFileError } from "../../driver/host/log_rotation.ts";
import { assertEquals, assertThrows } from "../../driver/std.ts";

/** The user that owns nothing. */
const NOBODY = 65534;

/** A folder of ours, and a place for code in it. */
class Place implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "driverspace_place." });
  readonly code = `${this.path}/code/driver.js`;

  constructor() {
    Deno.mkdirSync(`${this.path}/code`);
    Deno.writeTextFileSync(`${this.path}/file`, "");
  }

  refuses(name: string, reason: string): void {
    const path = `${this.path}/${name}`;
    assertThrows(
      () => checkLogPlace(path, { code: [this.code] }),
      LogFileError,
      reason,
    );
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

Deno.test("A log in a folder of ours is taken, whether it is there or not", () => {
  using place = new Place();
  checkLogPlace(`${place.path}/file`, { code: [place.code] });
  checkLogPlace(`${place.path}/new.log`, { code: [place.code] });
});

Deno.test("A link, a FIFO and a file with two names are no logs", async () => {
  using place = new Place();
  Deno.symlinkSync(`${place.path}/file`, `${place.path}/link`);
  place.refuses("link", "it is a symbolic link");
  Deno.linkSync(`${place.path}/file`, `${place.path}/other`);
  place.refuses("other", "the file has 2 names");
  const { success } = await new Deno.Command("mkfifo", {
    args: [`${place.path}/fifo`],
  }).output();
  assertEquals(success, true);
  place.refuses("fifo", "it is a FIFO");
});

Deno.test("A folder that others may write, or rename, holds no log", () => {
  using place = new Place();
  const shared = `${place.path}/shared`;
  Deno.mkdirSync(`${shared}/ours`, { recursive: true });
  Deno.chmodSync(shared, 0o777);
  place.refuses("shared/a.log", "others may write, or own, its folder");
  place.refuses("shared/ours/a.log", "others may replace a folder");
  // Sticky, as /tmp is: what is ours stays where it is.
  Deno.chmodSync(shared, 0o1777);
  checkLogPlace(`${shared}/ours/a.log`, { code: [] });
  place.refuses("shared/a.log", "others may write, or own, its folder");
});

Deno.test("A log beside code is refused, by whatever name the folder goes", () => {
  using place = new Place();
  place.refuses("code/a.log", "is for code");
  Deno.symlinkSync(`${place.path}/code`, `${place.path}/alias`);
  place.refuses("alias/a.log", "is for code");
});

Deno.test({
  name: "Whoever owns the folder of a log for another is not asked",
  // To give a folder away takes root.
  ignore: Deno.uid() !== 0,
  fn: () => {
    using place = new Place();
    const folder = `${place.path}/service`;
    Deno.mkdirSync(folder);
    Deno.chownSync(folder, NOBODY, NOBODY);
    place.refuses("service/a.log", "others may write, or own, its folder");
    const options = { code: [], isForAnother: true };
    checkLogPlace(`${folder}/a.log`, options);
    Deno.chmodSync(folder, 0o777);
    assertThrows(
      () => checkLogPlace(`${folder}/a.log`, options),
      LogFileError,
      "others may write, or own, its folder",
    );
  },
});

Deno.test("A refusal leaves no file behind", () => {
  using place = new Place();
  place.refuses("code/a.log", "Keep logs apart from code");
  assertEquals([...Deno.readDirSync(`${place.path}/code`)], []);
});
