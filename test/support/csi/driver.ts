import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  decode,
  encode,
  type Message,
  type MethodName,
  type NodeCapability,
  type RequestOf,
  type ResponseOf,
  type ServiceName,
  type Sparse,
  services,
  signatureOf,
} from "../../../src/kubelet/plugins/wire/index.ts";
import { codes, isMounted, refused, Volumes } from "./volumes.ts";

/*
 * A CSI driver whose volumes are directories of this machine, as upstream's csi-driver-host-path: a program of its own
 * that serves identity, controller and node on one socket, and registers on another. What it was asked it writes to
 * `calls`, a line a call; what it is to do wrong it reads from files named after the method.
 */

export interface DriverSettings {
  name: string;
  nodeId: string;
  /** Where its volumes, its record of calls and its faults are. */
  stateDir: string;
  /** Its own socket, and the one it registers on. */
  socket: string;
  registrationSocket: string;
  versions: string[];
  capabilities: NodeCapability[];
  volumesMax: number;
  topology: Record<string, string>;
}

type Handlers<S extends ServiceName> = {
  [M in MethodName<S>]: (request: Message<RequestOf<S, M>>) => Sparse<ResponseOf<S, M>>;
};

const settings = JSON.parse(process.argv[2]!) as DriverSettings;
const volumes = new Volumes(join(settings.stateDir, "volumes"));

const isEphemeral = (context: Record<string, string>) =>
  context["csi.storage.k8s.io/ephemeral"] === "true" || context.ephemeral === "true";

const node: Handlers<"csi.v1.Node"> = {
  NodeGetInfo: () => ({
    nodeId: settings.nodeId,
    maxVolumesPerNode: settings.volumesMax,
    accessibleTopology: { segments: settings.topology },
  }),
  NodeGetCapabilities: () => ({ capabilities: settings.capabilities.map((type) => ({ rpc: { type } })) }),
  NodeStageVolume({ volumeId, stagingTargetPath, volumeCapability }) {
    volumes.get(volumeId);
    if (volumeCapability?.mount)
      volumes.mount(volumeId, stagingTargetPath, {
        readOnly: false,
        flags: volumeCapability.mount.mountFlags,
      });
    return {};
  },
  NodeUnstageVolume({ volumeId, stagingTargetPath }) {
    volumes.unmount(volumeId, stagingTargetPath);
    volumes.releaseDevice(volumeId);
    return {};
  },
  NodePublishVolume({ volumeId, targetPath, readonly, volumeContext, volumeCapability, stagingTargetPath }) {
    if (isEphemeral(volumeContext))
      volumes.create({ id: volumeId, name: volumeId, bytes: 1 << 20, kind: "mount" });
    else if (volumeCapability?.mount && stagingTargetPath !== "" && !isMounted(stagingTargetPath))
      throw refused(codes.failedPrecondition, `volume ${volumeId} is not staged`);
    const flags = volumeCapability?.mount?.mountFlags ?? [];
    volumes.mount(volumeId, targetPath, { readOnly: readonly, flags });
    return {};
  },
  NodeUnpublishVolume({ volumeId, targetPath }) {
    volumes.unmount(volumeId, targetPath);
    const known = volumes.list().find(({ id }) => id === volumeId);
    // Of a pod alone, as its name says.
    if (known?.name === volumeId) volumes.delete(volumeId);
    return {};
  },
  NodeGetVolumeStats({ volumeId, volumePath }) {
    volumes.get(volumeId);
    const { bsize, blocks, bavail } = statfsSync(volumePath);
    const total = blocks * bsize;
    const available = bavail * bsize;
    return { usage: [{ total, available, used: total - available, unit: "BYTES" }] };
  },
  NodeExpandVolume({ volumeId, capacityRange }) {
    volumes.get(volumeId);
    return { capacityBytes: capacityRange?.requiredBytes ?? 0 };
  },
};

const controller: Handlers<"csi.v1.Controller"> = {
  CreateVolume({ name, capacityRange, volumeCapabilities, parameters }) {
    const bytes = capacityRange?.requiredBytes || 1 << 20;
    const kind = volumeCapabilities.some(({ block }) => block) ? "block" : "mount";
    const made = volumes.create({ id: `vol-${name}`, name, bytes, kind });
    return { volume: { capacityBytes: made.bytes, volumeId: made.id, volumeContext: parameters } };
  },
  DeleteVolume({ volumeId }) {
    volumes.delete(volumeId);
    return {};
  },
  ControllerPublishVolume({ volumeId, nodeId }) {
    volumes.get(volumeId);
    return { publishContext: { attachedTo: nodeId } };
  },
  ControllerUnpublishVolume: () => ({}),
  ControllerExpandVolume({ volumeId, capacityRange }) {
    volumes.resize(volumeId, capacityRange?.requiredBytes ?? 0);
    return { capacityBytes: capacityRange?.requiredBytes ?? 0, nodeExpansionRequired: true };
  },
};

const identity: Handlers<"csi.v1.Identity"> = {
  GetPluginInfo: () => ({ name: settings.name, vendorVersion: "1.0.0" }),
};

const registration: Handlers<"pluginregistration.Registration"> = {
  GetInfo: () => ({
    type: "CSIPlugin",
    name: settings.name,
    endpoint: settings.socket,
    supportedVersions: settings.versions,
  }),
  NotifyRegistrationStatus: () => ({}),
};

/** A method's fault: `hang`, or `CODE message`. */
function faultOf(method: string): string | undefined {
  const path = join(settings.stateDir, `fault-${method}`);
  return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
}

function answering(
  method: string,
  handler: (request: unknown) => unknown,
): handleUnaryCall<unknown, unknown> {
  return (call, answer) => {
    const line = JSON.stringify({ method, request: call.request });
    appendFileSync(join(settings.stateDir, "calls"), `${line}\n`);
    const fault = faultOf(method);
    if (fault === "hang") return;
    if (fault) {
      const [code, ...message] = fault.split(" ");
      answer({ code: Number(code), details: message.join(" ") });
      return;
    }
    try {
      answer(null, handler(call.request));
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string };
      answer({ code: typeof code === "number" ? code : codes.internal, details: message });
    }
  };
}

function addService<S extends ServiceName>(server: Server, service: S, handlers: Handlers<S>): void {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const method of Object.keys(services[service])) {
    const [request, response] = signatureOf(service, method);
    definition[method] = {
      path: `/${service}/${method}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: (message) => encode(request, message),
      requestDeserialize: (bytes) => decode(request, bytes),
      responseSerialize: (message) => encode(response, message),
      responseDeserialize: (bytes) => decode(response, bytes),
    };
    const handler = (handlers as unknown as Record<string, (request: unknown) => unknown>)[method]!;
    implementation[method] = answering(method, handler);
  }
  server.addService(definition, implementation);
}

async function serve(socket: string, add: (server: Server) => void): Promise<void> {
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  const server = new Server();
  add(server);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

mkdirSync(settings.stateDir, { recursive: true });
await serve(settings.socket, (server) => {
  addService(server, "csi.v1.Identity", identity);
  addService(server, "csi.v1.Controller", controller);
  addService(server, "csi.v1.Node", node);
});
await serve(settings.registrationSocket, (server) =>
  addService(server, "pluginregistration.Registration", registration),
);
process.on("SIGTERM", () => {
  rmSync(settings.registrationSocket, { force: true });
  process.exit(0);
});
process.stdout.write("ready\n");
