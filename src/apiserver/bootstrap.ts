import { systemMasters } from "../auth/index.ts";
import { isStatus } from "../machinery/index.ts";
import type { Caller, Serving } from "./context.ts";
import { create } from "./verbs/create.ts";

/** As kube-apiserver's system namespaces controller. */
const namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Makes the namespaces that every cluster has. */
export async function bootstrapNamespaces(serving: Serving): Promise<void> {
  const storage = serving.resources.get("", "v1", "namespaces");
  const caller: Caller = {
    user: { name: "system:apiserver", groups: [systemMasters] },
    userAgent: "kube-apiserver",
    signal: undefined,
    warn: () => {},
  };
  const make = async (name: string) => {
    if (await storage.get(storage.key(undefined, name))) return;
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    await create(serving, caller, { verb: "create", storage, body: { as: "object", object }, options: {} });
  };
  for (const name of namespaces) {
    await make(name).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  }
}
