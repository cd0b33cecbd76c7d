/** An installation below a folder of its own, instead of a machine's `/etc`. */

import { InstallDisk } from "../../../driver/host/install/install_disk.ts";
import {
  type InstallOptions,
  type InstallPlan,
  installPlan,
} from "../../../driver/host/install/install_plan.ts";

/** A plan for one meter, unless said otherwise. */
export function plan(options: Partial<InstallOptions> = {}): InstallPlan {
  return installPlan({
    program: ["/usr/bin/driverspace"],
    configuration: "/etc/driverspace/driverspace.toml",
    sample: [],
    devices: [{ vendorId: 0x0957, productId: 0x1755 }],
    user: "driverspace",
    isEmpty: false,
    ...options,
  });
}

/** The bench. */
export class InstallBench implements Disposable {
  readonly root = Deno.makeTempDirSync({ prefix: "driverspace_install." });
  readonly disk = new InstallDisk(this.root);

  /** The text of a file below the root; `undefined` where there is none. */
  read(path: string): string | undefined {
    try {
      return Deno.readTextFileSync(this.root + path);
    } catch {
      return undefined;
    }
  }

  write(path: string, text: string): void {
    const folder = (this.root + path).replace(/\/[^/]*$/, "");
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(this.root + path, text);
  }

  /** Every file and folder below the root, sorted. */
  paths(): string[] {
    const found: string[] = [];
    const walk = (folder: string): void => {
      for (const entry of Deno.readDirSync(this.root + folder)) {
        const path = `${folder}/${entry.name}`;
        found.push(path);
        if (entry.isDirectory) walk(path);
      }
    };
    walk("");
    return found.sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.root, { recursive: true });
  }
}
