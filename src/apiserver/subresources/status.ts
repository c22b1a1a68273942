import { get } from "../verbs/get.ts";
import { patch } from "../verbs/patch.ts";
import { update } from "../verbs/update.ts";
import type { Subresource } from "./subresource.ts";

/** What controllers and node agents write; a write here leaves the rest of the object alone. */
export const status: Subresource = {
  name: "status",
  servedFor: (kind) => kind.hasStatus,
  verbs: {
    get: (serving, _caller, call) => get(serving, call),
    update: (serving, caller, call) => update(serving, caller, call, "status"),
    patch: (serving, caller, call) => patch(serving, caller, call, "status"),
  },
};
