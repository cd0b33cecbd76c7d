/**
 * The launcher with a part left out, for tests only: what remains shows what
 * that part was for. The first argument is a `LaunchExperiment` as JSON.
 */

import type { LaunchExperiment } from "../../ffi/linux/launcher.ts";
import { launcherMain } from "../../ffi/linux/launcher_main.ts";

const [experiment = "{}", ...args] = Deno.args;
launcherMain(args, JSON.parse(experiment) as LaunchExperiment);
