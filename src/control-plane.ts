import { createAdmissionPlugins } from "./admission/index.ts";
import { builtinKinds, builtinSchemas, type corev1, describeType, type schedulingv1 } from "./api/index.ts";
import { type ApiServer, createApiServer, keyPrefix } from "./apiserver/index.ts";
import {
  createAuthenticator,
  createAuthorizer,
  createTokenIssuer,
  type Pki,
  relatedThroughPods,
  systemMasters,
  type UserInfo,
} from "./auth/index.ts";
import { type Log, SystemClock, SystemRandom } from "./base/index.ts";
import {
  createClient,
  createEventRecorder,
  createInformerFactory,
  type Informer,
  type InformerFactory,
  type NodeConnector,
  pods,
  resourceQuotas,
} from "./client/index.ts";
import { createControllers } from "./controllers/index.ts";
import { HostPathProvisioner, provisionerName } from "./provisioner/index.ts";
import { Scheduler } from "./scheduler/index.ts";
import { KeptLists, type Store } from "./store/index.ts";

/*
 * The part of the composition that decides what the cluster is to be: the API server, the scheduler and the
 * controllers. Nothing here decides anything.
 */

const clock = new SystemClock();
const random = new SystemRandom();

/** Components of this process, as they are known to authorization. */
export const users = {
  scheduler: { name: "system:kube-scheduler", groups: ["system:authenticated"] },
  controllerManager: {
    name: "system:kube-controller-manager",
    groups: [systemMasters, "system:authenticated"],
  },
  apiserver: { name: "system:apiserver", groups: [systemMasters, "system:authenticated"] },
  provisioner: {
    name: "system:serviceaccount:kube-system:hostpath-provisioner",
    groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
  },
  node: (name: string) => ({ name: `system:node:${name}`, groups: ["system:nodes", "system:authenticated"] }),
} satisfies Record<string, UserInfo | ((name: string) => UserInfo)>;

/** The API server with what it decides by: who asks, what they may do, what is changed on the way in. */
export interface ControlPlane {
  server: ApiServer;
  informers: InformerFactory;
  /** Every pod, also by node. */
  pods: Informer<corev1.Pod>;
}

export function createControlPlane(options: {
  store: Store;
  pki: Pki;
  log: Log;
  nodes: NodeConnector;
}): ControlPlane {
  const { store, pki, log } = options;
  const find = async <T>(
    resource: string,
    namespace: string | undefined,
    name: string,
  ): Promise<T | undefined> => (await store.get(`${keyPrefix("", resource, namespace)}${name}`))?.object;
  const list = async <T>(prefix: string): Promise<T[]> =>
    (await store.range(prefix)).entries.map((entry) => entry.object);
  const runtimeClassPrefix = keyPrefix("node.k8s.io", "runtimeclasses");
  const storageClassPrefix = keyPrefix("storage.k8s.io", "storageclasses");
  const volumeAttachmentPrefix = keyPrefix("storage.k8s.io", "volumeattachments");
  const priorityClassPrefix = keyPrefix("scheduling.k8s.io", "priorityclasses");
  const limitRanges = new KeptLists<corev1.LimitRange>(store, keyPrefix("", "limitranges"));
  const priorityClasses = new KeptLists<schedulingv1.PriorityClass>(store, priorityClassPrefix);
  const tokenIssuer = createTokenIssuer({ signingKey: pki.serviceAccountKey, clock, random });
  const server: ApiServer = createApiServer({
    store,
    kinds: builtinKinds,
    schemas: builtinSchemas,
    describe: describeType,
    authenticator: createAuthenticator({
      clock,
      tokens: tokenIssuer,
      find: async (resource, namespace, name) =>
        (await find<corev1.Pod>(resource, namespace, name))?.metadata as { uid: string } | undefined,
    }),
    authorizer: createAuthorizer({
      isRelatedToNode: relatedThroughPods({
        podsOnNode: (node) => podInformer.byIndex("node", node),
        getClaim: (namespace, name) => find("persistentvolumeclaims", namespace, name),
        getVolume: (name) => find("persistentvolumes", undefined, name),
        getAttachment: async (name) => (await store.get(volumeAttachmentPrefix + name))?.object,
      }),
    }),
    admission: createAdmissionPlugins({
      clock,
      random,
      getNamespace: (name) => find("namespaces", undefined, name),
      getServiceAccount: (namespace, name) => find("serviceaccounts", namespace, name),
      getPod: (namespace, name) => find("pods", namespace, name),
      getNode: (name) => find("nodes", undefined, name),
      getRuntimeClass: async (name) => (await store.get(runtimeClassPrefix + name))?.object,
      priorityClasses: {
        get: async (name) => (await store.get(priorityClassPrefix + name))?.object,
        defaults: () => priorityClasses.list(priorityClassPrefix),
      },
      storageClasses: {
        get: async (name) => (await store.get(storageClassPrefix + name))?.object,
        all: () => list(storageClassPrefix),
      },
      podsIn: (namespace) => list(keyPrefix("", "pods", namespace)),
      quotasIn: (namespace) => list(keyPrefix("", "resourcequotas", namespace)),
      writeQuotaStatus: (quota) =>
        createClient(server.transportFor(users.apiserver)).resource(resourceQuotas).updateStatus(quota),
      limitRangesIn: (namespace) => limitRanges.list(keyPrefix("", "limitranges", namespace)),
    }),
    tokenIssuer,
    nodes: options.nodes,
    clock,
    random,
    log,
  });
  const informers = createInformerFactory(server.transportFor(users.controllerManager), {
    clock,
    log,
    random,
  });
  const podInformer = informers.informer<corev1.Pod>(pods, {
    indexers: { node: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []) },
  });
  addHealthChecks(server, store, podInformer);
  return { server, informers, pods: podInformer };
}

