import { join } from "node:path";
import type { corev1, storagev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import { csiDrivers, type InformerFactory, nodes, type Transport } from "../../client/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { EventSink } from "../events.ts";
import { PluginRegistration } from "../plugins/plugin-registration.ts";
import { TokenManager } from "../volumes/token-manager.ts";
import { messageOf } from "../worker/start-error.ts";
import { Attachments } from "./attachments.ts";
import { csiTimeoutMsDefault } from "./csi-driver.ts";
import { CsiPlugin } from "./csi-plugin.ts";
import { DriverObjects } from "./driver-objects.ts";
import { CsiDrivers } from "./drivers.ts";
import { CsiNodeInfo } from "./node-info.ts";
import { NodeLimits } from "./node-limits.ts";
import { CsiRegistration } from "./register-drivers.ts";
import { Staging } from "./staging.ts";

export interface CsiOptions {
  /** The agent's folder. */
  dir: string;
  nodeName: string;
  transport: Transport;
  informers: InformerFactory;
  events: EventSink;
  clock: Clock;
  log: Log;
  /** How long a driver may take for a call. */
  timeoutMs?: number;
}

/** CSI on this node: its drivers, and the volumes they make. */
export interface Csi {
  plugin: CsiPlugin;
  /** Once the node is registered: drivers may register from now on. */
  start(): void;
  close(): void;
}

export function createCsi(options: CsiOptions): Csi {
  const { clock, dir, events, informers, log, nodeName, transport } = options;
  const drivers = new CsiDrivers({ clock, timeoutMs: options.timeoutMs ?? csiTimeoutMsDefault });
  const objects = new DriverObjects(informers.informer<storagev1.CSIDriver & KubeObject>(csiDrivers));
  const nodeInfo = new CsiNodeInfo({ transport, clock, nodeName });
  const limits = new NodeLimits({ objects, nodeInfo, clock, log });
  const node = informers.informer<corev1.Node & KubeObject>(nodes, {
    fieldSelector: `metadata.name=${nodeName}`,
  });
  const attachments = new Attachments({ nodeName, node, objects, transport, log });
  const pluginsDir = join(dir, "plugins");
  const staging = new Staging({ pluginsDir, podsDir: join(dir, "pods"), transport });
  const plugin = new CsiPlugin({
    ...{
      nodeName,
      pluginsDir,
      drivers,
      limits,
      objects,
      attachments,
      staging,
      transport,
      events,
      clock,
      log,
    },
    tokens: new TokenManager({ transport, clock }),
  });
  drivers.onRegistered((name) => void plugin.sweep(name));
  // What could not be told has been logged.
  const stopFollowing = objects.onChange(() => void attachments.driversChanged().catch(() => {}));
  const registration = new PluginRegistration({
    ...{ dir: join(dir, "plugins_registry"), clock, log },
    handlers: { CSIPlugin: new CsiRegistration({ drivers, nodeInfo, limits, log }) },
  });
  return {
    plugin,
    start() {
      const first = nodeInfo
        .initialize()
        .catch((error) => log.warn({ error: messageOf(error) }, "the node's CSINode could not be made"))
        .then(() => plugin.restore())
        .catch((error) => log.warn({ error: messageOf(error) }, "the volumes in use could not be told"))
        .then(() => registration.start());
      drivers.settlesWith(first);
      first.catch((error) => log.warn({ error: messageOf(error) }, "plugins cannot register"));
    },
    close() {
      registration.close();
      stopFollowing();
      limits.close();
      plugin.close();
      drivers.close();
    },
  };
}
