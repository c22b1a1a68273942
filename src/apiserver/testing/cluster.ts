import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AdmissionPlugin } from "../../admission/index.ts";
import { builtinKinds, builtinSchemas } from "../../api/index.ts";
import {
  type Authorizer,
  createAuthenticator,
  createAuthorizer,
  createTokenIssuer,
  ensurePki,
  kubeconfig,
  type Pki,
} from "../../auth/index.ts";
import { type Clock, type Log, SystemClock, SystemRandom, silentLog } from "../../base/index.ts";
import type { NodeConnector, Transport } from "../../client/index.ts";
import { serviceUnavailable } from "../../machinery/index.ts";
import { createMemoryStore, type Store } from "../../store/index.ts";
import { type ApiServer, createApiServer } from "../server.ts";

export interface TestClusterOptions {
  store?: Store;
  clock?: Clock;
  log?: Log;
  nodes?: NodeConnector;
  admission?: readonly AdmissionPlugin[];
  authorizer?: Authorizer;
}

/** An API server on a port of its own, with the real parts around it, in a directory that goes with it. */
export interface TestCluster {
  server: ApiServer;
  store: Store;
  pki: Pki;
  dir: string;
  port: number;
  url: string;
  /** Of the administrator. */
  kubeconfigFile: string;
  /** In process, as the administrator. */
  admin: Transport;
  close(): Promise<void>;
}

/** For tests and benchmarks of the server alone: no scheduler, controller or node. */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), "peapod-apiserver-"));
  const clock = options.clock ?? new SystemClock();
  const random = new SystemRandom();
  const store = options.store ?? createMemoryStore({ clock });
  const pki = await ensurePki(join(dir, "pki"), { clock, nodeName: "node-1" });
  const tokenIssuer = createTokenIssuer({ signingKey: pki.serviceAccountKey, clock, random });
  const find = async (resource: string, namespace: string | undefined, name: string) => {
    const entry = await store.get(`/registry/core/${resource}/${namespace ? `${namespace}/` : ""}${name}`);
    return entry?.object.metadata;
  };
  const authenticator = createAuthenticator({ clock, tokens: tokenIssuer, find });
  const server = createApiServer({
    store,
    kinds: builtinKinds,
    schemas: builtinSchemas,
    describe: () => undefined,
    authenticator,
    authorizer: options.authorizer ?? createAuthorizer({ isRelatedToNode: () => false }),
    admission: options.admission ?? [],
    tokenIssuer,
    nodes: options.nodes ?? noNodes,
    clock,
    random,
    log: options.log ?? silentLog,
  });
  await server.bootstrap();
  const tls = { cert: pki.apiserver.certificate, key: pki.apiserver.key, clientCa: pki.ca.certificate };
  const { port } = await server.listen({ port: 0, host: "127.0.0.1", tls });
  const url = `https://127.0.0.1:${port}`;
  const kubeconfigFile = join(dir, "kubeconfig");
  const text = kubeconfig({ server: url, caCertificate: pki.ca.certificate, client: pki.admin });
  await writeFile(kubeconfigFile, text, { mode: 0o600 });
  return {
    server,
    store,
    pki,
    dir,
    port,
    url,
    kubeconfigFile,
    admin: server.transportFor({ name: "admin", groups: ["system:masters"] }),
    close: async () => {
      await server.close();
      await store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const noNodes: NodeConnector = {
  connect: (name) => Promise.reject(serviceUnavailable(`node ${name} cannot be reached`)),
};
