import { binding } from "./binding.ts";
import { eviction } from "./eviction/eviction.ts";
import { finalize } from "./finalize.ts";
import { log } from "./log.ts";
import { ephemeralContainers, resize } from "./part.ts";
import { scale } from "./scale.ts";
import { status } from "./status.ts";
import type { Subresource } from "./subresource.ts";
import { token } from "./token.ts";

/** By name. Those that take a connection over (exec, attach, portforward) are in connect.ts. */
export const subresources: ReadonlyMap<string, Subresource> = new Map(
  [status, scale, finalize, binding, eviction, token, log, ephemeralContainers, resize].map((subresource) => [
    subresource.name,
    subresource,
  ]),
);
export type { Subresource } from "./subresource.ts";
