import type { AdmissionPlugin } from "../admission/index.ts";
import type { corev1 } from "../api/index.ts";
import { builtinKinds } from "../api/index.ts";
import { startTestCluster } from "../apiserver/testing/cluster.ts";
import { createLifetime, SystemClock, SystemRandom, silentLog } from "../base/index.ts";
import { createClient, createInformerFactory, type Transport } from "../client/index.ts";
import { type KubeObject, parseApiVersion } from "../machinery/index.ts";
import type { Controller, ControllerContext } from "./controller.ts";

/** An API server in this process, with some controllers at work and nothing else. */
export interface Running {
  admin: Transport;
  context: ControllerContext;
  /** `NAME REASON: MESSAGE` of each event so far. */
  told: readonly string[];
  /** In the namespace `default`, where the kind has namespaces. */
  create<T extends KubeObject = KubeObject>(object: KubeObject): Promise<T>;
  get<T extends KubeObject = KubeObject>(apiVersion: string, resource: string, name: string): Promise<T>;
  patch(apiVersion: string, resource: string, name: string, body: object): Promise<KubeObject>;
  patchStatus(apiVersion: string, resource: string, name: string, status: object): Promise<KubeObject>;
  remove(apiVersion: string, resource: string, name: string): Promise<void>;
  /** Resolves with the object once it is as `is` says. */
  until<T extends KubeObject>(
    apiVersion: string,
    resource: string,
    name: string,
    is: (object: T) => boolean,
  ): Promise<T>;
  gone(apiVersion: string, resource: string, name: string): Promise<void>;
  close(): Promise<void>;
}

export async function controllersOn(
  make: (context: ControllerContext) => readonly Controller[],
  { admission, ...change }: Partial<ControllerContext> & { admission?: readonly AdmissionPlugin[] } = {},
): Promise<Running> {
  const cluster = await startTestCluster({ ...(admission && { admission }) });
  const { admin } = cluster;
  const clock = new SystemClock();
  const random = new SystemRandom();
  const ended = createLifetime();
  const told: string[] = [];
  const informers = createInformerFactory(admin, { clock, log: silentLog, random });
  const context: ControllerContext = {
    client: createClient(admin),
    informers,
    recorder: () => ({
      event: (about, _type, reason, message) => {
        const name = "metadata" in about ? about.metadata.name : (about as corev1.ObjectReference).name;
        told.push(`${name} ${reason}: ${message}`);
      },
      annotatedEvent: () => {},
      flush: async () => {},
    }),
    clock,
    random,
    log: silentLog,
    resources: () =>
      builtinKinds.map(({ group, version, resource, kind, scope }) => ({
        ...{ group, version, resource, kind },
        namespaced: scope === "Namespaced",
      })),
    rootCa: "",
    ...change,
  };
  const kindOf = (apiVersion: string, resource: string) => {
    const { group, version } = parseApiVersion(apiVersion);
    const found = builtinKinds.find(
      (kind) => kind.group === group && kind.version === version && kind.resource === resource,
    )!;
    return { resource: { group, version, resource }, namespaced: found.scope === "Namespaced" };
  };
  const at = (apiVersion: string, resource: string) => {
    const kind = kindOf(apiVersion, resource);
    return { resource: kind.resource, ...(kind.namespaced && { namespace: "default" }) };
  };
  const until = <T extends KubeObject>(
    apiVersion: string,
    resource: string,
    name: string,
    is: (object: T | undefined) => boolean,
  ) =>
    new Promise<T | undefined>((resolve) => {
      const informer = informers.informer<T>(at(apiVersion, resource).resource);
      const look = (object: T | undefined) => {
        if (object && object.metadata.name !== name) return;
        if (is(object)) resolve(object);
      };
      informer.addHandler({
        added: look,
        updated: (_, after) => look(after),
        deleted: (last) => {
          if (last.metadata.name === name) look(undefined);
        },
      });
      void informers.start(ended.signal).then(() => {
        const found = informer.list().find(({ metadata }) => metadata.name === name);
        look(found);
      });
    });
  await Promise.all(make(context).map((controller) => controller.start(ended.signal)));
  return {
    admin,
    context,
    told,
    create: async (object) => {
      const { group, version } = parseApiVersion(object.apiVersion);
      const { resource } = builtinKinds.find(
        (kind) => kind.group === group && kind.version === version && kind.kind === object.kind,
      )!;
      return (await admin.request({ verb: "create", ...at(object.apiVersion, resource), body: object }))
        .object;
    },
    get: async (apiVersion, resource, name) =>
      (await admin.request({ verb: "get", ...at(apiVersion, resource), name })).object,
    patch: async (apiVersion, resource, name, body) =>
      (
        await admin.request({
          verb: "patch",
          ...at(apiVersion, resource),
          name,
          patch: { type: "strategic", body },
        })
      ).object,
    patchStatus: async (apiVersion, resource, name, status) =>
      (
        await admin.request({
          verb: "patch",
          ...at(apiVersion, resource),
          name,
          subresource: "status",
          patch: { type: "strategic", body: { status } },
        })
      ).object,
    remove: async (apiVersion, resource, name) => {
      await admin.request({ verb: "delete", ...at(apiVersion, resource), name });
    },
    until: async (apiVersion, resource, name, is) =>
      (await until<any>(apiVersion, resource, name, (object) => object !== undefined && is(object)))!,
    gone: async (apiVersion, resource, name) => {
      await until(apiVersion, resource, name, (object) => object === undefined);
    },
    close: async () => {
      ended.abort();
      await cluster.close();
    },
  };
}
