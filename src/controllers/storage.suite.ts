import type { AdmissionPlugin } from "../admission/index.ts";
import type { corev1 } from "../api/index.ts";
import { startTestCluster } from "../apiserver/testing/cluster.ts";
import { createLifetime, SystemClock, SystemRandom, silentLog } from "../base/index.ts";
import {
  createClient,
  createInformerFactory,
  persistentVolumeClaims,
  persistentVolumes,
  type ResourceClient,
} from "../client/index.ts";
import type { GroupVersionResource, KubeObject } from "../machinery/index.ts";
import type { Controller, ControllerContext } from "./controller.ts";

/*
 * For the tests of this room: controllers on an API server of their own.
 */

type Volume = corev1.PersistentVolume;
type Claim = corev1.PersistentVolumeClaim;

export async function startWith(
  make: (context: ControllerContext) => Controller[],
  { admission = [] }: { admission?: readonly AdmissionPlugin[] } = {},
) {
  const cluster = await startTestCluster({ admission });
  const clock = new SystemClock();
  const random = new SystemRandom();
  const ended = createLifetime();
  const told: string[] = [];
  const client = createClient(cluster.admin);
  const informers = createInformerFactory(cluster.admin, { clock, log: silentLog, random });
  const controllers = make({
    client,
    informers,
    recorder: () => ({
      event: (about, type, reason, message) => {
        const { name } = "metadata" in about ? about.metadata : about;
        told.push(`${name} ${type} ${reason}: ${message}`);
      },
      annotatedEvent: () => {},
      flush: async () => {},
    }),
    clock,
    random,
    log: silentLog,
    resources: () => [],
    rootCa: "",
  } as ControllerContext);
  for (const controller of controllers) await controller.start(ended.signal);

  /** Resolves with an object once it is as `is` says; undefined stands for one that is gone. */
  function seen<T extends KubeObject>(
    resource: GroupVersionResource,
    name: string,
    is: (object: T | undefined) => boolean,
  ): Promise<T | undefined> {
    const informer = informers.informer<T>(resource);
    return new Promise((resolve) => {
      const look = (object: T | undefined, its: T) => {
        if (its.metadata.name === name && is(object)) resolve(object);
      };
      informer.addHandler({
        added: (object) => look(object, object),
        updated: (_, object) => look(object, object),
        deleted: (object) => look(undefined, object),
      });
      void informers.start(ended.signal);
    });
  }

  return {
    client,
    told,
    volumes: client.resource<Volume>(persistentVolumes),
    claims: client.resource<Claim>(persistentVolumeClaims) as ResourceClient<Claim>,
    volume: (name: string, is: (volume: Volume | undefined) => boolean) =>
      seen<Volume>(persistentVolumes, name, is),
    claim: (name: string, is: (claim: Claim | undefined) => boolean) =>
      seen<Claim>(persistentVolumeClaims, name, is),
    /** Resolves once an event was told that `pattern` matches. */
    async tells(pattern: RegExp): Promise<void> {
      while (!told.some((line) => pattern.test(line))) await new Promise((resolve) => setImmediate(resolve));
    },
    close: async () => {
      ended.abort();
      await cluster.close();
    },
  };
}

export const volumeOf = (name: string, spec: object = {}): Volume => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name },
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    hostPath: { path: `/data/${name}` },
    ...spec,
  },
});

export const claimOf = (name: string, spec: object = {}): Claim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace: "default" },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
});
