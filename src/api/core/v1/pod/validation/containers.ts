import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
} from "../../../../../machinery/index.ts";
import { type FieldErrors, semanticallyEqual, validateDnsLabel } from "../../../../validation/values.ts";
import { isSidecar } from "../resources.ts";
import type { AnyContainer, SpecContext } from "./context.ts";
import { validateEnv, validateEnvFrom } from "./env.ts";
import { validateEphemeralImage, validateImage, validatePullPolicy } from "./image.ts";
import { validateVolumeDevices, validateVolumeMounts } from "./mounts.ts";
import { validatePorts, validateUniqueHostPorts } from "./ports.ts";
import { validateLifecycle, validateProbes } from "./probes.ts";
import { validateContainerResources } from "./resources.ts";
import { validateContainerRestart, validateResizePolicy } from "./restart.ts";
import { validateSecurityContext } from "./security-context.ts";

/** The regular containers. */
export function validateContainers(errors: FieldErrors, context: SpecContext, path: string): void {
  const { containers } = context.spec;
  if (!containers?.length) {
    errors.push(fieldRequired(path));
    return;
  }
  const names = new Set<string>();
  containers.forEach((container, i) => {
    const at = `${path}[${i}]`;
    validateCommon(errors, container, context, at);
    if (names.has(container.name)) errors.push(fieldDuplicate(`${at}.name`, container.name));
    names.add(container.name);
    if (container.lifecycle) validateLifecycle(errors, container.lifecycle, context, `${at}.lifecycle`);
    validateProbes(errors, container, context, at);
    validateContainerRestart(errors, container, at);
  });
  validateUniqueHostPorts(errors, containers, path);
}

/** What only a sidecar among the init containers may have. */
const runningFields = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const;

export function validateInitContainers(errors: FieldErrors, context: SpecContext, path: string): void {
  const { spec } = context;
  if (!spec.initContainers?.length) return;
  const names = new Set(spec.containers?.map((container) => container.name));
  spec.initContainers.forEach((container, i) => {
    const at = `${path}[${i}]`;
    validateCommon(errors, container, context, at);
    validateContainerRestart(errors, container, at);
    if (names.has(container.name)) errors.push(fieldDuplicate(`${at}.name`, container.name));
    else if (container.name) names.add(container.name);
    // They run one by one: only their own ports may collide.
    validateUniqueHostPorts(errors, [container], path);
    if (isSidecar(container)) {
      if (container.lifecycle) validateLifecycle(errors, container.lifecycle, context, `${at}.lifecycle`);
      validateProbes(errors, container, context, at);
      return;
    }
    for (const field of runningFields) {
      if (container[field])
        errors.push(
          fieldForbidden(`${at}.${field}`, "may not be set for init containers without restartPolicy=Always"),
        );
    }
    container.resizePolicy?.forEach(({ restartPolicy }, p) => {
      if (restartPolicy === "RestartContainer")
        errors.push(
          fieldInvalid(
            `${at}.resizePolicy[${p}].restartPolicy`,
            restartPolicy,
            "must not be set to 'RestartContainer' for non-sidecar initContainers",
          ),
        );
    });
  });
}

/** What an ephemeral container may not have: it is for looking, not for serving. */
const servingFields = [
  "ports",
  "resources",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
] as const;
const notForEphemeral = "cannot be set for an Ephemeral Container";

export function validateEphemeralContainers(errors: FieldErrors, context: SpecContext, path: string): void {
  const { ephemeralContainers, containers, initContainers } = context.spec;
  if (!ephemeralContainers?.length) return;
  const targets = new Set([...(containers ?? []), ...(initContainers ?? [])].map(({ name }) => name));
  const names = new Set(targets);
  ephemeralContainers.forEach((container, i) => {
    const at = `${path}[${i}]`;
    validateCommon(errors, container, context, at);
    validateEphemeralImage(errors, container, at);
    if (names.has(container.name)) errors.push(fieldDuplicate(`${at}.name`, container.name));
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !targets.has(target)) errors.push(fieldNotFound(`${at}.targetContainerName`, target));
    for (const field of servingFields) {
      if (!semanticallyEqual(container[field], undefined))
        errors.push(fieldForbidden(`${at}.${field}`, notForEphemeral));
    }
    container.volumeMounts?.forEach(({ subPath, subPathExpr }, m) => {
      if (subPath) errors.push(fieldForbidden(`${at}.volumeMounts[${m}].subPath`, notForEphemeral));
      if (subPathExpr) errors.push(fieldForbidden(`${at}.volumeMounts[${m}].subPathExpr`, notForEphemeral));
    });
  });
}

/** What all three sorts of containers have. */
function validateCommon(
  errors: FieldErrors,
  container: AnyContainer,
  context: SpecContext,
  path: string,
): void {
  if (!container.name) errors.push(fieldRequired(`${path}.name`));
  else validateDnsLabel(errors, container.name, `${path}.name`);
  validateImage(errors, container, path);
  validateTerminationMessagePolicy(
    errors,
    container.terminationMessagePolicy,
    `${path}.terminationMessagePolicy`,
  );
  validatePorts(errors, container.ports, `${path}.ports`);
  validateEnv(errors, container.env, `${path}.env`);
  validateEnvFrom(errors, container.envFrom, `${path}.envFrom`);
  validateVolumeMounts(errors, container, context, `${path}.volumeMounts`);
  validateVolumeDevices(errors, container, context, `${path}.volumeDevices`);
  validatePullPolicy(errors, container.imagePullPolicy, `${path}.imagePullPolicy`);
  validateContainerResources(errors, container.resources, context.claimNames, `${path}.resources`);
  validateResizePolicy(errors, container.resizePolicy, context.spec.restartPolicy, `${path}.resizePolicy`);
  validateSecurityContext(errors, container.securityContext, context, `${path}.securityContext`);
}

function validateTerminationMessagePolicy(
  errors: FieldErrors,
  policy: string | undefined,
  path: string,
): void {
  if (policy === "File" || policy === "FallbackToLogsOnError") return;
  if (!policy) errors.push(fieldRequired(path));
  else errors.push(fieldNotSupported(path, policy, ["File", "FallbackToLogsOnError"]));
}
