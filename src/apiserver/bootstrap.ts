import { systemPriorityClasses } from "../api/index.ts";
import { systemMasters } from "../auth/index.ts";
import { isStatus, type KubeObject, parseApiVersion } from "../machinery/index.ts";
import type { Caller, Serving } from "./context.ts";
import { create } from "./verbs/create.ts";

/** As kube-apiserver's system namespaces controller. */
const namespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Makes the namespaces and priority classes that every cluster has; harmless when they are there. */
export async function bootstrapObjects(serving: Serving): Promise<void> {
  for (const name of namespaces)
    await make(serving, "namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  for (const { name, value, description } of systemPriorityClasses) {
    const apiVersion = "scheduling.k8s.io/v1";
    const object = { apiVersion, kind: "PriorityClass", metadata: { name }, value, description };
    await make(serving, "priorityclasses", object);
  }
}

async function make(serving: Serving, resource: string, object: KubeObject): Promise<void> {
  const { group, version } = parseApiVersion(object.apiVersion);
  const storage = serving.resources.get(group, version, resource);
  if (await storage.get(storage.key(undefined, object.metadata.name!))) return;
  const caller: Caller = {
    user: { name: "system:apiserver", groups: [systemMasters] },
    userAgent: "kube-apiserver",
    signal: undefined,
    warn: () => {},
  };
  try {
    await create(serving, caller, { verb: "create", storage, body: { as: "object", object }, options: {} });
  } catch (error) {
    if (!isStatus(error, "AlreadyExists")) throw error;
  }
}
