import { get } from "../verbs/get.ts";
import { patch } from "../verbs/patch.ts";
import { update } from "../verbs/update.ts";
import { namedBy, type Subresource } from "./subresource.ts";

/** The whole object, of which a write here changes one part; which, and how, the kind's strategy says. */
const part = (name: string): Subresource => ({
  name,
  servedFor: namedBy(name),
  verbs: {
    get: (serving, _caller, call) => get(serving, call),
    update: (serving, caller, call) => update(serving, caller, call, "named"),
    patch: (serving, caller, call) => patch(serving, caller, call, "named"),
  },
});

/** Where `kubectl debug` adds its container to a pod. */
export const ephemeralContainers = part("ephemeralcontainers");

/** Where the resources of a running pod are changed. */
export const resize = part("resize");