/** By upstream's names, which monitoring asks for: the store is what etcd is there. */
function addHealthChecks(server: ApiServer, store: Store, podInformer: Informer<corev1.Pod>): void {
  server.addHealthCheck("livez", {
    name: "etcd",
    check: async () => {
      await store.get(keyPrefix("", "namespaces", "default"));
    },
  });
  server.addHealthCheck("readyz", {
    name: "informer-sync",
    check: () => {
      if (!podInformer.hasSynced) throw new Error("1 informers not started yet: [*v1.Pod]");
    },
  });
}

export async function startControllers(
  api: ControlPlane,
  pki: Pki,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const recorder = (component: string) =>
    createEventRecorder({
      client: createClient(api.server.transportFor(users.apiserver)),
      component,
      clock,
      log,
      random,
    });
  const transport = api.server.transportFor(users.controllerManager);
  const controllers = createControllers({
    client: createClient(transport),
    informers: api.informers,
    recorder,
    clock,
    random,
    log: log.child({ room: "controllers" }),
    resources: () =>
      builtinKinds.map(({ group, version, resource, kind, scope }) => ({
        ...{ group, version, resource, kind },
        namespaced: scope === "Namespaced",
      })),
    rootCa: pki.ca.certificate,
  });
  const scheduler = new Scheduler({
    transport: api.server.transportFor(users.scheduler),
    informers: api.informers,
    recorder: recorder("default-scheduler"),
    clock,
    log: log.child({ room: "scheduler" }),
  });
  await Promise.all([scheduler.start(signal), ...controllers.map((controller) => controller.start(signal))]);
}

/** What makes the volumes of the default class on this node. */
export async function startProvisioner(
  api: ControlPlane,
  node: { name: string; volumesDir: string },
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const client = createClient(api.server.transportFor(users.provisioner));
  const provisioner = new HostPathProvisioner({
    client,
    informers: api.informers,
    recorder: createEventRecorder({
      client,
      component: provisionerName,
      host: node.name,
      clock,
      log,
      random,
    }),
    clock,
    log: log.child({ room: "provisioner" }),
    nodeName: node.name,
    dir: node.volumesDir,
  });
  await provisioner.start(signal);
}
