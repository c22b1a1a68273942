import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensurePki } from "../../../src/auth/index.ts";
import {
  createLifetime,
  type Log,
  type Random,
  SystemClock,
  SystemRandom,
  silentLog,
} from "../../../src/base/index.ts";
import type { Transport } from "../../../src/client/index.ts";
import { createControlPlane, startControllers, users } from "../../../src/control-plane.ts";
import { createKubelet, type Kubelet } from "../../../src/kubelet/index.ts";
import { withoutMounts } from "../../../src/kubelet/testing/without-mounts.ts";
import { serviceUnavailable } from "../../../src/machinery/index.ts";
import { SimulatedRuntime } from "../../../src/runtime/index.ts";
import { createMemoryStore } from "../../../src/store/index.ts";

/** All of Peapod in this process, as it is composed for a real cluster, on an engine that runs nothing. */
export interface SimulatedCluster {
  dir: string;
  /** With a client certificate of the administrator's. */
  url: string;
  tls: { ca: string; cert: string; key: string };
  /** In process, as the administrator. */
  admin: Transport;
  /** What any part logged as an error: each is a loop that did not expect something. */
  errors: string[];
  close(): Promise<void>;
}

export async function startSimulatedCluster(random: Random): Promise<SimulatedCluster> {
  const dir = mkdtempSync(join(tmpdir(), "peapod-fuzz-"));
  const clock = new SystemClock();
  const errors: string[] = [];
  const log = recording(errors);
  const store = createMemoryStore({ clock });
  const pki = await ensurePki(join(dir, "pki"), { clock, nodeName: "node-1" });
  const ended = createLifetime();
  let kubelet: Kubelet | undefined;
  const connect = async () => kubelet ?? Promise.reject(serviceUnavailable("not yet"));
  const api = createControlPlane({ store, pki, log, nodes: { connect } });
  await api.server.bootstrap();
  const { port } = await api.server.listen({
    port: 0,
    host: "127.0.0.1",
    tls: { cert: pki.apiserver.certificate, key: pki.apiserver.key, clientCa: pki.ca.certificate },
  });
  await startControllers(api, pki, log, ended.signal);
  const ends = [{}, {}, { exitAfterMs: 20, exitCode: 0 }, { exitAfterMs: 30, exitCode: 1 }];
  kubelet = createKubelet({
    nodeName: "node-1",
    transport: api.server.transportFor(users.node("node-1")),
    runtime: new SimulatedRuntime({
      clock,
      random: new SystemRandom(),
      // What asks for a pod's network asks loopback.
      addressPrefix: "127.66.0",
      behaviours: () => ends[Math.floor(random.fraction() * ends.length)]!,
    }),
    dir: join(dir, "kubelet"),
    clock,
    random: new SystemRandom(),
    log,
    nodeIps: ["127.0.0.1"],
    resolvConf: "nameserver 127.0.0.1\n",
    mounter: withoutMounts,
    manifestsDir: join(dir, "manifests"),
    labels: { "kubernetes.io/hostname": "node-1", size: "5" },
  });
  await kubelet.start(ended.signal);
  return {
    dir,
    url: `https://127.0.0.1:${port}`,
    tls: { ca: pki.ca.certificate, cert: pki.admin.certificate, key: pki.admin.key },
    admin: api.server.transportFor({ name: "admin", groups: ["system:masters"] }),
    errors,
    close: async () => {
      ended.abort();
      await kubelet.stopped;
      await api.server.close();
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function recording(errors: string[]): Log {
  const error = (fields: { error?: Error; err?: Error }, message: string) =>
    void errors.push(`${message}: ${(fields.error ?? fields.err)?.stack ?? JSON.stringify(fields)}`);
  const log: Log = { ...silentLog, error, fatal: error, child: () => log } as unknown as Log;
  return log;
}
