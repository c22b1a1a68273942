import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isPortName,
  isPortNumber,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { addInvalid, type FieldErrors } from "../../../../validation/values.ts";
import type { SpecContext } from "./context.ts";

const protocols: readonly string[] = ["SCTP", "TCP", "UDP"];

export function validatePorts(
  errors: FieldErrors,
  ports: readonly corev1.ContainerPort[] | undefined,
  path: string,
): void {
  if (!ports?.length) return;
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const at = `${path}[${i}]`;
    if (port.name) {
      const messages = isPortName(port.name);
      if (messages.length > 0) addInvalid(errors, port.name, messages, `${at}.name`);
      else if (names.has(port.name)) errors.push(fieldDuplicate(`${at}.name`, port.name));
      else names.add(port.name);
    }
    if (!port.containerPort) errors.push(fieldRequired(`${at}.containerPort`));
    else addInvalid(errors, port.containerPort, isPortNumber(port.containerPort), `${at}.containerPort`);
    if (port.hostPort) addInvalid(errors, port.hostPort, isPortNumber(port.hostPort), `${at}.hostPort`);
    if (!port.protocol) errors.push(fieldRequired(`${at}.protocol`));
    else if (!protocols.includes(port.protocol))
      errors.push(fieldNotSupported(`${at}.protocol`, port.protocol, protocols));
  });
}

/** A port of the host can be given away once. `path` is that of the list of containers. */
export function validateUniqueHostPorts(
  errors: FieldErrors,
  containers: readonly corev1.Container[],
  path: string,
): void {
  const taken = new Set<string>();
  containers.forEach((container, i) => {
    container.ports?.forEach(({ hostPort, protocol, hostIP = "" }, p) => {
      if (!hostPort) return;
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) errors.push(fieldDuplicate(`${path}[${i}].ports[${p}].hostPort`, key));
      taken.add(key);
    });
  });
}

/** In the host's network a container's port is the host's; a template may leave that to its Pods' defaults. */
export function validateHostNetworkPorts(
  errors: FieldErrors,
  { spec, owner }: SpecContext,
  path: string,
): void {
  if (!spec.hostNetwork) return;
  spec.containers?.forEach((container, i) => {
    container.ports?.forEach(({ hostPort = 0, containerPort }, p) => {
      if ((owner.kind === "Pod" || hostPort !== 0) && hostPort !== containerPort)
        errors.push(
          fieldInvalid(
            `${path}.containers[${i}].ports[${p}].hostPort`,
            hostPort,
            "must match `containerPort` when `hostNetwork` is true",
          ),
        );
    });
  });
}

/** A port's number, or the name of one. */
export function validatePortReference(
  errors: FieldErrors,
  port: number | string | undefined,
  path: string,
): void {
  if (typeof port === "string") addInvalid(errors, port, isPortName(port), path);
  else addInvalid(errors, port ?? 0, isPortNumber(port ?? 0), path);
}
